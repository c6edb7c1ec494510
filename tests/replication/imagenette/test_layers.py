"""The step that finds out which layers the rows of Table 2 guide."""

import json

import pytest
from ruamel.yaml import YAML

from replication.__main__ import main
from replication.core import paths
from replication.core.family import find
from replication.core.finished import Outcome
from replication.core.runs import make_record, read_table, write_table
from replication.core.settings import load
from replication.core.store import Store
from replication.imagenette import grid, rows

FAMILY = "resnet50-imagenette"
PARAMS = YAML(typ="safe").load(paths.PARAMS)


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """A project's folder of the test's own, with the real params.yaml and the demo's runs one epoch long."""
    monkeypatch.chdir(tmp_path)
    document = PARAMS | {"scales": PARAMS["scales"] | {"demo": dict(PARAMS["scales"]["demo"])}}
    document["scales"]["demo"][FAMILY] = document["scales"]["demo"][FAMILY] | {"max_epochs": 1}
    YAML().dump(document, paths.PARAMS)


def family(scale="paper"):
    return find(load(scale), FAMILY)


def step(*options, scale="paper", name=FAMILY):
    """The command, and the record that it leaves."""
    status = main(["layers", "--scale", scale, "--family", name, *options])
    path = rows.record_path(scale, name)
    return status, json.loads(path.read_text())["rows"] if path.exists() else None


def left_by(run, means=(-1.0, -5.0, -5.0, -1.2, -5.0, -5.0, -5.0, -5.0)):
    """The record of an unguided run; two of its layers stand out."""
    metrics = {"accuracy": 0.7, "stopping_epoch": 3}
    profile = [{"layer": k, "name": f"conv{k}", "mean": mean} for k, mean in enumerate(means, 1)]
    return make_record(run, metrics, {}, 1.0, {}) | {"profile": profile}


@pytest.fixture
def trained(monkeypatch):
    """Runs that the step had trained; what becomes of them is told by `outcome`."""
    found = []

    def sweep(runs, table, store, **options):
        found.extend(runs)
        assert options["trainer"] == "replication.imagenette.training.train:TRAINER"
        assert table != paths.table("paper", FAMILY)
        if options["minutes"] != 0:
            for run in runs:
                store.put(left_by(run))
        return Outcome(len(runs), 0, 0, interrupted=False)

    monkeypatch.setattr("replication.core.sweep.sweep", sweep)
    return found


def test_the_first_unguided_run_is_trained_and_tells(trained, capsys):
    before = family()
    status, found = step()
    assert status == 0 and trained == [grid.first_unguided(before.settings)]
    assert list(found) == ["1", "1+5", "pre-skip", "empirical"]
    assert found["1+5"] == {"numbers": [1, 5], "source": "the paper", "basis": ""}
    assert found["empirical"]["numbers"] == [1, 4] and found["empirical"]["basis"] == trained[0].key
    source = "the profile of an unguided run here (plain, row 1, validation accuracy 0.700 after 3 epochs)"
    assert found["empirical"]["source"] == source
    assert f"row empirical: layers 1, 4 (from {source})" in capsys.readouterr().out
    after = family()
    assert (len(before.grid), len(after.grid), after.planned) == (66, 84, 84)
    assert {r["layers"] for r in after.grid if r["row"] == "empirical" and r["lambda"]} == {"1-4"}
    assert not after.table.exists()


def test_with_no_time_the_row_stays_unknown_and_that_is_said(trained, capsys):
    status, found = step("--minutes", "0")
    assert status == 0 and found["empirical"]["numbers"] is None and found["pre-skip"]["numbers"][:3] == [1, 4, 5]
    assert found["empirical"]["source"] == "not known before the first unguided run has finished"
    assert "row empirical: not known before the first" in capsys.readouterr().out
    assert len(family().grid) == 66 and trained
    assert step()[1]["empirical"]["numbers"] == [1, 4]  # and with time it is found out


def test_an_interrupted_training_leaves_the_row_unknown(monkeypatch, capsys):
    monkeypatch.setattr("replication.core.sweep.sweep", lambda *_, **__: Outcome(1, 0, 1, interrupted=True))
    status, found = step()
    assert status == 130 and found["empirical"]["numbers"] is None
    assert "The same command goes on from here" in capsys.readouterr().err


def test_a_table_that_holds_the_run_is_enough_and_stays_as_it_is(trained):
    first, *others = [run for run in family().grid if run["lambda"] == 0]
    assert first == grid.first_unguided(family().settings)
    write_table(family().table, [left_by(first), *map(left_by, others)])
    before = family().table.read_bytes()
    assert step()[1]["empirical"]["numbers"] == [1, 4] and not trained
    assert family().table.read_bytes() == before and Store(paths.store()).keys() == {first.key}


def test_known_layers_are_not_found_out_again(trained):
    """A clone that has the record, but neither the run nor its weights."""
    _, found = step()
    Store(paths.store()).delete(trained[0].key)
    assert step("--minutes", "0") == (0, found) and len(trained) == 1


def test_weights_that_are_not_finite_choose_nothing(trained):
    Store(paths.store()).put(left_by(grid.first_unguided(family().settings), means=[float("nan")] * 4))
    _, found = step()
    assert found["empirical"]["numbers"] is None and "is not finite" in found["empirical"]["source"]
    assert len(family().grid) == 66 and not trained


def test_a_recorded_pretrained_profile_comes_first(trained):
    Store(paths.store()).put(left_by(grid.first_unguided(family().settings)))
    lines = [
        {"network": network, "weights": weights, "source": "file.h5", "layer": k, "name": f"c{k}", "mean": mean}
        for network, weights, means in (
            ("small-vgg", "imagenet", [-9, -9, -1, -9]),  # a stand-in is not the network
            ("resnet50", "random", [0, -9, -9, -9]),
            ("resnet50", "imagenet", [-5, -1, -5, -5.5]),
        )
        for k, mean in enumerate(means, 1)
    ]
    path = paths.table("paper", "profile-resnet50")
    path.parent.mkdir(parents=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    _, found = step()
    source = "the recorded profile of its imagenet weights (file.h5)"
    assert found["empirical"] == {"numbers": [2], "source": source, "basis": "imagenet"} and not trained
    assert {r["layers"] for r in family().grid if r["row"] == "empirical" and r["lambda"]} == {"2"}


def test_rows_that_name_their_layers_need_no_training(trained):
    status, found = step(name="vgg16-imagenette")
    assert status == 0 and not trained
    assert {row: chosen["numbers"] for row, chosen in found.items()} == {"1": [1], "1+2": [1, 2]}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--family", "unet-coco"], "unet-coco has no rows of Table 2"),
        (["--family", FAMILY, "--shard", "1/2"], "leave --only and --shard away"),
        (["--family", FAMILY, "--only", "row=1"], "leave --only and --shard away"),
    ],
)
def test_mistakes(options, message, trained, capsys):
    assert main(["layers", "--scale", "paper", *options]) == 2
    assert message in capsys.readouterr().err and not trained


def test_a_scale_without_the_family_has_no_rows(trained):
    document = YAML(typ="safe").load(paths.PARAMS)
    document["scales"]["demo"][FAMILY] = None
    YAML().dump(document, paths.PARAMS)
    assert step(scale="demo") == (0, {}) and not trained


def test_a_sweep_says_which_command_finds_out(capsys):
    sweep = ["sweep", "--scale", "demo", "--family", FAMILY, "--only", "row=empirical", "--minutes", "0"]
    assert main(sweep) == 0
    said = f"1 further runs of {FAMILY} can be described once it is known which layers they guide"
    assert said in capsys.readouterr().err
    assert main(["runs", "list", "--scale", "demo", "--family", FAMILY]) == 0
    assert capsys.readouterr().out.endswith("0 of 4 runs finished\n")


def test_the_demos_layers_are_found_by_a_real_training(capsys):
    """And the family's sweep takes that run into its table without training it again."""
    status, found = step("--device", "cpu", "--workers", "1", scale="demo")
    assert status == 0 and found["empirical"]["numbers"]
    assert "(augmentation, row pre-skip, validation accuracy" in found["empirical"]["source"]
    assert len(family("demo").grid) == family("demo").planned == 4
    assert main(["sweep", "--scale", "demo", "--family", FAMILY, "--minutes", "0"]) == 0
    assert "4 runs: 1 known already, 0 trained now, 3 still missing" in capsys.readouterr().out
    assert [record["key"] for record in read_table(family("demo").table)] == [found["empirical"]["basis"]]
