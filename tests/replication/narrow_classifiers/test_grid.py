"""The narrow classifiers' runs: complete, paired, and none of Table 2's."""

import pandas as pd
import pytest
import torch
from msgspec.structs import replace

from replication import imagenette, narrow_classifiers
from replication.core import paths
from replication.core.family import find, parts_of, room
from replication.core.settings import load
from replication.imagenette.rows import pre_skip
from replication.imagenette.training import task
from replication.narrow_classifiers import grid
from replication.narrow_classifiers.settings import read
from replication.training.stopping import EarlyStopping

FAMILY = "classifiers-imagenette-64"
REAL = ("vgg16-imagenette", "resnet50-imagenette")


@pytest.fixture(scope="module")
def settings():
    return read(load("paper", paths.PARAMS), FAMILY)


@pytest.fixture(scope="module")
def runs(settings):
    return grid.grid(settings)


def test_it_has_thirty_runs_with_all_lambda_of_a_seed_together(runs):
    assert len(runs) == len(set(runs)) == 30
    first = [(run["replicate"], run["network"], run["lambda"]) for run in runs[:7]]
    small, large = "resnet50", "vgg16"
    assert first == [(0, network, lambda_) for network in (small, large) for lambda_ in (0.0, 0.001, 1.0)] + [
        (1, small, 0.0)
    ]
    same = {"dataset": "imagenette-keras-v1-64", "divisor": 4, "training": "plain", "max_epochs": 25}
    assert all(run[name] == value for run in runs for name, value in same.items())


def test_keys_and_seeds_stay(runs):
    """Records are found by them."""
    keys = {(run["network"], run["lambda"]): run.key for run in runs if run["replicate"] == 0}
    assert keys == {
        ("resnet50", 0.0): "1444b33f2d026cb8",
        ("resnet50", 0.001): "539c4f1d0b88247a",
        ("resnet50", 1.0): "77e944d3b3353bdd",
        ("vgg16", 0.0): "fb451ca82f5fee7a",
        ("vgg16", 0.001): "0115d06a34821639",
        ("vgg16", 1.0): "87000d0d2c0232ec",
    }


@pytest.mark.parametrize("purpose", ["weights", "order"])
def test_runs_of_a_network_and_seed_start_alike(runs, purpose):
    seeds = {}
    for run in runs:
        seeds.setdefault((run["network"], run["replicate"]), set()).add(run.seed(purpose))
    assert all(len(found) == 1 for found in seeds.values())
    assert len(set.union(*seeds.values())) == 10


def test_each_network_guides_its_row(runs):
    guided = {(run["network"], run["row"], run["layers"]) for run in runs if run["lambda"]}
    assert guided == {("vgg16", "1", "1"), ("resnet50", "pre-skip", "-".join(map(str, pre_skip())))}
    assert {run["layers"] for run in runs if run["lambda"] == 0} == {"none"}


def test_nothing_stops_a_training_and_its_rate_stays(runs):
    """Though accuracy falls from the first epoch on."""
    run = runs[0]
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=run["learning_rate"])
    schedule, stopping = task.schedule(optimizer, run), EarlyStopping(run["patience"], run["min_delta"])
    for epoch in range(run["max_epochs"]):
        schedule.step(0.1 + epoch)
        assert not stopping.should_stop(0.1 + epoch)
        assert optimizer.param_groups[0]["lr"] == run["learning_rate"]
    schedule.step(99)
    assert optimizer.param_groups[0]["lr"] < run["learning_rate"]  # an epoch more, and the schedule would act


def test_a_lambda_of_the_users_own_takes_the_place_of_the_grids():
    own = replace(read(load("paper", paths.PARAMS), FAMILY), lambda_override=(0.0, 0.5))
    assert {run["lambda"] for run in grid.grid(own)} == {0.0, 0.5} and len(grid.grid(own)) == 20


def test_it_is_no_part_of_table_2():
    parameters = load("paper", paths.PARAMS)
    own, real = parts_of(parameters, "narrow_classifiers"), parts_of(parameters, "imagenette")
    assert [part.name for part in own] == [FAMILY] and not room("narrow_classifiers").verdicts({})
    assert [part.name for part in real] == [*REAL, "table2"]
    assert not any(FAMILY in str(path) for part in real for path in part.inputs)
    stages = [stage.name for stage in room("imagenette").stages(parameters)]
    assert stages == [f"layers-{name}" for name in REAL]


def test_a_frame_has_the_mean_of_the_last_five_epochs(runs):
    accuracies = [0.9, 0.1, 0.2, 0.3, 0.4, 0.5]
    record = {
        "run": runs[0].settings,
        "metrics": {"best_accuracy": 0.9},
        "history": {"accuracy": accuracies},
        "seconds": 1.0,
        "key": runs[0].key,
    }
    table = grid.frame([record])
    assert table["last_accuracy"].tolist() == [pytest.approx(0.3)] and table["best_accuracy"].tolist() == [0.9]
    assert isinstance(grid.frame([]), pd.DataFrame) and "last_accuracy" in grid.frame([])


def test_records_are_measured_as_table_2s():
    """By one trainer."""
    assert set(narrow_classifiers.METRICS) == set(imagenette.METRICS)
    assert set(narrow_classifiers.HISTORIES) == set(imagenette.HISTORIES)


def test_the_demo_has_no_run_of_it():
    family = find(load("demo"), FAMILY)
    assert family.grid == [] and family.planned == 0 and family.dataset is None
