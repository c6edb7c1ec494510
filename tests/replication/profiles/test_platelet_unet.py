"""The 3-D U-Net with made weights: folding and rescaling change its profile and not what it computes."""

import copy

import pytest
import torch
from torch import nn

from entropy_guidance import profile
from replication.core.errors import UserError
from replication.profiles import platelet_unet, same_function
from replication.profiles.weights_file import layers


@pytest.fixture(scope="module")
def network():
    """Norms as training leaves them: far from 0 and 1, some factors negative."""
    torch.manual_seed(0)
    made = platelet_unet.PlateletUNet()
    for _, norm in made.pairs():
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.01, 2)
        norm.weight.data.normal_()
        norm.bias.data.normal_()
    return made.eval().double()


def outputs(network):
    with torch.no_grad():
        return network(platelet_unet.noise_volumes(1, 1, (2, 16, 16)))


def test_sizes_and_names(network):
    assert outputs(network).shape == (1, 5, 2, 16, 16)
    names = [name for name in network.state_dict() if name.endswith("weight") and "batch" not in name]
    assert names[:3] == ["c0.conv0.weight", "c0.conv1.weight", "c1.conv0.weight"] and names[-1] == "up3.weight"
    assert [tuple(convolution.weight.shape[:2]) for convolution, _ in network.pairs()][8:12] == [
        (256, 256),
        (256, 256),
        (128, 512),
        (128, 128),
    ]


def test_a_folded_norm_leaves_the_outputs(network):
    folded = copy.deepcopy(network)
    platelet_unet.fold_(folded)
    assert same_function.largest_difference(outputs(network).numpy(), outputs(folded).numpy()) < 1e-12
    reference = nn.utils.fuse_conv_bn_eval(copy.deepcopy(network.c3.conv1), network.c3.batch1)
    torch.testing.assert_close(folded.c3.conv1.weight, reference.weight)
    torch.testing.assert_close(folded.c3.conv1.bias, reference.bias)


def test_factors_turn_the_profile_over(network):
    changed = copy.deepcopy(network)
    means = profile(nn.ModuleList(c for c, _ in network.pairs())).summary()["mean"]
    platelet_unet.rescale_(changed, same_function.turned_over(means.tolist()))
    after = profile(nn.ModuleList(c for c, _ in changed.pairs())).summary()["mean"]
    torch.testing.assert_close(torch.tensor(after - means.mean()), torch.tensor(means.mean() - means))
    assert same_function.largest_difference(outputs(network).numpy(), outputs(changed).numpy()) < 1e-12


def test_a_change_that_matters_is_seen(network):
    changed = copy.deepcopy(network)
    changed.c0.conv0.weight.data *= 1.01
    assert same_function.largest_difference(outputs(network).numpy(), outputs(changed).numpy()) > 1e-7


def test_the_file(network, tmp_path):
    path = tmp_path / "unet.pt"
    torch.save(network.float().state_dict(), path)
    network.double()
    loaded = platelet_unet.load(path)
    assert not loaded.training and loaded.c0.conv0.weight.dtype == torch.float64
    assert [name for name, layer in layers(path).items() if layer.transposed] == [f"up{k}.weight" for k in range(4)]
    torch.save({"other": torch.ones(2)}, path)
    with pytest.raises(UserError, match=r"unet\.pt does not fit the network"):
        platelet_unet.load(path)
