"""Mistakes in the settings of VGG16 and ResNet-50 are said before anything is trained."""

import copy

import pytest
from ruamel.yaml import YAML

from replication.core import paths
from replication.core.errors import UserError
from replication.core.settings import load
from replication.imagenette import rows
from replication.imagenette.settings import NARROWEST, read
from replication.imagenette.training import model

FAMILY = "vgg16-imagenette"
PARAMS = YAML(typ="safe").load(paths.PARAMS)


@pytest.fixture
def read_changed(tmp_path, monkeypatch):
    """Settings from params.yaml at paper scale, with changes of the grid and of the training."""
    monkeypatch.chdir(tmp_path)

    def changed(grid=None, training=None, family=FAMILY):
        document = copy.deepcopy(PARAMS)
        document["scales"]["paper"][FAMILY] |= grid or {}
        document["imagenette"] |= training or {}
        if family not in document["families"]:
            document["families"][family] = "imagenette"
            for scale in document["scales"].values():
                scale[family] = scale[FAMILY]
        YAML().dump(document, paths.PARAMS)
        return read(load("paper"), family)

    return changed


def test_the_file_is_right(read_changed):
    settings = read_changed()
    assert settings.network == "vgg16" and settings.grid.rows == ("1", "1+2") and settings.recorded == {}
    assert settings.lambdas == (0, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10)


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"rows": ["first"]}, "rows: 'first' is no row.* or pre-skip, or empirical"),
        ({"rows": ["1+14"]}, r"rows: '1\+14' is no row. Write numbers of convolutions, 1 to 13"),
        ({"rows": ["pre-skip"]}, "rows: vgg16 has no skip connections"),
        ({"rows": []}, "rows: expected a list"),
        ({"rows": [1]}, "rows: expected a text, got 1"),
        ({"trainings": ["plain", "none"]}, "trainings: got 'none', choose one of plain, augmentation, "),
        ({"lambdas": [0.1, 1.0]}, "lambdas: the baseline 0 is missing"),
        ({"divisor": 65}, "divisor: 65 leaves a layer of 64 channels none"),
        ({"divisor": 0}, "divisor: expected a positive whole number, got 0"),
        (
            {"dataset": "digits"},
            "dataset: 'digits' is not Imagenette: choose imagenette-keras-v1, imagenette-keras-v2 or patterns",
        ),
        ({"precision": "float16"}, "precision: got 'float16', choose one of float32, float64, bfloat16"),
    ],
)
def test_mistakes_in_a_grid(read_changed, grid, message):
    with pytest.raises(UserError, match=rf"params\.yaml, scales\.paper\.{FAMILY}\.{message}") as error:
        read_changed(grid)
    assert str(error.value).count("\n") < 3


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"momentum": 5}, "momentum: expected a number, not negative and below 1, got 5"),
        ({"epsilon": 0}, "epsilon: expected a positive number, got 0"),
        ({"dropout": 1.0}, "dropout: expected a number, not negative and below 1"),
        ({"patience": 0}, "patience: expected a positive whole number"),
        ({"form": "exact"}, "form: got 'exact', choose one of"),
    ],
)
def test_mistakes_in_the_training(read_changed, training, message):
    with pytest.raises(UserError, match=rf"params\.yaml, imagenette\.{message}"):
        read_changed(training=training)


def test_a_family_of_another_network_is_refused(read_changed):
    with pytest.raises(UserError, match=r"families\.alexnet-imagenette: .* begins with its network: vgg16, resnet50"):
        read_changed(family="alexnet-imagenette")


def test_a_damaged_record_of_layers_is_named(read_changed):
    path = rows.record_path("paper", FAMILY)
    path.parent.mkdir(parents=True)
    path.write_text("half")
    with pytest.raises(UserError, match=f"{FAMILY}-layers.json is damaged"):
        read_changed()


@pytest.mark.parametrize("network", list(rows.CONVOLUTIONS))
def test_no_layer_is_narrower_than_the_narrowest(network):
    sizes = [parameter.shape[0] for parameter in model.build(network).parameters()]
    assert min(set(sizes) - {model.CLASSES}) == NARROWEST
