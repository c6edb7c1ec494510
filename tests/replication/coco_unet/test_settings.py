"""Mistakes in the settings of the U-Nets are said before anything is trained."""

import copy

import pytest
from ruamel.yaml import YAML

from replication.coco_unet.settings import read
from replication.core import paths
from replication.core.errors import UserError
from replication.core.settings import load

FAMILY = "unet-coco"
PARAMS = YAML(typ="safe").load(paths.PARAMS)


@pytest.fixture
def read_changed(tmp_path):
    """Settings from params.yaml at paper scale, with changes of the grid and of the training."""

    def changed(grid=None, training=None):
        document = copy.deepcopy(PARAMS)
        document["scales"]["paper"][FAMILY] |= grid or {}
        document["unet"] |= training or {}
        YAML().dump(document, tmp_path / "params.yaml")
        return read(load("paper", tmp_path / "params.yaml"), FAMILY)

    return changed


def test_the_file_is_right(read_changed):
    settings = read_changed()
    assert settings.grid.widths == (64, 128, 256, 512, 1024) and settings.training.patience == 10
    assert settings.lambdas == (0, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10)
    deep = {"widths": [2] * 9, "placement": "3", "first_placements": None}
    assert read_changed(deep).grid.widths == (2,) * 9  # to one pixel of 256
    other = {"placement": "skip-feeding", "first_placements": None}
    assert read_changed(other, {"network": "smp-unet"}).grid.placement == "skip-feeding"


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"placement": "4"}, "placement: 4: layer number 4 is no convolution but pool"),
        ({"placement": "3-99"}, "placement: 3-99: layer number 99 is no convolution but nothing: the last is 40"),
        ({"placement": "first"}, "placement: first: neither skip-feeding nor numbers of layers such as 3-7-11-15"),
        ({"first_placements": ["2", "20"]}, "first_placements: 20: layer number 20 is no convolution but up.0"),
        ({"widths": [4, 8], "first_placements": None}, "placement: 3-7-11-15: layer number 15 is no conv"),
        ({"widths": [64]}, "widths: a U-Net has two widths at least"),
        ({"widths": [2] * 10}, "widths: 9 levels do not halve 256 pixels evenly"),
        ({"widths": [2] * 8, "dataset": "drawings"}, "widths: 7 levels do not halve 64 pixels evenly"),
        ({"dataset": "digits"}, "dataset: 'digits' has no masks: choose drawings, or coco-TRAIN-VALIDATION"),
        ({"lambdas": [0.1]}, "lambdas: the baseline 0 is missing"),
        ({"unguided_replicates": 0}, "unguided_replicates: expected a positive whole number, got 0"),
        ({"precision": "float16"}, "precision: got 'float16', choose one of"),
    ],
)
def test_mistakes_in_a_grid(read_changed, grid, message):
    with pytest.raises(UserError, match=rf"params\.yaml, scales\.paper\.{FAMILY}\.{message}") as error:
        read_changed(grid)
    assert str(error.value).count("\n") < 3


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"dropout": 1.5}, r"unet\.dropout: expected a number, not negative and below 1, got 1.5"),
        ({"monitor": "keras"}, r"unet\.monitor: got 'keras', choose one of"),
        ({"patience": 0}, r"unet\.patience: expected a positive whole number"),
        (
            {"network": "smp-unet"},
            rf"scales\.paper\.{FAMILY}\.placement: 3-7-11-15 are numbers of the paper's own U-Net, and unet.network is "
            "smp-unet: choose skip-feeding",
        ),
    ],
)
def test_mistakes_in_the_training(read_changed, training, message):
    with pytest.raises(UserError, match=rf"params\.yaml, {message}"):
        read_changed(training=training)
