"""Keras's rule for Adam's epsilon: who is described by it, and hypothesis H11."""

from pathlib import Path

import pandas as pd
import pytest
from ruamel.yaml import YAML

from replication.autoencoder import grid
from replication.autoencoder.settings import read
from replication.autoencoder.statistics import optimiser
from replication.core.errors import UserError
from replication.core.settings import load


@pytest.fixture(scope="module")
def settings():
    return read(load("paper"), "autoencoder-mnist")


def runs_of(settings):
    return grid.variants(settings)[optimiser.VARIANT]


def test_runs_with_torchs_rule_do_not_say_so(settings):
    described = [run for run in grid.grid(settings) if "adam" in run.settings]
    assert {run.key for run in described} == {run.key for run in runs_of(settings)}
    assert {(run["adam"], run["lambda"]) for run in described} == {("keras", 0.0)}


def test_the_variant_has_its_own_widths_and_replicates(settings):
    runs = runs_of(settings)
    assert {run["width"] for run in runs} == {60, 100, 140, 260}
    assert {run["replicate"] for run in runs} == set(range(5)) and len(runs) == 20


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("widths", [65, 100], "variants.adam-keras.widths: 65 is not among the widths of"),
        ("replicates", 50, "variants.adam-keras.replicates: 50, but the grid of scales.paper"),
    ],
)
def test_what_the_grid_does_not_have_is_refused(tmp_path, setting, value, message):
    document = YAML(typ="safe").load(Path("params.yaml"))
    document["scales"]["paper"]["variants"]["adam-keras"][setting] = value
    YAML().dump(document, tmp_path / "params.yaml")
    with pytest.raises(UserError, match=message):
        read(load("paper", tmp_path / "params.yaml"), "autoencoder-mnist")


def test_both_rules_start_from_the_same_weights_and_batches(settings):
    for run in runs_of(settings):
        beside = grid.make_run(settings, run["width"], 0.0, run["replicate"])
        assert beside.key != run.key and "adam" not in beside.settings
        assert [beside.seed(purpose) for purpose in ("weights", "order")] == [
            run.seed(purpose) for purpose in ("weights", "order")
        ]


def records(settings, epochs):
    """Both rules' runs; epochs: width -> (torch's, Keras's) for each replicate."""
    made = []
    for run in runs_of(settings):
        beside = grid.make_run(settings, run["width"], 0.0, run["replicate"])
        for one, count in zip((beside, run), epochs(run["width"], run["replicate"]), strict=True):
            history = [1 / (epoch + 1) for epoch in range(count)]
            made.append({"key": one.key, "run": dict(one.settings), "history": {"validation_mse": history}})
    return made


def test_the_table_pairs_seeds(settings):
    table = optimiser.table(records(settings, lambda _, replicate: (30 + replicate, 30 + 2 * replicate)), settings)
    assert table["width"].tolist() == [60, 100, 140, 260] and set(table["n"]) == {5}
    assert set(table["torch"]) == {32.0} and set(table["keras"]) == {34.0} and set(table["difference"]) == {2.0}
    # differences 0 … 4: standard error sqrt(2.5 / 5); Student's t with 4 degrees of freedom at 1 - 0.05 / 2 / 2
    assert table["high"].tolist() == pytest.approx([2 + 3.4954 * 0.70711] * 4, rel=1e-4)
    assert table["torch_mse"].tolist() == pytest.approx([sum(1 / (30 + r) for r in range(5)) / 5] * 4)


@pytest.mark.parametrize(
    ("epochs", "verdict"),
    [
        (lambda _, replicate: (35 + replicate, 45 + replicate), "supported"),
        (lambda width, replicate: (35 + replicate, (45 if width == 140 else 36) + replicate), "undecided"),
        (lambda _, replicate: (30 + replicate, 30 + replicate + replicate % 2), "refuted"),
        (lambda _, replicate: (45 + replicate, 45 + replicate + replicate % 2), "refuted"),  # nothing to explain
        (lambda _, replicate: (38, 38 + 3 * (replicate % 2)), "undecided"),  # 40 lies within the interval
    ],
)
def test_verdicts(settings, epochs, verdict):
    found, evidence = optimiser.h11(optimiser.table(records(settings, epochs), settings), settings)
    assert found == verdict, evidence
    assert "n = 5" in evidence


def test_too_few_seeds_decide_nothing(settings):
    few = [
        record
        for record in records(settings, lambda _, replicate: (35 + replicate, 45 + replicate))
        if record["run"]["width"] != 260 or record["run"]["replicate"] < 4
    ]
    assert optimiser.h11(optimiser.table(few, settings), settings)[0] == "undecided"
    assert optimiser.h11(optimiser.table([], settings), settings) == ("undecided", "no pair yet")
    assert isinstance(optimiser.table([], settings), pd.DataFrame)
