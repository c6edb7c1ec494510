"""Grids of all families."""

import dataclasses
from pathlib import Path

import pytest

from replication.core import settings as settings_module
from replication.core.families import grid, planned

PARAMS = Path(__file__).parents[3] / "params.yaml"


@pytest.fixture
def settings():
    return settings_module.load("demo", PARAMS)


WITH_EPSILON = [name for name in settings_module.FAMILIES if name not in ("unet-coco-sample", *settings_module.INPUTS)]


def other_epsilon(settings, form):
    """Settings with a form and another epsilon, and no variants."""
    own = dataclasses.replace(settings, variants={}, cnn_grids=without_variants(settings))
    changed = {
        name: dataclasses.replace(getattr(own, name), form=form, epsilon=0.25)
        for name in ("autoencoder", "cnn", "unet", "classifiers")
    }
    formed = {name: dataclasses.replace(getattr(own, name), form=form) for name in changed}
    return dataclasses.replace(own, **formed), dataclasses.replace(own, **changed)


def without_variants(settings):
    return {name: dataclasses.replace(grid, variants=None) for name, grid in settings.cnn_grids.items()}


@pytest.mark.parametrize("family", WITH_EPSILON)
def test_a_form_without_epsilon_has_the_same_runs_whatever_epsilon_is(settings, family):
    for form in ("log", "reciprocal"):
        ours, others = ({run.key for run in grid(s, family)} for s in other_epsilon(settings, form))
        plain = dataclasses.replace(settings, variants={}, cnn_grids=without_variants(settings))
        unguided = {run.key for run in grid(plain, family) if run["lambda"] == 0}
        assert others >= unguided and len(others) == len(ours)
        assert (ours == others) if form == "log" else (ours & others == unguided)


@pytest.mark.parametrize("family", settings_module.FAMILIES)
def test_no_run_is_in_a_grid_twice(settings, family):
    keys = [run.key for run in grid(settings, family)]
    assert len(set(keys)) == len(keys) <= planned(settings, family)
    if family in settings_module.CLASSIFIERS:  # a row named twice is one row
        chosen = settings.classifier_grids[family]
        twice = dataclasses.replace(chosen, rows=chosen.rows * 2)
        doubled = dataclasses.replace(settings, classifier_grids=settings.classifier_grids | {family: twice})
        assert {run.key for run in grid(doubled, family)} == set(keys) and len(grid(doubled, family)) == len(keys)
        assert planned(doubled, family) == planned(settings, family)
