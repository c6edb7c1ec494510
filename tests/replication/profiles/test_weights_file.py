"""Layers of state dicts without a class, and of Keras files, told from shapes and names."""

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from keras_files import keras_arrays, small_vgg_shapes, write_keras
from torch import nn

from entropy_guidance import profile
from replication.__main__ import main
from replication.core.errors import UserError
from replication.profiles import weights_file, zoo
from replication.profiles.file_layer import Weights


class Nets(nn.Module):
    """Layers as a 3-D U-Net names them."""

    def __init__(self):
        super().__init__()
        self.down = nn.Conv3d(1, 4, 3)
        self.up0 = nn.ConvTranspose3d(4, 4, 2, groups=4)  # channel by channel
        self.up1 = nn.Sequential(nn.ConvTranspose2d(6, 3, 3), nn.Conv2d(3, 6, 3))  # the first told by its bias
        self.deconv_2 = nn.ConvTranspose2d(4, 4, 2, bias=False)
        self.up_path = nn.Conv2d(5, 5, 3)  # "up" in a longer word, and an odd filter
        self.embedding = nn.Embedding(7, 3)
        self.head = nn.Linear(3, 4)


def test_layers_of_a_state_dict(tmp_path):
    torch.manual_seed(0)
    net = Nets()
    path = tmp_path / "net.pt"
    torch.save(net.state_dict(), path)
    layers = weights_file.layers(path)
    assert [name for name, layer in layers.items() if layer.transposed] == [
        "up0.weight",
        "up1.0.weight",
        "deconv_2.weight",
    ]
    for relative in (False, True):
        found, expected = (profile(each, relative=relative) for each in (Weights(layers), net))
        np.testing.assert_allclose(found.summary()["mean"], expected.summary()["mean"], rtol=1e-6)
        assert found.skipped_layers()["name"].tolist() == ["embedding.weight"]


def test_16_bits_are_cast_before_any_mean(tmp_path):
    """Rows of numbers that 16 bits hold exactly, so that both profiles must agree to float32's precision."""
    weight = (torch.arange(1, 4097).reshape(64, 64, 1, 1) % 128 + 1).bfloat16()
    torch.save({"w": weight}, tmp_path / "half.pt")
    layers = weights_file.layers(tmp_path / "half.pt")
    (mean,) = profile(Weights(layers)).summary()["mean"]
    assert mean == pytest.approx(np.log(weight.double().numpy()).mean(), rel=1e-6)


def write_keras3(path, layers):
    """The layout of `.weights.h5`: a folder a layer, numbered names, no order."""
    with h5py.File(path, "w") as file:
        for name, arrays in layers.items():
            for number, array in enumerate(arrays):
                file[f"layers/{name}/vars/{number}"] = array
        file.create_group("optimizer/vars")


def test_keras_3_files_count_by_the_numbers_in_their_names(tmp_path):
    names = ["conv2d", *(f"conv2d_{number}" for number in range(1, 12))]
    arrays = {name: (np.full((1, 1, 2, 3), number + 1.0), np.zeros(3)) for number, name in enumerate(names)}
    write_keras3(tmp_path / "net.weights.h5", dict(reversed(arrays.items())))
    layers = weights_file.layers(tmp_path / "net.weights.h5")
    assert list(layers) == names
    assert [layer.weight[0, 0, 0, 0].item() for layer in layers.values()] == list(range(1, 13))
    assert layers["conv2d"].weight.shape == (3, 2, 1, 1)


def test_keras_kernels_of_volumes_and_transposed_ones(tmp_path):
    rng = np.random.default_rng(0)
    volume, up = rng.normal(size=(3, 2, 1, 4, 5)), rng.normal(size=(2, 2, 6, 4))  # Keras: (p, q, r, I, O); (p, q, O, I)
    write_keras3(tmp_path / "net.weights.h5", {"conv3d": [volume, np.zeros(5)], "conv2d_transpose": [up, np.zeros(6)]})
    layers = weights_file.layers(tmp_path / "net.weights.h5")
    assert layers["conv2d_transpose"].transposed and not layers["conv3d"].transposed
    table = profile(Weights(layers)).table
    first = table[(table["name"] == "conv3d") & (table["output"] == 4) & (table["input"] == 2)]["entropy_change"].item()
    assert first == pytest.approx(np.log(abs(volume[0, 0, 0, 2, 4])), rel=1e-5)
    other = table[(table["name"] == "conv2d_transpose") & (table["output"] == 5) & (table["input"] == 3)]
    assert other["entropy_change"].item() == pytest.approx(np.log(abs(up[0, 0, 5, 3])), rel=1e-5)


def test_a_file_with_more_layers_than_the_network_is_refused(tmp_path):
    """Keras itself loads such a file by its names and says nothing."""
    shapes = small_vgg_shapes()
    write_keras(tmp_path / "more.h5", keras_arrays(shapes | {"side_output": (1, 64, 1, 1)}))
    model = zoo.build("small-vgg")
    with pytest.raises(UserError, match="it holds 9 convolutions, the network has 8"):
        zoo.load_weights(model, "small-vgg", str(tmp_path / "more.h5"))
    zoo.load_weights(model, "small-vgg", str(tmp_path / "more.h5"), within="block_")
    arrays = keras_arrays(shapes | {"side_output": (1, 64, 1, 1)})
    assert model.features[0].weight[1, 0, 2, 0].item() == arrays["block_conv0"][0][2, 0, 0, 1]


def test_the_command_says_which_mean_it_prints(tmp_path, capsys):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 3, 1), nn.Conv2d(3, 40, 1))
    torch.save(net.state_dict(), tmp_path / "net.pt")
    assert main(["profile", str(tmp_path / "net.pt"), "--output", str(tmp_path / "out.csv")]) == 0
    table = pd.read_csv(tmp_path / "out.csv")
    all_ = np.concatenate([np.log(np.abs(layer.weight.detach().numpy())).ravel() for layer in net])
    said = f"mean of the 2 layers' means {table['mean'].mean():.4f}, of all filters {all_.mean():.4f}"
    assert said in capsys.readouterr().out
