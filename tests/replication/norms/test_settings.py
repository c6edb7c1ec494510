"""What params.yaml says of guidance before a norm, and mistakes in it."""

import dataclasses

import pytest

from replication.core.errors import UserError
from replication.core.paths import PARAMS
from replication.core.settings import load
from replication.norms.grid import grid
from replication.norms.settings import read

FAMILY = "norms-cifar10"


def demo(changes=None, **others):
    parameters = load("demo", PARAMS)
    of_scale = parameters.of_scale | {FAMILY: parameters.of_scale[FAMILY] | (changes or {})}
    return dataclasses.replace(parameters, of_scale=of_scale, **others)


def test_a_lambda_of_the_users_own_takes_the_place_of_the_guided_ones():
    settings = read(demo(lambda_override=(0.0, 0.5)), FAMILY)
    assert {run["lambda"] for run in grid(settings)} == {0.0, 0.5}
    assert [run["form"] for run in grid(settings)[:4]] == ["none", "log", "scale", "rate"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 0}, "demo.norms-cifar10.width"),
        ({"lambdas": []}, "demo.norms-cifar10.lambdas"),
        ({"dataset": "drawings"}, "demo.norms-cifar10.dataset: drawings has images with a mask each"),
        ({"arms": {}}, "unknown parameter arms"),
    ],
)
def test_mistakes(changes, message):
    with pytest.raises(UserError, match=message):
        read(demo(changes), FAMILY)
