import signal
import time

import pytest
import torch

from replication.autoencoder.training import train
from replication.core import executors, sweep
from replication.core.claims import Claims
from replication.core.executors import OutOfTime
from replication.core.records import sealed
from replication.core.runs import make_record, read_table, write_table
from replication.core.store import Store
from replication.training.trainer import Epoch

CPU = torch.device("cpu")
HASHES = {"train": "t", "validation": "v", "order": "o"}


@pytest.fixture(autouse=True)
def _no_data(monkeypatch):
    monkeypatch.setattr(sweep, "_verified", lambda runs, _: {run["dataset"]: HASHES for run in runs})


TRAINER = "replication.autoencoder.training.train"


def test_the_minutes_end_a_sweep_and_the_table_holds_its_own_runs(make_run, tmp_path, monkeypatch):
    left = []

    def late(stacks, trainer, workers, deadline):  # noqa: ARG001
        left.append(deadline - 5000.0)
        raise OutOfTime
        yield

    monkeypatch.setattr(executors, "local_workers", late)
    monkeypatch.setattr(time, "monotonic", lambda: 5000.0)
    monkeypatch.setattr(sweep, "_stacks", lambda runs, *_: [[run] for run in runs])
    runs = [make_run(replicate=k) for k in range(3)]
    table, store = tmp_path / "t.jsonl", Store(tmp_path / "store")
    write_table(table, [make_record(runs[0], {}, {}, 1, {})])
    store.put(make_record(make_run(width=9), {}, {}, 1, {}))  # of another grid
    outcome = sweep.sweep(runs, table, store, trainer=TRAINER, device=CPU, minutes=2)
    assert left == [120]
    assert (outcome.trained, outcome.missing, outcome.interrupted) == (0, 2, False)
    assert str(outcome) == "3 runs: 1 known already, 0 trained now, 2 still missing"
    assert [record["key"] for record in read_table(table)] == [runs[0].key]


def test_replicate_by_replicate_and_long_trainings_first(make_run, monkeypatch):
    monkeypatch.setattr(sweep.datasets, "load", lambda _: None)
    runs = [make_run(lambda_, width=width, replicate=k) for width in (5, 9) for lambda_ in (1.0, 0.0) for k in (1, 0)]

    def order():
        return [[(r["replicate"], r["width"], r["lambda"]) for r in stack] for stack in sweep._stacks(runs, train, CPU)]

    expected = [(0, 9), (0, 9), (0, 5), (0, 5), (1, 9), (1, 9), (1, 5), (1, 5)]
    assert [stack[0][:2] for stack in order()] == expected
    monkeypatch.setattr(train, "stack_size", lambda *_: 2)
    assert order()[0] == [(0, 9, 0.0), (0, 9, 1.0)]  # a pair side by side


def test_only_what_is_missing_is_trained_and_kept(make_run, tmp_path, monkeypatch):
    trained = []

    def quick(stacks, trainer, workers, deadline):  # noqa: ARG001
        assert trainer == TRAINER
        for [run] in stacks:
            trained.append(run)
            yield Epoch(1, 0, "", [make_record(run, {"stopping_epoch": 1}, {}, 1, {})])

    monkeypatch.setattr(executors, "local_workers", quick)
    monkeypatch.setattr(sweep, "_stacks", lambda runs, *_: [[run] for run in runs])
    runs = [make_run(replicate=k) for k in range(4)]
    table, store = tmp_path / "t.jsonl", Store(tmp_path / "store")
    write_table(table, [make_record(runs[0], {}, {}, 1, {})])
    store.put(make_record(runs[1], {}, {}, 1, {}))
    outcome = sweep.sweep(runs, table, store, trainer=TRAINER, device=CPU, only={"replicate": {0, 1, 2}})
    assert trained == [runs[2]]
    assert (outcome.trained, outcome.missing, outcome.interrupted) == (1, 1, False)
    keys = {run.key for run in runs[:3]}
    assert store.keys() == {record["key"] for record in read_table(table)} == keys
    assert sweep.sweep(runs, table, store, trainer=TRAINER, device=CPU).trained == 1 and trained == [runs[2], runs[3]]


def test_a_refused_record_is_trained_again_and_the_table_wins_over_the_store(make_run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sweep, "_stacks", lambda runs, *_: [[run] for run in runs])
    monkeypatch.setattr(executors, "local_workers", lambda stacks, *_: iter([finished(*run) for run in stacks]))
    runs = [make_run(replicate=k) for k in range(3)]
    table, store = tmp_path / "t.jsonl", Store(tmp_path / "store")
    committed = make_record(runs[0], {"mse": 1.0}, {}, 1, {})
    write_table(table, [committed])
    store.put(make_record(runs[0], {"mse": 2.0}, {}, 1, {}))
    store.put(sealed(make_record(runs[1], {"mse": 1.0}, {}, 1, {})))
    path = store.path(runs[1].key)
    path.write_text(path.read_text().replace("1.0", "1.5", 1))
    damaged = path.read_text()
    outcome = sweep.sweep(runs, table, store, trainer=TRAINER, device=CPU)
    assert str(outcome) == "3 runs: 1 known already, 2 trained now"
    assert f"refused: {path}: its content was changed" in capsys.readouterr().err
    assert path.with_name(f"{path.name}.refused").read_text() == damaged
    read = {record["key"]: record for record in read_table(table)}
    assert read[runs[0].key] == committed and "digest" in read[runs[1].key] and len(read) == 3
    assert read[runs[2].key]["data"] == HASHES and "data" not in committed


def finished(run):
    return Epoch(1, 0, "", [make_record(run, {"mse": 1.0}, {}, 1, {})])


def test_what_another_sweep_trains_is_waited_for_and_trained_if_it_gives_up(make_run, tmp_path, monkeypatch, capsys):
    """Of three runs another sweep has claimed two: it finishes the one, and gives up the other one."""
    runs = [make_run(replicate=k) for k in range(3)]
    table, store = tmp_path / "t.jsonl", Store(tmp_path / "store")
    trained = []

    def train_one_by_one(stacks, *_):
        for stack in stacks:
            trained.extend(stack)
            yield Epoch(1, 1, "", [sealed(make_record(run, {}, {}, 1, {})) for run in stack])

    def meanwhile(_):
        theirs.release(runs[1].key)
        store.put(make_record(runs[0], {}, {}, 1, {}))
        theirs.release(runs[0].key)

    monkeypatch.setattr(executors, "local_workers", train_one_by_one)
    monkeypatch.setattr(sweep, "_stacks", lambda runs, *_: [[run] for run in runs])
    monkeypatch.setattr(sweep.time, "sleep", meanwhile)
    with Claims(store) as theirs:
        theirs.take(runs[:2])
        outcome = sweep.sweep(runs, table, store, trainer=TRAINER, device=CPU)
    assert trained == [runs[2], runs[1]]
    assert str(outcome) == "3 runs: 1 known already, 2 trained now" and len(read_table(table)) == 3
    assert "another sweep trains 2 of these runs: waiting for it" in capsys.readouterr().err


def test_a_long_epoch_ends_with_the_minutes(make_run, tmp_path, monkeypatch):
    def long_epoch(*_):
        time.sleep(60)
        yield

    monkeypatch.setattr(executors, "in_process", long_epoch)
    monkeypatch.setattr(train, "one_thread", lambda _: False)
    monkeypatch.setattr(sweep, "_stacks", lambda runs, *_: [[run] for run in runs])
    began = time.monotonic()
    before = signal.getsignal(signal.SIGALRM)
    outcome = sweep.sweep(
        [make_run()], tmp_path / "t.jsonl", Store(tmp_path / "store"), trainer=TRAINER, device=CPU, minutes=0.005
    )
    assert time.monotonic() - began < 30 and outcome.missing == 1 and not outcome.interrupted
    assert signal.getsignal(signal.SIGALRM) is before
