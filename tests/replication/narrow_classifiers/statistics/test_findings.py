"""Findings of a family of narrow classifiers."""

import pytest

from replication.core.family import find
from replication.core.paths import PARAMS
from replication.core.runs import make_record
from replication.core.settings import load
from replication.narrow_classifiers.statistics import findings

FAMILY = "classifiers-imagenette-64"
METRICS = ("accuracy", "train_loss", "validation_loss", "penalty", "seconds_per_epoch", "best_epoch")


@pytest.fixture
def family():
    return find(load("paper", PARAMS), FAMILY)


def made(run, accuracy):
    metrics = dict.fromkeys(METRICS, 1.0) | {"best_accuracy": accuracy}
    return make_record(run, metrics, {"accuracy": [0.0, *[accuracy - 0.1] * 5]}, 1.0, {"data": "images", "device": "d"})


def test_tables_and_both_outcomes(family):
    own = {run: 0.5 + 0.01 * run["replicate"] + 0.001 * run["lambda"] for run in family.grid}
    family.__dict__["records"] = [made(run, accuracy) for run, accuracy in own.items()]
    found = findings.statistics(family, family.settings)
    assert set(found.tables) == {"runs", "means", "differences", "scatter"} and len(found.table("runs")) == 30
    means = found.table("means").set_index(["network", "lambda"])
    assert means.loc[("vgg16", 1.0), "mean"] == pytest.approx(0.521) and means.loc[("vgg16", 1.0), "n"] == 5
    assert means.loc[("vgg16", 1.0), "last five epochs"] == pytest.approx(0.421)
    word, evidence = found.facts["hypotheses"]["H16"]
    assert word == "supported" and evidence.endswith("by the mean of the last five epochs supported")
    (h16,) = findings.decided({FAMILY: found})
    assert (h16.name, h16.family, h16.ours.n) == ("H16", FAMILY, 10)


def test_without_a_run(family):
    family.__dict__["records"] = []
    found = findings.statistics(family, family.settings)
    assert not found.tables and found.facts["hypotheses"]["H16"] == ("undecided", "no run yet")
    assert found.metrics["planned"] == 30
