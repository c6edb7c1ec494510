import math

import numpy as np
import pytest
import torch
import torchvision
from keras_files import keras_arrays, small_vgg_shapes, write_keras
from safetensors.torch import save_file
from torch import nn

from replication.core.errors import UserError
from replication.data import download
from replication.profiles import zoo
from replication.profiles.known_files import KerasFile


@pytest.mark.parametrize("nested", [False, True])
def test_keras_kernels_arrive_in_torchs_order(tmp_path, nested):
    arrays = keras_arrays(small_vgg_shapes())
    write_keras(tmp_path / "weights.h5", arrays, nested=nested)
    model = zoo.build("small-vgg")
    zoo.load_weights(model, "small-vgg", str(tmp_path / "weights.h5"))
    layers = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    for layer, (kernel, bias) in zip(layers, arrays.values(), strict=True):
        assert layer.weight[1, 0, 2, 0].item() == kernel[2, 0, 0, 1]
        np.testing.assert_array_equal(layer.bias.detach(), bias)
    assert not any(isinstance(m, nn.Linear) for m in model.modules())  # not in the file


@pytest.mark.parametrize("old_names", [False, True])
def test_keras_resnet50_goes_by_name(tmp_path, old_names):
    """Keras registers a block's downsample convolution before its last one; torchvision after."""
    model = zoo.build("resnet50")
    shapes = {}
    blocks = {1: 3, 2: 4, 3: 6, 4: 3}
    expected = {"conv1": "conv1" if old_names else "conv1_conv"}
    for stage, count in blocks.items():
        for block in range(count):
            for place in (1, 2, 0, 3) if block == 0 else (1, 2, 3):
                if old_names:
                    tail = f"branch2{'abc'[place - 1]}" if place else "branch1"
                    keras = f"res{stage + 1}{'abcdef'[block]}_{tail}"
                else:
                    keras = f"conv{stage + 1}_block{block + 1}_{place}_conv"
                ours = f"conv{place}" if place else "downsample.0"
                expected[f"layer{stage}.{block}.{ours}"] = keras
    for ours, keras in expected.items():
        shapes[keras] = tuple(model.get_submodule(ours).weight.shape)
    arrays = keras_arrays(shapes)
    write_keras(tmp_path / "resnet.h5", arrays)
    zoo.load_weights(model, "resnet50", str(tmp_path / "resnet.h5"))
    for ours, keras in expected.items():
        kernel = torch.from_numpy(arrays[keras][0])
        assert torch.equal(model.get_submodule(ours).weight[:, :, 0, 0], kernel[0, 0].T)


def test_random_is_kerass_glorot_uniform():
    model = zoo.build("small-vgg")
    zoo.load_weights(model, "small-vgg", "random", seed=3)
    layer = model.features[7]  # 32 -> 32 channels, 3 x 3
    bound = math.sqrt(6 / (9 * (32 + 32)))
    assert 0.98 * bound < layer.weight.abs().max().item() <= bound
    assert layer.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.02)
    assert layer.bias.abs().max().item() == 0
    again = zoo.build("small-vgg")
    zoo.load_weights(again, "small-vgg", "random", seed=3)
    assert torch.equal(again.features[7].weight, layer.weight)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_state_dicts(tmp_path, suffix):
    model, path = zoo.build("small-vgg"), tmp_path / f"weights{suffix}"
    state = model.state_dict()
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    other = zoo.build("small-vgg")
    assert zoo.load_weights(other, "small-vgg", str(path)) == path.name
    assert all(torch.equal(state[name], tensor) for name, tensor in other.state_dict().items())


def test_checkpoints_and_parallel_names(tmp_path):
    model, path = zoo.build("small-vgg"), tmp_path / "checkpoint.pt"
    state = model.state_dict()
    torch.save({"state_dict": {f"module.{name}": tensor for name, tensor in state.items()}, "epoch": 3}, path)
    other = zoo.build("small-vgg")
    zoo.load_weights(other, "small-vgg", str(path))
    assert all(torch.equal(state[name], tensor) for name, tensor in other.state_dict().items())


def test_what_cannot_be_loaded(tmp_path):
    model = zoo.build("small-vgg")
    torch.save({"other": torch.ones(1)}, tmp_path / "other.pt")
    torch.save({1: 2}, tmp_path / "numbers.pt")
    (tmp_path / "noise.pt").write_bytes(b"noise")
    (tmp_path / "noise.h5").write_bytes(b"noise")
    write_keras(tmp_path / "short.h5", dict(list(keras_arrays(small_vgg_shapes()).items())[:3]))
    for weights, message in {
        "nowhere.pt": "no file nowhere.pt. --weights takes a file, or one of random, keras, torchvision",
        str(tmp_path / "other.pt"): "does not fit the network",
        str(tmp_path / "numbers.pt"): "cannot be read as a state dict",
        str(tmp_path / "noise.pt"): "cannot be read as a state dict",
        str(tmp_path / "noise.h5"): "cannot be read as a Keras weights file",
        str(tmp_path / "short.h5"): "it holds 3 convolutions, the network has 8",
        "keras": "Keras's weights are known for vgg16, resnet50, not for small-vgg",
        "torchvision": "torchvision has no weights of small-vgg",
    }.items():
        with pytest.raises(UserError, match=message):
            zoo.load_weights(model, "small-vgg", weights)
    with pytest.raises(UserError, match=r"no network 'vgg99'.*unet, small-vgg, smp-unet"):
        zoo.build("vgg99")


def test_offline_downloads_say_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(download.time, "sleep", lambda _: None)
    monkeypatch.setitem(zoo.KERAS, "vgg16", KerasFile("http://127.0.0.1:9/vgg16_notop.h5", "0" * 32))
    with pytest.raises(UserError, match=r"could not download vgg16_notop\.h5"):
        zoo.keras_file("vgg16", tmp_path)

    def offline(*_args, **_options):
        raise OSError("no route")

    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", offline)
    with pytest.raises(UserError, match=r"could not download .*resnet18.*no route.*--weights"):
        zoo.load_weights(zoo.build("resnet18"), "resnet18", "torchvision")


def test_a_detection_network_builds_without_fetching_its_backbone(monkeypatch):
    def refuse(*_args, **_options):
        raise AssertionError("a download was attempted")

    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", refuse)
    assert isinstance(zoo.build("fcn_resnet50"), nn.Module)
