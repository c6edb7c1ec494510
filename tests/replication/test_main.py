"""The command line's own decisions."""

import argparse
import json
import re
from pathlib import Path

import pytest

from replication.__main__ import GROUPS, _parser, main
from replication.core import paths
from replication.core.commands import _only
from replication.core.errors import UserError
from replication.core.family import calibration_name, find
from replication.core.records import line
from replication.core.runs import make_record, read_table, write_table
from replication.core.settings import load
from replication.core.store import Store

ROOT = Path(__file__).parents[2]
FAMILY = "autoencoder-mnist"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project's folder of the test's own, with the real params.yaml."""
    text = paths.PARAMS.read_text()
    monkeypatch.chdir(tmp_path)
    paths.PARAMS.write_text(text)


def test_ctrl_c_while_arguments_are_read_ends_it_without_a_traceback(monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr("replication.__main__._parser", interrupted)
    assert main(["status"]) == 130


def test_only_takes_values_as_the_runs_have_them(make_run):
    runs = [make_run(1e-3, row="1"), make_run(0.0, row="1-2", width=7)]
    assert _only(["lambda=0.001,0", "row=1"], runs) == {"lambda": {0.001, 0.0}, "row": {"1"}}
    assert _only(["lambda=1e-3", "form=none,reciprocal"], runs)["lambda"] == {0.001}
    assert _only(["inputs=unsaid,rarest"], [*runs, make_run(inputs="rarest")]) == {"inputs": {"unsaid", "rarest"}}
    with pytest.raises(UserError, match=r"--only width=101: no run of the grid has width '101'. It has: 5, 7"):
        _only(["width=101"], runs)
    with pytest.raises(UserError, match="no run of the grid has width ''"):
        _only(["width"], runs)
    with pytest.raises(UserError, match=r"no such setting. Known: batch_size, .*width"):
        _only(["breadth=5"], runs)


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("command", ["sweep", "calibrate"])
def test_a_family_that_is_left_out_keeps_what_exists_and_trains_nothing(command, capsys):
    paths.PARAMS.write_text(paths.PARAMS.read_text().replace("\ntrain:\n", "\ntrain: cnn-mnist\n"))
    found = find(load("demo"), FAMILY)
    run, *_ = found.grid if command == "sweep" else found.calibrations
    Store(paths.store()).put(make_record(run, {}, {"validation_mse": [1.0]}, 1, {}))
    assert main([command, "--scale", "demo", "--family", FAMILY]) == 0
    first, second = capsys.readouterr().out.splitlines()[:2]
    assert first == f"{FAMILY}: `train` in params.yaml leaves it out, so that nothing is trained"
    assert "1 known already, 0 trained now" in second
    [record] = read_table(found.table if command == "sweep" else found.calibration_table)
    assert record["key"] == run.key


@pytest.mark.usefixtures("project")
def test_clear_forgets_runs_that_no_table_has(capsys):
    runs = find(load("demo"), FAMILY).grid
    store, table = Store(paths.store()), paths.table("demo", FAMILY)
    in_table, alone = (make_record(run, {}, {}, 1, {}) for run in runs[:2])
    for record in (in_table, alone):
        store.put(record)
    write_table(table, [in_table])
    assert main(["runs", "clear", "--scale", "demo", "--tables", "--yes"]) == 0
    assert store.keys() == set() and read_table(table) == []
    assert capsys.readouterr().out == f"2 runs of scale demo\n{table}\n2 runs of scale demo deleted.\n"


@pytest.mark.usefixtures("project")
def test_clear_forgets_calibrations_that_a_killed_sweep_left():
    [run, *_] = find(load("demo"), FAMILY).calibrations
    store = Store(paths.store())
    store.put(make_record(run, {}, {}, 1, {}))
    assert main(["runs", "clear", "--scale", "demo", "--yes"]) == 0 and store.keys() == set()


@pytest.mark.usefixtures("project")
def test_a_calibration_without_runs_says_so(capsys):
    assert main(["calibrate", "--scale", "demo", "--family", FAMILY, "--minutes", "0"]) == 0
    assert capsys.readouterr().out.endswith("No baseline is trained yet.\n")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--workers", "-1"], "a number of processes, 1 or more, is expected, not '-1'"),
        (["--workers", "two"], "a number of processes"),
        (["--minutes", "nan"], "a number of minutes, 0 or more, is expected, not 'nan'"),
        (["--minutes", "-1"], "a number of minutes"),
    ],
)
def test_numbers_that_make_no_sense(options, message, capsys):
    with pytest.raises(SystemExit):
        main(["sweep", "--family", FAMILY, *options])
    assert message in capsys.readouterr().err


def test_only_may_be_repeated(make_run):
    runs = [make_run(1e-3, width=5), make_run(0.0, width=7)]
    assert _only(["width=5", "width=7"], runs) == {"width": {5, 7}}


@pytest.mark.usefixtures("project")
def test_a_table_is_written_without_data(capsys):
    """What `runs merge` advises: no data set is looked for, though runs are missing."""
    assert main(["sweep", "--scale", "paper", "--family", FAMILY, "--minutes", "0"]) == 0
    assert "0 trained now" in capsys.readouterr().out and read_table(paths.table("paper", FAMILY)) == []
    none = ["sweep", "--family", FAMILY, "--only", "width=20", "--only", "form=exact", "--only", "lambda=0"]
    assert main([*none, "--minutes", "0"]) == 2
    assert "no run of the grid has all of width, form, lambda as chosen" in capsys.readouterr().err


@pytest.mark.usefixtures("project")
def test_runs_are_listed_and_shown_from_the_tables_alone(capsys):
    family = find(load("demo"), FAMILY)
    first, other = family.grid[0], family.calibrations[0]
    for run, name in ((first, FAMILY), (other, calibration_name(FAMILY))):
        write_table(paths.table("demo", name), [make_record(run, {"stopping_epoch": 9}, {}, 1, {})])
    assert main(["runs", "list", "--scale", "demo", "--family", FAMILY]) == 0
    said = capsys.readouterr().out
    assert "stopping_epoch 9" in said and said.endswith(f"1 of {len(family.grid)} runs finished\n")
    for run in (first, other):
        assert main(["runs", "show", run.key[:12]]) == 0
        assert json.loads(capsys.readouterr().out)["run"]["width"] == run["width"]
    assert main(["runs", "show", ""]) == 2 and "2 finished runs have a key" in capsys.readouterr().err
    assert not paths.store().exists()


@pytest.mark.usefixtures("project")
def test_merging_says_conflicts_and_keeps_both(tmp_path, capsys):
    """One new run, one known, two with other numbers than in the store and in a table, one line refused."""
    here = find(load("demo"), FAMILY)
    runs, store = here.grid[:4], Store(paths.store())
    first, second, third, fourth = (make_record(run, {"mse": 0.5}, {"mse": [1.0, 0.5]}, 1, {}) for run in runs)
    store.put(first)
    store.put(second)
    write_table(here.table, [third])
    other = [record | {"metrics": {"mse": 0.25}, "history": {"mse": [1.0, 0.25]}} for record in (second, third)]
    theirs = tmp_path / "theirs.jsonl"
    write_table(theirs, [first | {"seconds": 9.0}, *other, fourth])
    theirs.write_text(theirs.read_text() + "{}\n")
    before, table = theirs.read_text(), here.table.read_text()
    assert main(["runs", "merge", str(theirs)]) == 0
    said = capsys.readouterr()
    assert said.err == f"refused: {theirs}, line 5: not a run record: Object missing required field `key`\n"
    summary, *conflicts, kept, _ = said.out.splitlines()
    assert summary == (
        f"{theirs}: 4 runs, 1 new, 0 from another version of the training code, 1 refused, "
        "2 with other numbers than here"
    )
    assert {line.split("  ")[2] for line in conflicts} == {second["key"], third["key"]}
    assert all("mse by up to 0.25 since epoch 2. Both: " in line for line in conflicts)
    assert kept == f"Of these the numbers that were here before are kept; {theirs} stays as it is, with the others."
    assert theirs.read_text() == before and here.table.read_text() == table
    assert store.keys() == {run.key for run in (runs[0], runs[1], runs[3])} and store[second["key"]] == second


@pytest.mark.usefixtures("project")
def test_sealing_notes_digests_once_and_a_change_is_refused(capsys):
    here = find(load("demo"), FAMILY)
    write_table(here.table, [make_record(run, {"mse": 0.5}, {}, 1, {}) for run in here.grid[:3]])
    for counts in (
        "3 digests added to data/runs/demo/digests.json, 0 were there\n",
        "0 digests added to data/runs/demo",
    ):
        assert main(["runs", "seal", "--scale", "demo"]) == 0
        assert capsys.readouterr().out.startswith(counts)
    here.table.write_text(here.table.read_text().replace("0.5", "0.6", 1))
    assert len(read_table(here.table)) == 2
    assert "line 1: its content was changed" in capsys.readouterr().err


@pytest.mark.usefixtures("project")
def test_merging_writes_and_deletes_nothing_outside_the_store(tmp_path, capsys):
    run = find(load("demo"), FAMILY).grid[0]
    victim = tmp_path / "checkpoints" / "mine.pt"
    victim.parent.mkdir()
    victim.write_text("mine")
    theirs = tmp_path / "theirs.jsonl"
    theirs.write_text(line(make_record(run, {}, {}, 1, {}) | {"key": "../../checkpoints/mine"}) + "\n")
    assert main(["runs", "merge", str(theirs)]) == 0
    assert "line 1: its key is ../../checkpoints/mine, and its settings give" in capsys.readouterr().err
    assert victim.read_text() == "mine" and Store(paths.store()).keys() == set()


@pytest.mark.usefixtures("project")
def test_a_refused_record_is_listed_as_one(capsys):
    run = find(load("demo"), FAMILY).grid[0]
    path = Store(paths.store()).path(run.key)
    path.parent.mkdir()
    path.write_text("{}")
    assert main(["runs", "list", "--scale", "demo", "--family", FAMILY]) == 0
    assert f"refused: {path} is damaged (ValueError: not a run record" in capsys.readouterr().out


@pytest.mark.usefixtures("project")
def test_runs_that_wait_for_others_are_counted_and_named(capsys):
    """ResNet-50's empirical rows, whose layers an unguided run tells."""
    family = "resnet50-imagenette"
    found = find(load("demo"), family)
    here, whole = len(found.grid), found.planned
    assert 0 < here < whole
    assert main(["sweep", "--scale", "demo", "--family", family, "--only", "row=empirical", "--minutes", "0"]) == 0
    assert f"{whole - here} further runs of {family} can be described once" in capsys.readouterr().err
    assert main(["runs", "list", "--scale", "demo", "--family", family]) == 0
    assert capsys.readouterr().out.endswith(f"0 of {whole} runs finished\n")


@pytest.mark.usefixtures("project")
def test_two_networks_share_one_data_set(capsys):
    text = paths.PARAMS.read_text()
    assert text.count("dataset: patterns") == 2
    paths.PARAMS.write_text(text.replace("dataset: patterns", "dataset: imagenette-v2", 1))
    assert main(["prepare", "imagenette", "--scale", "demo"]) == 2
    assert "one data set is meant for vgg16-imagenette: imagenette-v2, resnet" in capsys.readouterr().err


@pytest.mark.usefixtures("project")
def test_what_the_command_line_cannot_find(capsys):
    assert main(["sweep", "--family", "no-such"]) == 2
    assert capsys.readouterr().err.startswith("error: no family 'no-such': params.yaml has autoencoder-mnist, ")
    assert main(["prepare", "letters"]) == 2
    assert capsys.readouterr().err.startswith("error: no family uses 'letters': choose one of cifar10, ")
    assert main(["calibrate", "--family", "inputs-mnist"]) == 2
    assert "inputs-mnist has no calibration" in capsys.readouterr().err
    assert main(["set-scale", "huge"]) == 2
    assert capsys.readouterr().err == "error: unknown scale 'huge': choose one of demo, paper\n"


@pytest.mark.usefixtures("project")
def test_a_damaged_record_says_how_to_make_it_anew(capsys):
    paths.PUBLISHED.parent.mkdir()
    paths.PUBLISHED.symlink_to(ROOT / paths.PUBLISHED)
    path = paths.record("demo", "theory")
    path.parent.mkdir(parents=True)
    path.write_text("xx")
    assert main(["report", "--scale", "demo"]) == 2
    assert "theory.json is damaged (JSONDecodeError" in (said := capsys.readouterr().err)
    assert said.endswith("`python -m replication theory` writes it anew\n")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--output", "."], ". is a folder: name a file in it"),
        (["--plot", "plot"], "--plot plot: the name must end in one of .png, .svg, .pdf"),
    ],
)
def test_profile_says_first_what_it_cannot_write(options, message, capsys):
    assert main(["profile", "small-vgg", *options]) == 2
    assert capsys.readouterr() == ("", f"error: {message}\n")


def test_without_a_command_there_is_a_list_of_them_all(capsys):
    assert main([]) == 0
    said = capsys.readouterr().out
    assert "examples:" in said and all(f"  {name} " in said for group in GROUPS.values() for name in group)


def subparsers(parser):
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                yield name, inner
                yield from ((f"{name} {deeper}", found) for deeper, found in subparsers(inner))


def test_every_command_is_in_a_group_and_every_option_has_a_text():
    found = dict(subparsers(_parser()))
    assert {name for name in found if " " not in name} == {name for group in GROUPS.values() for name in group}
    silent = [
        f"{name} {action.dest}"
        for name, inner in found.items()
        for action in inner._actions
        if not action.help and not isinstance(action, argparse._SubParsersAction)
    ]
    assert silent == []


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["reprot"], "no command 'reprot': .*Did you mean report"),
        (["runs", "lst"], "no command 'lst': .*Did you mean list"),
        (["profile-stage", "vgg"], "argument network: no value 'vgg': .*Did you mean vgg16"),
        (["sweep", "--family", FAMILY, "--device", "cudo"], "argument --device: .*Did you mean cuda"),
    ],
)
def test_a_mistyped_word_is_told_its_neighbour(typed, meant, capsys):
    with pytest.raises(SystemExit) as ended:
        main(typed)
    assert ended.value.code == 2
    assert re.search(meant, capsys.readouterr().err)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["status", "--scale", "papper"], "unknown scale 'papper': choose one of demo, paper. Did you mean paper?"),
        (["sweep", "--family", "autoencoder-mnst"], "Did you mean autoencoder-mnist?"),
        (["prepare", "imagenet"], "Did you mean imagenette?"),
        (["claim", "C44"], "no claim 'C44': choose one of C1, "),
    ],
)
def test_a_name_that_does_not_exist_is_told_its_neighbour(typed, meant, capsys):
    assert main(typed) == 2
    assert meant in capsys.readouterr().err


def test_a_claim_says_what_it_needs_and_trains_nothing(capsys):
    """On the committed runs; C1 rests on none."""
    assert main(["claim", "c4", "--scale", "paper", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("C4 Early stopping on MNIST (Figure 4): ") and "Verdict: not reproduced; control:" in said
    assert re.search(r"autoencoder-mnist: \d+ of 480 runs are there", said)
    assert main(["claim", "C1", "--scale", "paper"]) == 0
    assert "No training decides it. `python -m replication theory" in capsys.readouterr().out


@pytest.mark.usefixtures("project")
def test_a_claim_trains_its_own_runs_alone(capsys, monkeypatch):
    (Path("data") / "published").parent.mkdir(exist_ok=True)
    Path("data/published").symlink_to(ROOT / "data/published")
    asked = {}

    def noted(_options, _family, runs, name, among):
        asked[name] = ({run.key for run in runs}, among)
        return 0

    monkeypatch.setattr("replication.core.commands.train", noted)
    assert main(["claim", "C4", "--scale", "demo"]) == 0
    whole, among = asked[FAMILY]
    assert list(asked) == [FAMILY] and among < whole
    assert "No verdict at scale demo yet." in capsys.readouterr().out
