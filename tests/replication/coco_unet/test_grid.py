"""The U-Nets' grid against Table 3."""

import pandas as pd
import pytest
from msgspec.structs import replace

from replication.coco_unet import grid
from replication.coco_unet.settings import read
from replication.core import paths
from replication.core.family import find
from replication.core.settings import load

PUBLISHED = pd.read_csv(paths.PUBLISHED / "table3.csv")
LAMBDAS = (0.0, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)


@pytest.fixture
def settings():
    return read(load("paper"), "unet-coco")


def test_the_grid_is_the_papers(settings):
    runs = pd.DataFrame([run.settings for run in grid.grid(settings)])
    table3 = runs[(runs["placement"] == "3-7-11-15") & (runs["monitor"] == "total")]
    assert tuple(sorted({0.0, *table3["lambda"]})) == LAMBDAS == tuple(PUBLISHED["lambda"])
    assert set(runs["placement"]) == {"none", "2", "2-3", "3-7-11-15", "3-7-11-15-19-24-29-34-39"}
    assert len(runs) == 6 * 4 + 6 + 3  # four placements, the control, three unguided seeds
    assert set(runs["widths"]) == {"64-128-256-512-1024"} and set(runs["dataset"]) == {"coco-keras-60000-10000"}


def test_a_scale_may_do_without_the_sample():
    family = find(load("demo"), "unet-coco-sample")
    assert (family.grid, family.planned, family.settings) == ([], 0, None)


def test_no_run_is_in_a_grid_twice(settings):
    twice = replace(settings, grid=replace(settings.grid, first_placements=settings.grid.first_placements * 2))
    keys = [run.key for run in grid.grid(twice)]
    assert len(set(keys)) == len(keys) and keys == [run.key for run in grid.grid(settings)]


def test_a_form_without_epsilon_has_the_same_runs_whatever_epsilon_is(settings):
    def keys(**changes):
        return {run.key for run in grid.grid(replace(settings, training=replace(settings.training, **changes)))}

    assert keys(form="log") == keys(form="log", epsilon=0.25)
    assert keys() & keys(epsilon=0.25) == {run.key for run in grid.grid(settings) if run["lambda"] == 0}


def test_the_users_lambda_stand_in_for_the_grids(settings):
    chosen = replace(settings, lambda_override=(0.0, 0.5))
    assert {run["lambda"] for run in grid.grid(chosen)} == {0.0, 0.5}
