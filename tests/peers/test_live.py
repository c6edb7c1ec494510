"""Curves through the real DVCLive, as DVC and TensorBoard read them while a sweep trains."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from replication import data as datasets
from replication.core import live
from replication.core.live import Curves, name_of
from replication.core.run import Run
from replication.core.runs import read_table
from replication.core.store import Store
from replication.core.sweep import sweep
from replication.training.trainer import Epoch

pytest.importorskip("dvclive", reason="dvclive is not installed: make test-peers")
accumulator = pytest.importorskip(
    "tensorboard.backend.event_processing.event_accumulator", reason="tensorboard is not installed: make test-peers"
)

TRAINER = "replication.autoencoder.training.train"
SAID = {"lambda": 0.01, "form": "reciprocal", "width": 20, "monitor": "total"}


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """With DVC, and this project's rule of what git ignores."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    ignored = (Path(__file__).parents[2] / ".gitignore").read_text()
    (tmp_path / ".gitignore").write_text(ignored)
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    who = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org"]
    for command in (
        ["git", "init", "-q"],
        [sys.executable, "-m", "dvc", "init", "-q"],
        ["git", "add", "-A"],
        ["git", *who, "commit", "-qm", "as it was"],
    ):
        subprocess.run(command, check=True)
    return tmp_path


def runs(number, **changes):
    settings = {
        **{"dataset": "digits", "epsilon": 1e-7, "precision": "float32", "output_activation": "sigmoid"},
        **{"batch_size": 64, "learning_rate": 0.001, "patience": 99, "min_delta": 0.0, "max_epochs": 4},
        **SAID,
    } | changes
    return [Run("autoencoder-test", {**settings, "replicate": replicate}) for replicate in range(number)]


def curve(folder, run, name):
    """Steps and values of one metric, as text in a file."""
    path = folder / name_of(run) / live.METRICS / f"{name}.tsv"
    rows = list(csv.DictReader(path.read_text().splitlines(), delimiter="\t"))
    return [int(row["step"]) for row in rows], [float(row[name]) for row in rows]


def drawn():
    """By plot, what DVC draws: (run's folder, where there are several, step, value)."""
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "plots", "show", "--json"], check=True, capture_output=True, text=True
    )
    found = {}
    for name, plots in json.loads(done.stdout)["data"].items():
        [plot] = plots
        points = plot["content"]["data"]["values"]
        found[name] = [(p.get("filename", "").partition("/")[0], int(p["step"]), float(p[name])) for p in points]
    return found


def test_a_sweep_can_be_watched(repository):
    datasets.load("digits")
    two, folder = runs(2), repository / "live" / "autoencoder-test"
    options = {"trainer": TRAINER, "device": torch.device("cpu"), "workers": 2}
    sweep(two, repository / "table.jsonl", Store(repository / ".runs"), live=folder, **options)
    records = {record["key"]: record for record in read_table(repository / "table.jsonl")}
    plots = drawn()
    assert plots.keys() == {"train_mse", "validation_mse", "entropy_change"}
    for run in two:
        history = records[run.key]["history"]
        for name, values in history.items():
            assert curve(folder, run, name) == ([1, 2, 3, 4], pytest.approx(values, rel=1e-6))
        expected = [(name_of(run), step, pytest.approx(v)) for step, v in enumerate(history["validation_mse"], 1)]
        assert [point for point in plots["validation_mse"] if point[0] == name_of(run)] == expected
        events = accumulator.EventAccumulator(str(folder / name_of(run)))
        events.Reload()
        assert set(events.Tags()["scalars"]) == history.keys()
        seen = [(event.step, event.value) for event in events.Scalars("validation_mse")]
        assert seen == [(step, pytest.approx(v)) for step, v in enumerate(history["validation_mse"], 1)]
    status = subprocess.run(["git", "status", "--short", "-uall", "live"], check=True, capture_output=True, text=True)
    assert status.stdout.split() == ["??", "live/autoencoder-test/dvc.yaml"]


def test_curves_grow_and_go_on_after_a_kill(repository):
    """What is there can be read after each epoch; an epoch that is trained again is not there twice."""
    [run], folder = runs(1), repository / "live" / "autoencoder-test"
    with Curves(folder, [run]) as curves:
        for number in (1, 2, 3):
            curves.add(Epoch(number, 1, "", [], {run.key: {"mse": 1 / number, "accuracy": float("nan")}}))
            assert curve(folder, run, "mse")[0] == list(range(1, number + 1))
            assert len(drawn()["mse"]) == number
    with Curves(folder, [run]) as curves:  # from a checkpoint of the first epoch
        for number in (2, 3, 4):
            curves.add(Epoch(number, 1, "", [], {run.key: {"mse": 1 / number}}))
    assert curve(folder, run, "mse") == ([1, 2, 3, 4], pytest.approx([1, 1 / 2, 1 / 3, 1 / 4]))
    with Curves(folder, [run]) as curves:  # anew
        curves.add(Epoch(1, 0, "", [{"key": run.key}], {run.key: {"mse": 7.0}}))
        assert not curves.open
    assert curve(folder, run, "mse") == ([1], [7.0])
