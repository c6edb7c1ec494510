"""A variant of one's own is trained, or the message says why not."""

import pytest
from ruamel.yaml import YAML

from replication.core import paths
from replication.core.errors import UserError
from replication.core.family import find
from replication.core.settings import load


@pytest.fixture
def changed(tmp_path):
    """changed(change) -> the parameters after a change of params.yaml's document."""
    yaml = YAML()
    document = yaml.load(paths.PARAMS)

    def change(do):
        do(document)
        yaml.dump(document, tmp_path / "params.yaml")
        return load(path=tmp_path / "params.yaml")

    return change


def of_form_log(grid):
    return {run["lambda"] for run in grid if run["form"] == "log" and run["epsilon"] == 0 and run["patience"] == 3}


def test_a_variant_of_ones_own_is_trained(changed):
    mine = {"lambdas": [0.5, 0.001], "form": "log", "patience": 3}
    parameters = changed(lambda document: document["variants"].update(mine=mine))
    assert of_form_log(find(parameters, "autoencoder-mnist").grid) == {0.001}
    parameters = changed(lambda document: document["scales"]["demo"]["autoencoder-mnist"]["lambdas"].append(0.5))
    assert of_form_log(find(parameters, "autoencoder-mnist").grid) == {0.001, 0.5}


def test_one_that_would_train_nothing_is_a_mistake(changed):
    parameters = changed(lambda document: document["variants"].update(mine={"lambdas": [0.5], "form": "log"}))
    with pytest.raises(UserError, match=r"variants.mine.lambdas: no grid has 0.5, so .*scales.demo"):
        find(parameters, "autoencoder-mnist")
    parameters = changed(lambda document: document.update({"lambda": 0.5}))
    assert find(parameters, "autoencoder-mnist").grid


def test_one_with_widths_of_its_own_stands_beside_the_grid(changed):
    """At its own lambda, in the families that it names; a given lambda is all that is trained of it."""
    mine = {"lambdas": [0.5, 0.001], "form": "log", "patience": 3, "widths": [140], "families": ["autoencoder-mnist"]}
    parameters = changed(lambda document: document["variants"].update(mine=mine))
    assert of_form_log(find(parameters, "autoencoder-mnist").grid) == {0.001, 0.5}
    assert of_form_log(find(parameters, "autoencoder-cifar10").grid) == set()  # which has no width of 140
    parameters = changed(lambda document: document.update({"lambda": 0.5}))
    assert of_form_log(find(parameters, "autoencoder-mnist").grid) == {0.5}
    parameters = changed(lambda document: document["variants"]["mine"].update(families=["autoencoder-letters"]))
    with pytest.raises(UserError, match=r"variants.mine.families: unknown autoencoder-letters"):
        find(parameters, "autoencoder-mnist")


def test_a_variant_of_the_small_cnns_is_named_by_a_grid(changed):
    mine = {"lambdas": [1.0], "anchor": "center"}
    parameters = changed(lambda document: document["cnn_variants"].update(mine=mine))
    with pytest.raises(UserError, match=r"cnn_variants.mine: no grid names it, so it would train nothing"):
        find(parameters, "cnn-cifar10")
    parameters = changed(lambda document: document["scales"]["demo"]["cnn-cifar10"]["variants"].append("mine"))
    assert find(parameters, "cnn-cifar10").grid


def test_a_scale_of_ones_own(changed):
    def add(document):
        document["scales"]["mine"] = document["scales"]["demo"]
        document["scale"] = "mine"

    parameters = changed(add)
    family = find(parameters, "autoencoder-mnist")
    assert family.scale == "mine" and family.grid and family.table == paths.table("mine", "autoencoder-mnist")
