"""Networks that compute the same from other weights: chains, ONNX graphs, and the table of what moved."""

import copy

import numpy as np
import pandas as pd
import pytest
import torch
from onnx_files import bottleneck
from torch import nn

from entropy_guidance import profile
from replication.profiles import same_function
from replication.profiles.record import SAME_FUNCTION, own
from replication.profiles.same_function import OnnxNetwork
from replication.profiles.statistics import same_function as statistics


def test_a_chain_with_a_mirrored_profile():
    torch.manual_seed(0)
    chain = nn.Sequential(
        *[nn.Conv2d(2, 5, 3), nn.ReLU(), nn.Conv2d(5, 6, 3), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(6, 3, 2)]
    ).double()
    network = nn.ModuleDict({"features": chain})
    images = np.random.default_rng(0).normal(size=(2, 12, 12, 2))
    expected = same_function.features(network, images)
    convolutions = [module for module in chain if isinstance(module, nn.Conv2d)]
    before = profile(chain).summary()["mean"].to_numpy()
    same_function.rescale_chain_(convolutions, same_function.mirrored(before.tolist()))
    np.testing.assert_allclose(same_function.features(network, images), expected, rtol=1e-12)
    np.testing.assert_allclose(profile(chain).summary()["mean"], before[::-1], rtol=1e-6)


def test_a_block_of_an_onnx_model(tmp_path):
    network = OnnxNetwork(bottleneck(tmp_path / "block.onnx"))
    changed = copy.deepcopy(network)
    ((first, middle, last),) = changed.blocks()
    assert [node.name for node in (first, middle, last)] == ["a", "b", "c"]
    before = 0.0
    for node, log_factor in zip((first, middle, last), (1.0, 1.0, -2.0), strict=True):
        changed.rescale_(node, log_factor, before)
        before += log_factor
    images = np.random.default_rng(1).normal(size=(2, 6, 6, 3))
    assert network.output(images).dtype == np.float64
    assert same_function.largest_difference(network.output(images), changed.output(images)) < 1e-14
    np.testing.assert_allclose(changed.weights["c"], network.weights["c"] * np.exp(-2))
    changed.rescale_(last, 0.1)
    assert same_function.largest_difference(network.output(images), changed.output(images)) > 1e-3


def test_pixels_of_0_to_1(tmp_path):
    network = OnnxNetwork(bottleneck(tmp_path / "block.onnx"))
    changed = copy.deepcopy(network)
    changed.weights["stem"] = changed.weights["stem"] * same_function.PIXEL_RANGE
    images = np.random.default_rng(1).uniform(0, 255, size=(1, 6, 6, 3))
    assert same_function.largest_difference(network.output(images), changed.output(images / 255)) < 1e-14
    assert np.log(same_function.PIXEL_RANGE) == pytest.approx(5.54, abs=0.01)


def test_blue_comes_first():
    images = np.zeros((1, 2, 2, 3), np.uint8)
    images[..., 0] = 200  # red
    np.testing.assert_allclose(same_function.blue_first(images, (1.0, 2.0, 3.0))[0, 0, 0], [-1, -2, 197])


def layers(weights, means, *, relative=-0.5, transposed=False, differs=1e-12):
    return pd.DataFrame(
        {
            "network": "platelet-unet",
            "weights": weights,
            "layer": range(1, len(means) + 1),
            "mean": means,
            "relative": relative,
            "transposed": transposed,
            "differs": differs,
        }
    )


TRAINED = [-1.0] * 4 + [-2.0] * 10 + [-1.5] * 4


def h7(folded, **options):
    up = layers("platelet-unet", [9.0], transposed=True)  # stands beside
    everything = [layers("platelet-unet", TRAINED), up, layers("platelet-unet-folded", folded, **options)]
    return statistics.h7(statistics.table(pd.concat(everything, ignore_index=True)))


@pytest.mark.parametrize(
    ("folded", "options", "verdict"),
    [
        ([-1.0] * 4 + [-2.0] * 10 + [-1.2] * 4, {}, "supported"),  # the last quarter's half nat becomes 0.8
        ([-0.6] * 4 + [-2.0] * 10 + [-1.3] * 4, {}, "refuted"),  # 1.0 becomes 1.4, 0.5 becomes 0.7
        ([-0.4] * 4 + [-2.0] * 10 + [-1.5] * 4, {}, "supported"),
        ([-0.4] * 4 + [-2.0] * 10 + [-1.5] * 4, {"differs": 1e-4}, "undecided"),
    ],
)
def test_h7_by_its_rule(folded, options, verdict):
    (word, evidence), measure = h7(folded, **options)
    assert word == verdict
    assert "first quarter less middle half: +1.00 nats become" in evidence
    assert measure is not None and measure.text in evidence


def test_h7_without_a_folded_network():
    assert statistics.h7(statistics.table(layers("platelet-unet", TRAINED)))[0][0] == "undecided"


def test_other_weights_of_a_function_are_no_networks_of_their_own():
    everything = pd.concat([layers("platelet-unet", TRAINED), layers("platelet-unet-folded", TRAINED)])
    assert set(own(everything)["weights"]) == {"platelet-unet"}
    assert all(kind.endswith(SAME_FUNCTION) for kind in statistics.CONTRASTS)


def test_what_is_left_relative_to_each_output():
    table = layers("platelet-unet", TRAINED, relative=np.linspace(-1, -0.5, 18))
    (row,) = statistics.relative_table(table).to_dict("records")
    ends = [*np.linspace(-1, -0.5, 18)[:4], *np.linspace(-1, -0.5, 18)[-4:]]
    assert row["value"] == pytest.approx(np.mean(ends) - np.linspace(-1, -0.5, 18)[4:-4].mean())
    assert (row["lowest"], row["highest"]) == (-1, -0.5) and row["with_scale"] == pytest.approx(0.75)
    assert statistics.relative_table(layers("sample", TRAINED, relative=np.nan)).empty
