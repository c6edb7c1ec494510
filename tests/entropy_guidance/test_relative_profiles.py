"""Profiles relative to each output's own weights: against loops, and what they do not see."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from entropy_guidance import dense_entropy_change, profile

CONVOLUTIONS = [
    nn.Conv1d(4, 6, 3),
    nn.Conv2d(6, 4, (3, 2), groups=2),
    nn.Conv3d(2, 5, (1, 2, 3)),
    nn.ConvTranspose2d(4, 6, 2, stride=2),
    nn.ConvTranspose3d(4, 8, 2, stride=2, groups=4),
]


def reference(layer):
    """log|c11| - log of the root mean square of all weights that make one output, filter by filter."""
    weight = layer.weight.detach().double().numpy()
    transposed = isinstance(layer, nn.ConvTranspose2d | nn.ConvTranspose3d)
    inputs, outputs = layer.in_channels // layer.groups, layer.out_channels // layer.groups
    changes = []
    for output in range(layer.out_channels):
        group, within = divmod(output, outputs)
        rows = [weight[group * inputs + each, within] if transposed else weight[output, each] for each in range(inputs)]
        size = math.sqrt(np.mean(np.square(rows)))
        changes += [math.log(abs(row.flat[0]) / size) for row in rows]
    return changes


@pytest.mark.parametrize("layer", CONVOLUTIONS, ids=repr)
def test_each_filter_is_divided_by_its_root_mean_square(layer):
    found = profile(nn.Sequential(layer), relative=True).table["entropy_change"]
    np.testing.assert_allclose(found, reference(layer), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize(("inputs", "outputs"), [(5, 3), (3, 5), (4, 4)])
def test_rows_of_a_matrix_are_divided_by_theirs(inputs, outputs):
    layer = nn.Linear(inputs, outputs)
    weight = layer.weight.detach().double()
    rows = torch.stack([row / row.square().mean().sqrt() for row in weight])
    (found,) = profile(nn.Sequential(layer), relative=True).summary()["mean"]
    assert found == pytest.approx(dense_entropy_change(rows).item(), rel=1e-6)


def network():
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 6, 3), nn.Flatten(), nn.Linear(6, 4)]
    return nn.Sequential(*layers).eval()


def test_folding_a_norm_changes_the_profile_and_not_the_relative_one():
    net = network()
    norm = net[1]
    norm.weight.data.uniform_(0.1, 5)
    norm.running_var.uniform_(0.01, 2)
    before, before_relative = profile(net).summary(), profile(net, relative=True).summary()
    image = torch.randn(1, 3, 5, 5)
    expected = net(image)
    net[0] = nn.utils.fuse_conv_bn_eval(net[0], norm)
    net[1] = nn.Identity()
    torch.testing.assert_close(net(image), expected)
    after, after_relative = profile(net).summary(), profile(net, relative=True).summary()
    assert abs(after["mean"][0] - before["mean"][0]) > 0.1
    for column in ("mean", "std", "q1", "median", "q3"):
        np.testing.assert_allclose(after_relative[column], before_relative[column], rtol=1e-4, atol=1e-5)


def test_a_factor_an_input_is_seen():
    """The layer before may undo it, so that the outputs stay; the relative profile does not."""
    net = network()
    before = profile(net, relative=True).summary()["mean"]
    factors = torch.linspace(0.1, 3, 8)
    net[1].weight.data /= factors
    net[1].bias.data /= factors
    net[3].weight.data *= factors[:, None, None]
    after = profile(net, relative=True).summary()["mean"]
    assert after[0] == before[0]
    assert abs(after[1] - before[1]) > 0.1


def test_normal_and_uniform_weights_of_any_scale():
    torch.manual_seed(0)
    normal, uniform = nn.Conv2d(40, 50, 3), nn.Conv2d(40, 50, 3)
    normal.weight.data.normal_(std=1e-4)
    uniform.weight.data.uniform_(-300, 300)
    means = profile(nn.Sequential(normal, uniform), relative=True).summary()["mean"]
    assert means[0] == pytest.approx(-(math.log(2) + np.euler_gamma) / 2, abs=0.06)
    assert means[1] == pytest.approx(math.log(math.sqrt(3)) - 1, abs=0.06)


def test_zeros_stay_zeros():
    conv, dense = nn.Conv2d(2, 3, 2), nn.Linear(2, 2)
    conv.weight.data[1] = 0  # a whole filter
    conv.weight.data[2, 0, 0, 0] = 0
    dense.weight.data[0] = 0
    found = profile(nn.Sequential(conv, dense), relative=True)
    assert found.summary()["zeros"].tolist() == [3, 1]
    assert not found.table["entropy_change"].isna().any()


def test_half_precision_is_not_squared_in_half():
    """65,504 is float16's largest number: squares of 300 do not fit."""
    layer = nn.Conv2d(3, 4, 3).half()
    layer.weight.data.uniform_(100, 300)
    np.testing.assert_allclose(
        profile(nn.Sequential(layer), relative=True).table["entropy_change"], reference(layer), atol=1e-3
    )
