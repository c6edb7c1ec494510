"""The grid of the autoencoders that tell what the penalty touches."""

import dataclasses
from pathlib import Path

import pytest

from replication.autoencoder.inputs import canonical
from replication.core.errors import UserError
from replication.core.family import find
from replication.core.runs import read_table
from replication.core.settings import load
from replication.inputs import grid as inputs
from replication.inputs.settings import read

PARAMS = Path(__file__).parents[3] / "params.yaml"
FAMILY = "inputs-mnist"
GRID = {"dataset": "mnist", "batch_size": 512, "max_epochs": 40, "replicates": 2}


def settings_of(scale="paper", family=FAMILY, lambda_override=None, **arms):
    """Those of params.yaml, or with other arms."""
    loaded = dataclasses.replace(load(scale, PARAMS), lambda_override=lambda_override)
    if arms:
        loaded = dataclasses.replace(loaded, of_scale={**loaded.of_scale, family: GRID | {"arms": arms}})
    return read(loaded, family)


def test_the_papers_inputs_and_rates_are_not_said():
    plain = {"widths": [60], "lambdas": [0.0, 0.01]}
    settings = settings_of(plain=plain, said=plain | {"inputs": "leading", "rate_factor": 1.0, "form": "log"})
    runs = inputs.arms(settings)
    assert runs["plain"] == runs["said"] and len(inputs.grid(settings)) == 4
    assert not any({"inputs", "rate_factor", "weight_factor"} & run.settings.keys() for run in runs["plain"])


def test_all_arms_of_a_width_and_replicate_start_alike_and_unguided_ones_have_no_inputs():
    runs = [run for run in inputs.grid(settings_of()) if (run["width"], run["replicate"]) == (60, 3)]
    assert len(runs) > 15 and len({run.seed(purpose) for run in runs for purpose in ("weights", "order")}) == 2
    assert all("inputs" not in run.settings and run["form"] == "none" for run in runs if run["lambda"] == 0)
    assert {run["patience"] for run in runs} == {run["max_epochs"] for run in runs} == {40}


def test_a_runs_key_is_that_of_the_committed_records():
    """The first run that was trained of each kind of arm."""
    by_key = {run.key: run for run in inputs.grid(settings_of())}
    records = read_table(PARAMS.parent / "data/runs/paper" / f"{FAMILY}.jsonl")
    assert records and all(by_key[record["key"]].settings == record["run"] for record in records)


def test_listed_inputs_become_one_text():
    settings = settings_of(mine={"widths": [3], "lambdas": [0.0, 1.0], "inputs": [9, 0, 4]})
    assert {run.settings.get("inputs") for run in inputs.grid(settings)} == {None, "0,4,9"}


def test_an_override_of_lambda_leaves_out_others():
    assert {run["lambda"] for run in inputs.grid(settings_of(lambda_override=(0.0, 0.01)))} == {0.0, 0.01}


def test_a_scale_may_do_without():
    assert settings_of("demo", "inputs-cifar10") is None
    assert find(load("demo", PARAMS), "inputs-cifar10").grid == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inputs": [1, 1, 2]}, "arms.mine.inputs: input 1 is listed twice"),
        ({"inputs": [1, 2]}, "2 inputs are listed for width 3: list as many as the width"),
        ({"inputs": "brightest"}, "choose one of leading, most-variable, dead-only, rarest"),
        ({"inputs": 5}, "arms.mine.inputs: got 5: choose one of leading"),
        ({"inputs": None}, "arms.mine.inputs: got None: choose one of leading"),
        ({"inputs": "rarest", "form": "exact"}, "the exact form acts on all inputs"),
        ({"form": "reciprocal"}, "got 'reciprocal', choose one of exact, log, scale"),
        ({"rate_factor": 0.0}, "expected a positive number, got 0.0"),
        ({"weight_factor": -1}, "expected a positive number, got -1"),
        ({"breadth": 1}, "unknown parameter breadth"),
    ],
)
def test_mistakes_get_one_clear_message(changes, message):
    with pytest.raises(UserError, match=f"params.yaml, .*{message}"):
        settings_of(mine={"widths": [3], "lambdas": [1.0]} | changes)


@pytest.mark.parametrize(
    ("said", "expected"),
    [("leading", "leading"), ("rarest", "rarest"), ([9, 2, 30], "2,9,30"), ("9,2", "2,9"), ([0], "0")],
)
def test_one_text_for_the_same_inputs(said, expected):
    assert canonical(said) == expected


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("brightest", "got 'brightest': choose one of leading, most-variable, dead-only, rarest, or list"),
        ([3, 1, 3], "input 3 is listed twice"),
        ("3,1,3", "input 3 is listed twice"),
        ([1, -2], "or list the numbers"),
        ([1, True], "or list the numbers"),
        ([1.5], "or list the numbers"),
        ([], "or list the numbers"),
    ],
)
def test_what_is_no_list_of_inputs(said, message):
    with pytest.raises(ValueError, match=message):
        canonical(said)
