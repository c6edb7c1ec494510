"""Table 2's grid: its runs, their seeds and keys, and the runs that wait for their layers."""

import pandas as pd
import pytest
import torch
from msgspec.structs import replace
from torchvision.models import resnet50

from entropy_guidance import selection
from replication.core import paths
from replication.core.settings import load
from replication.imagenette import grid
from replication.imagenette.rows import Chosen
from replication.imagenette.settings import read

FAMILIES = ("vgg16-imagenette", "resnet50-imagenette")
PUBLISHED = pd.read_csv(paths.PUBLISHED / "table2.csv")
PARAMS = paths.PARAMS.absolute()


@pytest.fixture
def paper(tmp_path, monkeypatch):
    """The paper's settings by family, in an empty folder: nothing is recorded."""
    monkeypatch.chdir(tmp_path)
    parameters = load("paper", PARAMS)
    return {family: read(parameters, family) for family in FAMILIES}


def recorded(settings, numbers=(1, 4), basis=None):
    """The settings when the step `layers` has found the empirical layers."""
    basis = basis or grid.first_unguided(settings).key
    return replace(settings, recorded={"empirical": Chosen(numbers=numbers, source="a test", basis=basis)})


def test_the_grid_is_table_2(paper):
    assert [grid.planned(settings) for settings in paper.values()] == [42, 84]
    runs = [run for settings in paper.values() for run in grid.grid(recorded(settings))]
    assert len({run.key for run in runs}) == 126
    cells = {(run["network"], run["training"], run["row"], run["lambda"]) for run in runs}
    assert cells == {(r.model, r.training, r.guided_layers, r.lambda_inferred) for r in PUBLISHED.itertuples()}
    assert {run["dataset"] for run in runs} == {"imagenette-keras-v1"} and {run["divisor"] for run in runs} == {1}


def test_the_runs_of_a_row_start_alike_and_rows_do_not(paper):
    runs = grid.grid(paper["vgg16-imagenette"])
    for purpose in ("weights", "order", "augmentation", "dropout"):
        seeds = {}
        for run in runs:
            seeds.setdefault((run["training"], run["row"]), set()).add(run.seed(purpose))
        assert all(len(found) == 1 for found in seeds.values())
        assert len(set.union(*seeds.values())) == 6
    baselines = [run for run in runs if run["lambda"] == 0]
    assert len(baselines) == 6 and {run["layers"] for run in baselines} == {"none"}


def test_rows_name_the_layers_that_their_runs_guide(paper):
    with torch.device("meta"):
        model = resnet50()
    layers = {run["row"]: run["layers"] for run in grid.grid(paper["resnet50-imagenette"]) if run["lambda"] == 1}
    numbers = [int(number) for number in layers["pre-skip"].split("-")]
    pre_skip = selection.by_role(model, "pre-skip", torch.empty(1, 3, 224, 224))
    assert selection.by_order(model, numbers) == pre_skip
    assert layers["1"] == "1" and layers["1+5"] == "1-5"


def test_guided_runs_of_a_row_whose_layers_are_not_known_wait(paper):
    settings = paper["resnet50-imagenette"]
    before = grid.grid(settings)
    assert len(before) == 84 - 3 * 6 and {r["lambda"] for r in before if r["row"] == "empirical"} == {0}
    first = grid.first_unguided(settings)
    assert first in before and (first["training"], first["row"]) == ("plain", "1")
    after = grid.grid(recorded(settings))
    assert len(after) == 84 and set(before) < set(after)
    assert {r["layers"] for r in after if r["row"] == "empirical" and r["lambda"]} == {"1-4"}
    unknown = recorded(settings, numbers=None)
    assert grid.grid(unknown) == before and grid.planned(unknown) == 84
    assert grid.guided_layers(unknown, "empirical").source == "a test"  # why they are not known


def test_recorded_layers_count_for_the_settings_that_they_were_found_with(paper):
    settings = paper["resnet50-imagenette"]
    assert grid.guided_layers(recorded(settings, basis="imagenet"), "empirical").numbers == (1, 4)
    assert grid.guided_layers(recorded(settings, basis="torchvision"), "empirical").numbers is None
    with_run = recorded(settings)
    guided_otherwise = replace(with_run, training=replace(settings.training, epsilon=0.5))
    assert grid.guided_layers(guided_otherwise, "empirical").numbers == (1, 4)  # the unguided run is the same
    slower = replace(with_run, training=replace(settings.training, learning_rate=0.001))
    found = grid.guided_layers(slower, "empirical")
    assert found.numbers is None and "`python -m replication layers` makes it anew" in found.source
    assert len(grid.grid(slower)) == 84 - 3 * 6


def test_only_empirical_layers_are_taken_from_the_record(paper):
    settings = paper["resnet50-imagenette"]
    wrong = replace(settings, recorded={"1": Chosen(numbers=(7,), source="a test")})
    assert grid.guided_layers(wrong, "1").numbers == (1,)


def test_no_run_is_in_a_grid_twice(paper):
    for settings in map(recorded, paper.values()):
        keys = [run.key for run in grid.grid(settings)]
        assert len(set(keys)) == len(keys) == grid.planned(settings)
        twice = replace(settings, grid=replace(settings.grid, rows=settings.grid.rows * 2))  # is one row
        assert [run.key for run in grid.grid(twice)] == keys and grid.planned(twice) == len(keys)


@pytest.mark.parametrize("changes", [{"form": "log"}, {"epsilon": 0.5}, {"reduction": "sum"}])
def test_unguided_runs_do_not_depend_on_the_guidance(paper, changes):
    settings = paper["vgg16-imagenette"]
    assert all(getattr(settings.training, name) != value for name, value in changes.items())
    other = replace(settings, training=replace(settings.training, **changes))

    def key(chosen, lambda_):
        return grid.make_run(chosen, training="plain", row="1", lambda_=lambda_).key

    assert key(settings, 0.0) == key(other, 0.0) and key(settings, 1.0) != key(other, 1.0)


def test_a_form_without_epsilon_has_the_same_runs_whatever_epsilon_is(paper):
    settings = paper["vgg16-imagenette"]

    def keys(**changes):
        return {run.key for run in grid.grid(replace(settings, training=replace(settings.training, **changes)))}

    assert keys(form="log") == keys(form="log", epsilon=0.25)
    unguided = {run.key for run in grid.grid(settings) if run["lambda"] == 0}
    assert keys() & keys(epsilon=0.25) == unguided
