"""The grid of the autoencoders that tell what the penalty touches."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from replication.core.errors import UserError
from replication.core.family import find
from replication.core.runs import read_table
from replication.core.settings import load
from replication.inputs import grid
from replication.inputs.settings import InputsSettings, read, read_grid

PARAMS = Path(__file__).parents[3] / "params.yaml"
FAMILY = "inputs-mnist"
GRID = {"dataset": "mnist", "batch_size": 512, "max_epochs": 40, "replicates": 2}


def paper() -> InputsSettings:
    settings = read(load("paper", PARAMS), FAMILY)
    assert settings is not None
    return settings


def settings_with(**arms):
    return replace(paper(), grid=read_grid(GRID | {"arms": arms}, "scales.paper"))


def test_the_papers_inputs_and_rates_are_not_said():
    plain = {"widths": [60], "lambdas": [0.0, 0.01]}
    settings = settings_with(plain=plain, said=plain | {"inputs": "leading", "rate_factor": 1.0, "form": "log"})
    runs = grid.arms(settings)
    assert runs["plain"] == runs["said"] and len(grid.grid(settings)) == 4
    assert not any({"inputs", "rate_factor", "weight_factor"} & run.settings.keys() for run in runs["plain"])


def test_all_arms_of_a_width_and_replicate_start_alike_and_unguided_ones_have_no_inputs():
    settings = paper()
    runs = [run for run in grid.grid(settings) if (run["width"], run["replicate"]) == (60, 3)]
    assert len(runs) > 15 and len({run.seed(purpose) for run in runs for purpose in ("weights", "order")}) == 2
    assert all("inputs" not in run.settings and run["form"] == "none" for run in runs if run["lambda"] == 0)
    assert {run["patience"] for run in runs} == {run["max_epochs"] for run in runs} == {40}


def test_committed_records_are_runs_of_the_grid():
    by_key = {run.key: run for run in grid.grid(paper())}
    records = read_table(PARAMS.parent / f"data/runs/paper/{FAMILY}.jsonl")
    assert records and all(by_key[record["key"]].settings == record["run"] for record in records)


def test_listed_inputs_become_one_text():
    settings = settings_with(mine={"widths": [3], "lambdas": [0.0, 1.0], "inputs": [9, 0, 4]})
    assert {run.settings.get("inputs") for run in grid.grid(settings)} == {None, "0,4,9"}


def test_an_override_of_lambda_leaves_out_others():
    settings = replace(paper(), lambda_override=(0.0, 0.01))
    assert {run["lambda"] for run in grid.grid(settings)} == {0.0, 0.01}


def test_a_scale_may_do_without():
    family = find(load("demo", PARAMS), "inputs-cifar10")
    assert (family.settings, family.dataset, family.grid, family.planned) == (None, None, [], 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inputs": [1, 1, 2]}, "arms.mine.inputs: input 1 is listed twice"),
        ({"inputs": [1, 2]}, "2 inputs are listed for width 3: list as many as the width"),
        ({"inputs": "brightest"}, "choose one of leading, most-variable, dead-only, rarest"),
        ({"inputs": 5}, "arms.mine.inputs: got 5: choose one of leading"),
        ({"inputs": None}, "arms.mine.inputs: got None: choose one of leading"),
        ({"inputs": "rarest", "form": "exact"}, "the exact form acts on all inputs"),
        ({"form": "reciprocal"}, "got 'reciprocal', choose one of log, exact, scale"),
        ({"rate_factor": 0.0}, "arms.mine.rate_factor: expected a positive number, got 0.0"),
        ({"weight_factor": -1}, "arms.mine.weight_factor: expected a positive number, got -1"),
        ({"breadth": 1}, "unknown parameter breadth"),
    ],
)
def test_mistakes_get_one_clear_message(changes, message):
    with pytest.raises(UserError, match=f"params.yaml, .*{message}"):
        settings_with(mine={"widths": [3], "lambdas": [1.0]} | changes)
