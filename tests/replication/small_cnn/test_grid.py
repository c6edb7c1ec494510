"""The grids of both families."""

import pytest
from msgspec.structs import replace
from small_cnn_runs import ROOT, with_grid

from replication.core.settings import load
from replication.small_cnn import grid
from replication.small_cnn.settings import CIFAR10, MNIST, read


def demo(family):
    return read(load("demo", ROOT / "params.yaml"), family)


def test_the_paper_scale_is_the_papers_grid(settings, mnist):
    for chosen in (settings.grid, mnist.grid):
        assert (chosen.blocks, chosen.widths, chosen.replicates) == ((1, 2, 3), (32, 64, 128), 10)
        assert chosen.lambdas == (0, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10)
    runs = grid.grid(mnist)
    # 9 baselines and 9 x 6 first-layer cells, 6 x 6 all-layer cells (one block: the first layer is all), 10 each
    assert len(runs) == 90 + 540 + 360
    # replicates 10 to 29 of the smallest, its variants, those with ten replicates, and weaker guidance
    extra = 20 * 7 + 4 * 3 * 30 + 2 * 3 * 10 + 2 * 10
    assert len(grid.grid(settings)) == len(runs) + extra


def test_paired_runs_share_seeds_and_baselines(settings):
    runs = [r for r in grid.grid(settings) if (r["blocks"], r["width"], r["replicate"]) == (1, 32, 0)]
    assert len({run.seed("weights") for run in runs}) == len({run.seed("order") for run in runs}) == 1
    assert [run["lambda"] for run in runs].count(0) == 1
    assert {(r["form"], r["anchor"]) for r in runs} == {
        *(("none", "none"), ("reciprocal", "corner"), ("reciprocal", "center")),
        *(("reciprocal", "random"), ("decay", "none"), ("exact", "none"), ("log", "corner")),
    }


def test_a_given_lambda_trains_nothing_weaker(settings):
    given = replace(settings, lambda_override=(0.0, 0.01))
    assert grid.weaker(given) == []
    assert {run["lambda"] for run in grid.grid(given)} == {0.0, 0.01}


@pytest.mark.parametrize("family", [CIFAR10, MNIST])
def test_a_form_without_epsilon_has_the_same_runs_whatever_epsilon_is(family):
    plain = with_grid(demo(family), variants=None)
    unguided = {run.key for run in grid.grid(plain) if run["lambda"] == 0}
    for form in ("log", "reciprocal"):
        formed = replace(plain, training=replace(plain.training, form=form))
        other = replace(plain, training=replace(plain.training, form=form, epsilon=0.25))
        ours, others = ({run.key for run in grid.grid(settings)} for settings in (formed, other))
        assert others >= unguided and len(others) == len(ours)
        assert (ours == others) if form == "log" else (ours & others == unguided)


@pytest.mark.parametrize("family", [CIFAR10, MNIST])
def test_no_run_is_in_a_grid_twice(family):
    keys = [run.key for run in grid.grid(demo(family))]
    assert len(set(keys)) == len(keys)
