"""A campaign from the command line: what it prints, trains, passes over and keeps."""

import json
import re
import time

import pytest

from replication.__main__ import main
from replication.core import paces, paths, planning, spending, sweep
from replication.core.campaign import RULE
from replication.core.errors import UserError
from replication.core.family import find
from replication.core.paces import Pace
from replication.core.runs import read_table
from replication.core.settings import load
from replication.core.store import Store
from replication.core.sweep import Order, Outcome

QUICK = Pace(epoch=0.01, once=0.0, estimate=False, alone=False)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder of the test's own, with the real params.yaml and what was published."""
    root = paths.PARAMS.absolute().parent
    monkeypatch.chdir(tmp_path)
    paths.PARAMS.write_text((root / "params.yaml").read_text())
    (tmp_path / "data").mkdir()
    for name in ("published", "benchmarks"):
        (tmp_path / "data" / name).symlink_to(root / "data" / name)
    return tmp_path


@pytest.fixture
def timed(project, monkeypatch):
    """Every network is quick, and nothing is measured."""
    monkeypatch.setattr(paces.Paces, "of", lambda *_: QUICK)
    return project


def kept():
    [path] = (paths.store() / "campaigns").iterdir()
    return json.loads(path.read_text())


def test_a_dry_run_prints_rule_and_order_and_trains_nothing(timed, capsys):
    assert main(["campaign", "--minutes", "10", "--dry-run", "--scale", "paper", "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    assert all(rule in said for rule in RULE) and said.startswith("A campaign of 10 minutes at scale paper on cpu.")
    assert "No data here for cnn-cifar10" in said and "`python -m replication prepare cifar10 --scale paper`" in said
    assert not paths.store().exists() and not (timed / "data/runs").exists()


@pytest.mark.usefixtures("project")
def test_it_trains_writes_tables_and_goes_on_from_there(capsys):
    arguments = ["campaign", "--minutes", "2", "--scale", "demo", "--device", "cpu", "--families", "cnn-mnist"]
    assert main(arguments) == 0
    family = find(load("demo"), "cnn-mnist")
    assert {r["key"] for r in read_table(family.table)} == {run.key for run in family.grid}
    assert "Trained: 4 of cnn-mnist." in capsys.readouterr().out
    found = kept()
    assert found["trained"] == {"cnn-mnist": 4} and found["rule"] == list(RULE)
    assert sum(len(block["runs"]) for block in found["plans"][0]) == 4
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "Nothing can be begun in the minutes that are left." in said and "Trained: no run to its end." in said


def test_blocks_are_swept_in_order_within_the_time(timed, monkeypatch, capsys):  # noqa: ARG001
    swept = []

    def training(grid, table, store, *, order, minutes, **_):  # noqa: ARG001
        swept.append((grid[0].family, sorted(order.places, key=order.places.get), minutes))
        return Outcome(len(grid), 0, 0, interrupted=False)

    monkeypatch.setattr(sweep, "sweep", training)
    assert main(["campaign", "--minutes", "3", "--scale", "demo", "--device", "cpu"]) == 0
    plan = [(block["family"], block["runs"]) for block in kept()["plans"][0]]
    assert [(family, keys) for family, keys, _ in swept] == plan and plan[0][0] in capsys.readouterr().out
    assert all(0 < minutes <= 3 for *_, minutes in swept)


def test_a_family_that_cannot_be_trained_does_not_stop_the_others(timed, monkeypatch, capsys):  # noqa: ARG001
    def training(grid, *_, **__):
        if grid[0].family == "cnn-mnist":
            raise UserError("its data are damaged")
        return Outcome(1, 1, 0, interrupted=False)

    monkeypatch.setattr(sweep, "sweep", training)
    families = "cnn-mnist,cnn-cifar10"
    monkeypatch.setattr(spending.time, "monotonic", iter(range(0, 60_000, 10)).__next__)
    assert main(["campaign", "--minutes", "3", "--scale", "demo", "--device", "cpu", "--families", families]) == 1
    said = capsys.readouterr()
    assert "cnn-mnist: its data are damaged" in said.err and re.search(r"Trained: \d+ of cnn-cifar10", said.out)
    assert kept()["refused"] == {"cnn-mnist": "its data are damaged"}


def test_ctrl_c_ends_it_and_says_that_it_goes_on(timed, monkeypatch, capsys):  # noqa: ARG001
    swept = []

    def training(grid, *_, **__):
        swept.append(grid)
        return Outcome(1, 1, 0, interrupted=True)

    monkeypatch.setattr(sweep, "sweep", training)
    assert main(["campaign", "--minutes", "3", "--scale", "demo", "--device", "cpu"]) == 130
    assert len(swept) == 1 and "the same command goes on from here" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--minutes", "0"], "a campaign of 0 minutes trains nothing"),
        (["--minutes", "5", "--families", "cnn-minst"], "Did you mean cnn-mnist?"),
        (["--minutes", "5", "--address", "head:6379"], "--address is for --executor ray"),
        (["--minutes", "5", "--scale", "paper", "--families", "cnn-mnist"], "none of these families has its data here"),
    ],
)
def test_mistakes_are_one_message(timed, arguments, message, capsys):  # noqa: ARG001
    assert main(["campaign", "--device", "cpu", *arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("minutes", [["--minutes", "-1"], ["--minutes", "soon"], []])
def test_minutes_are_said(minutes, capsys):
    with pytest.raises(SystemExit):
        main(["campaign", *minutes])
    assert "minutes" in capsys.readouterr().err


@pytest.mark.usefixtures("project")
def test_a_scale_with_verdicts_orders_by_them(monkeypatch):
    """C4 has a verdict, C8 none: its families come first."""
    monkeypatch.setattr(paces.Paces, "of", lambda *_: QUICK)
    names = {"C4": "not reproduced", "C5": "partly", "C7": "partly", "C8": "inconclusive", "C12": "partly"}
    board = {
        "version": 1,
        "claims": [{"id": name, "verdict": verdict} for name, verdict in names.items()],
        "hypotheses": [{"id": "R1", "family": "rivals-cifar10", "verdict": "undecided"}],
    }
    folder = paths.reports("demo")
    folder.mkdir(parents=True)
    (folder / "claims.json").write_text(json.dumps(board))
    parameters = load("demo")
    asked = ("autoencoder-mnist", "rivals-cifar10", "cnn-mnist")
    import torch

    plan = planning.make(parameters, {name: find(parameters, name) for name in asked}, torch.device("cpu"), 600)
    order = list(dict.fromkeys(block.family for block in plan.blocks))
    assert order == ["cnn-mnist", "rivals-cifar10", "autoencoder-mnist"]
    assert plan.blocks[0].wanted.by == ("C8",)


def test_a_sweep_in_a_campaigns_order_begins_nothing_late_and_waits_for_nobody(make_run, tmp_path, monkeypatch):
    from replication.core import executors
    from replication.core.claims import Claims
    from replication.core.runs import make_record
    from replication.training.trainer import Epoch

    trained = []

    def one_by_one(stacks, *_):
        for [run] in stacks:
            trained.append(run)
            yield Epoch(1, 0, "", [make_record(run, {}, {}, 1, {})])

    monkeypatch.setattr(executors, "local_workers", one_by_one)
    monkeypatch.setattr(sweep, "_stacks", lambda runs, *_: [[run] for run in runs])
    monkeypatch.setattr(sweep, "_verified", lambda runs, _: {run["dataset"]: {} for run in runs})
    runs = [make_run(replicate=k) for k in range(5)]
    store = Store(tmp_path / "store")
    order = Order(
        {run.key: place for place, run in enumerate((runs[3], runs[1], runs[2], runs[0]))},
        lambda stack, left: stack[0] != runs[2] and 0 < left <= 60,
    )
    with Claims(store) as theirs:
        theirs.take([runs[1]])
        began = time.monotonic()
        outcome = sweep.sweep(
            runs,
            tmp_path / "t.jsonl",
            store,
            trainer="replication.autoencoder.training.train",
            device=sweep.choose_device("cpu"),
            minutes=1,
            order=order,
        )
    assert trained == [runs[3], runs[0]] and outcome.missing == 3 and time.monotonic() - began < 20
