"""What guided weights meet, against a convolution with a single weight."""

from pathlib import Path

import pytest
import torch
from torch import nn

from replication.coco_unet.training.model import UNet
from replication.core.errors import UserError
from replication.core.family import find
from replication.core.settings import load
from replication.corner_zeros import measure as zeros
from replication.corner_zeros.record import read, record_path

PARAMS = Path(__file__).parents[3] / "params.yaml"
LAYERS = [
    {"padding": 0},
    {"padding": 1},
    {"padding": "same"},
    {"padding": "valid", "stride": 2},
    {"padding": (0, 2), "dilation": 2},
    {"padding": "same", "dilation": 2},
    {"padding": 3, "stride": 2, "kernel_size": 7},
]


def single(layer, at, channel, x):
    """The layer's output if all of its weights but one were zero: what that one is multiplied with."""
    with torch.no_grad():
        layer.weight.zero_()[:, channel, at[0], at[1]] = 1
        layer.bias.zero_()
        return layer(x)[:, 0]


@pytest.mark.parametrize("changes", LAYERS)
@pytest.mark.parametrize("at", [(0, 0), (1, 1), (2, 0)])
def test_what_a_weight_meets(changes, at):
    layer = nn.Conv2d(2, 3, **({"kernel_size": 3} | changes))
    x = torch.rand(4, 2, 9, 11, generator=torch.Generator().manual_seed(0))
    for channel in range(2):
        assert torch.equal(zeros.met(layer, x, at)[:, channel], single(layer, at, channel, x))


def test_shares_of_zeros():
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Conv2d(3, 1, 3, padding=1))
    x = torch.ones(2, 2, 5, 5)
    x[:, 0, :3, :3] = 0  # all that the corner weight meets of this channel
    first, second = zeros.behind(model, ["0", "2"], x)
    assert (first["corner"], first["never"], first["images"]) == (0.5, 0.5, 2)
    assert first["centre"] == pytest.approx(4 / 18, abs=1e-6) and first["whole"] == pytest.approx(9 / 50)
    before = model[1](model[0](x))
    padded = nn.functional.pad(before, (1, 1, 1, 1))
    assert second["whole"] == pytest.approx((before == 0).double().mean().item(), abs=1e-6)
    assert second["corner"] == pytest.approx((padded[:, :, :3, :3] == 0).double().mean().item(), abs=1e-6)
    assert not model[0]._forward_pre_hooks


def test_square_parts_of_an_autoencoder():
    images = torch.tensor([[0, 0, 5, 7], [0, 1, 0, 7]], dtype=torch.uint8)
    rows = zeros.square_parts(images, [1, 2, 4])
    assert [row["corner"] for row in rows] == [1.0, 0.75, 0.5] and [row["never"] for row in rows] == [1, 0.5, 0.25]


@pytest.fixture
def small(monkeypatch, own_store):  # noqa: ARG001
    """A scale whose large networks cannot be had."""

    def none(*_):
        raise UserError("no weights here")

    monkeypatch.setattr(zeros.profiles, "load_network", none)
    return load("demo", PARAMS)


def test_the_record_keeps_what_cannot_be_had_now(small):
    messages = zeros.write(small)
    assert "cnn-cifar10, untrained: measured" in messages and "autoencoder-mnist, untrained: measured" in messages
    assert messages[-1] == "unet, untrained: left out. no weights here"
    table = read("demo")
    assert {"autoencoder-mnist", "cnn-cifar10", "cnn-mnist"} <= set(table["network"])
    assert "unet" not in set(table["network"]) and table["corner"].between(0, 1).all()
    path = record_path("demo")
    path.write_text(path.read_text().replace('"cnn-mnist"', '"unet"'))
    assert zeros.write(small)[-1] == "unet, untrained: the recorded rows are kept. no weights here"
    assert "unet" in set(read("demo")["network"])
    assert read("paper").empty


def test_the_layers_that_the_paper_guides():
    chain = nn.Sequential(*(nn.Conv2d(3, 3, 3) for _ in range(3)))
    assert zeros.guided_layers(chain, ["1", "1+3"]) == ["0", "2"]
    assert zeros.guided_layers(chain, ["empirical"]) == ["0"]
    unet = UNet((4, 4, 4))
    assert zeros.guided_layers(unet, ()) == ["encoder.0.conv2", "encoder.1.conv2"]


def test_a_small_cnn_is_the_families_deepest():
    settings = find(load("paper", PARAMS), "cnn-mnist").settings
    model, names = zeros.small_cnn(settings, 1)
    assert [model.get_submodule(name).weight.shape[1] for name in names] == [1, 32, 32]
    assert model(torch.zeros(1, 1, 28, 28)).shape == (1, 32, 1, 1)
