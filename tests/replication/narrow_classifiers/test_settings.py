"""What params.yaml says of the narrow classifiers, and mistakes in it."""

import dataclasses

import pytest

from replication.core.errors import UserError
from replication.core.paths import PARAMS
from replication.core.settings import load
from replication.narrow_classifiers.settings import read

FAMILY = "classifiers-imagenette-64"


def paper(changes):
    parameters = load("paper", PARAMS)
    of_scale = parameters.of_scale | {FAMILY: parameters.of_scale[FAMILY] | changes}
    return dataclasses.replace(parameters, of_scale=of_scale)


def test_it_trains_as_table_2_does():
    settings = read(paper({}), FAMILY)
    assert settings.training.epsilon == 0.1 and settings.training.reduction == "mean"
    assert read(load("demo", PARAMS), FAMILY) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"divisor": 0}, "divisor"),
        ({"divisor": 65}, "divisor: 65 leaves a layer of 64 channels none"),
        ({"dataset": "cifar10"}, "dataset: cifar10 has small images"),
        ({"rows": {}}, "rows"),
        ({"rows": {"vgg19": "1"}}, "rows: no network vgg19: choose vgg16 or resnet50"),
        ({"rows": {"vgg16": "pre-skip"}}, "rows.vgg16: vgg16 has no skip connections"),
        ({"rows": {"vgg16": "14"}}, r"rows.vgg16: .*1 to 13"),
        ({"rows": {"resnet50": "empirical"}}, "rows.resnet50: empirical needs a profile"),
        ({"lambdas": [0.1]}, "lambdas: the baseline 0 is missing"),
        ({"epochs": 0}, "epochs"),
        ({"batch_size": 20_000}, "batch_size: a batch of 20,000"),
        ({"patience": 3}, "unknown parameter patience"),
    ],
)
def test_mistakes(changes, message):
    with pytest.raises(UserError, match=f"paper.{FAMILY}.*{message}"):
        read(paper(changes), FAMILY)
