import dataclasses

import pandas as pd
import pytest
import segmentation_models_pytorch as smp
import torch
from torch import nn
from torch.nn.utils import prune
from torch.utils.checkpoint import checkpoint
from torchvision.models import densenet121, resnet18, resnet50, vgg16
from torchvision.tv_tensors import Image

from entropy_guidance import profile, selection
from replication.coco_unet.training.model import UNet

IMAGE = torch.empty(2, 3, 64, 64)


@pytest.fixture(scope="module")
def resnet():
    with torch.device("meta"):
        return resnet50()


def test_order_is_the_models_own(resnet):
    assert selection.by_order(resnet, [1, 2, 5]) == ["conv1", "layer1.0.conv1", "layer1.0.downsample.0"]
    with torch.device("meta"):
        assert selection.by_order(vgg16(), [1, 13]) == ["features.0", "features.28"]


def test_pre_skip_in_resnet50_is_stem_last_convolutions_and_downsamples(resnet):
    blocks = [(stage, block) for stage, count in enumerate((3, 4, 6, 3), 1) for block in range(count)]
    expected = {"conv1"}
    expected |= {f"layer{stage}.{block}.conv3" for stage, block in blocks[:-1]}
    expected |= {f"layer{stage}.0.downsample.0" for stage in (1, 2, 3, 4)}
    assert set(selection.by_role(resnet, "pre-skip", IMAGE)) == expected


def test_pre_skip_in_resnet18():
    found = selection.by_role(resnet18(), "pre-skip", IMAGE)
    assert found[:3] == ["conv1", "layer1.0.conv2", "layer1.1.conv2"]
    assert "layer4.1.conv2" not in found and "layer2.0.conv1" not in found and "layer4.0.downsample.0" in found


def test_skip_feeding_in_unet_are_the_last_convolutions_of_the_encoder_levels():
    with torch.device("meta"):
        model = UNet((4, 8, 16, 32, 64))
    assert selection.by_role(model, "skip-feeding", IMAGE) == [f"encoder.{level}.conv2" for level in range(4)]
    assert selection.by_role(model, "pre-skip", IMAGE) == []


def test_roles_of_a_network_that_cannot_be_traced_symbolically():
    model = smp.Unet("resnet18", encoder_weights=None)
    found = selection.by_role(model, "skip-feeding", IMAGE)
    assert "encoder.conv1" in found and "encoder.layer3.1.conv2" in found
    assert not any(name.startswith(("decoder", "segmentation_head", "encoder.layer4")) for name in found)


def test_a_network_without_skips_has_none():
    with torch.device("meta"):
        model = vgg16()
    assert selection.by_role(model, "pre-skip", IMAGE) == selection.by_role(model, "skip-feeding", IMAGE) == []
    assert selection.by_role(model, "first", IMAGE) == ["features.0"]


def test_concatenations_of_densenet():
    with torch.device("meta"):
        found = selection.by_role(densenet121(), "skip-feeding", IMAGE)
    assert "features.conv0" in found and "features.denseblock1.denselayer1.conv2" in found


def test_looking_changes_nothing():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(), nn.Conv2d(4, 4, 1)).train()
    model[1].eval()
    model[3].weight.requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    selection.describe(model, torch.empty(1, 3, 8, 8))
    assert [module.training for module in model] == [True, False, True, True]
    assert not model[3].weight.requires_grad and model[0].weight.device.type == "cpu"
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


class Residual(nn.Module):
    """y + b(y), y = a(x), and a cache."""

    def __init__(self, wrap=lambda module: module):
        super().__init__()
        self.a, self.b = (wrap(nn.Conv2d(3, 3, 3, padding=1)) for _ in range(2))
        self.position = None

    def forward(self, x):
        if self.position is None:
            self.position = torch.ones_like(x)
        y = self.a(x) + self.position
        return y + self.b(y)


class Doubled(nn.Module):
    """A concatenation of one layer's output with itself."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 3, 1), nn.Conv2d(6, 3, 1)

    def forward(self, x):
        self.cache = self.a(x)
        return self.b(torch.cat([self.cache, self.cache], 1))


def test_what_is_only_concatenated_feeds_no_skip():
    model = Doubled()
    assert selection.by_role(model, "skip-feeding", torch.empty(1, 3, 4, 4)) == []
    assert not hasattr(model, "cache")


def test_batch_normalisation_of_one_image_is_no_obstacle():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(4))
    assert selection.by_role(model, "pre-skip", torch.empty(1, 3, 8, 8)) == []


class Standardised(nn.Conv2d):
    def forward(self, x):
        return nn.functional.conv2d(x, self.weight / self.weight.std(), self.bias, padding=1)


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated:FutureWarning")
@pytest.mark.parametrize(
    "wrap",
    [
        lambda module: module,
        nn.utils.weight_norm,
        nn.utils.parametrizations.weight_norm,
        nn.utils.parametrizations.spectral_norm,
        lambda module: prune.l1_unstructured(module, "weight", 0.5),
        lambda _: Standardised(3, 3, 3),
    ],
)
def test_computed_weights_are_known_and_left_as_they_are(wrap):
    model, x = Residual(wrap), torch.randn(1, 3, 8, 8)
    assert selection.by_role(model, "pre-skip", x) == ["a"]
    assert model.position is None and model.a.weight.device.type == "cpu" and model.training
    model(x).sum().backward()
    model.position = None
    assert selection.by_role(model, "pre-skip", x) == ["a"]


class Generated(nn.Module):
    """A convolution whose weight others compute."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)

    def forward(self, x):
        return nn.functional.conv2d(x, self.a.weight * self.b.weight)


class Asking(Residual):
    def forward(self, x):
        return super().forward(x if x.mean() > 0 else -x)


@pytest.mark.parametrize(
    ("model", "example", "message"),
    [
        (Generated(), IMAGE, r"applies the weights of some layers outside of them .a, b.: .*Select by name"),
        (Residual(), IMAGE[:, :1], "the model cannot be followed without numbers .RuntimeError"),
        (Asking(), IMAGE, "the model cannot be followed without numbers .DataDependent"),
        (Residual(), (1, 3, 8, 8), "example must be a tensor, a tuple of positional .* accepts, got tuple"),
    ],
)
def test_what_cannot_be_followed_is_refused(model, example, message):
    with pytest.raises(ValueError, match=message):
        selection.by_role(model, "pre-skip", example)
    assert model.training


class Frozen(Residual):
    def forward(self, x):
        with torch.no_grad():
            return super().forward(x)


class Detached(Residual):
    def forward(self, x):
        y = self.a(x).detach()
        return y + self.b(y)


class Checkpointed(Residual):
    def forward(self, x):
        y = checkpoint(self.a, x, use_reentrant=True)
        return y + checkpoint(self.b, y, use_reentrant=False)


class Constants(Residual):
    """A tensor that is no buffer, and one made on the default device."""

    def __init__(self):
        super().__init__()
        self.mean = torch.tensor([0.5, 0.4, 0.3]).view(1, 3, 1, 1)

    def forward(self, x):
        y = self.a(x - self.mean) * torch.linspace(0, 1, x.shape[-1])
        return y + self.b(y)


class Recording(Residual):
    """Leaves what it saw in lists, dictionaries, sets and buffers."""

    def __init__(self):
        super().__init__()
        self.losses, self.seen, self.shapes = [[]], {"last": None}, {1}
        self.register_buffer("steps", torch.zeros(()))

    def forward(self, x):
        y = self.a(x)
        self.losses[0].append(y.mean())
        self.seen["last"] = y
        self.shapes.add(x.shape)
        self.steps += 1
        self.new = y
        return {"out": y + self.b(y)}


@pytest.mark.parametrize("kind", [Frozen, Detached, Checkpointed, Constants, Recording])
def test_whatever_the_model_does_on_its_way(kind):
    model = kind()
    assert selection.by_role(model, "pre-skip", IMAGE) == ["a"]
    if kind is Recording:
        assert model.losses == [[]] and model.seen == {"last": None} and model.shapes == {1}
        assert model.steps == 0 and not hasattr(model, "new")


class InPlace(nn.Module):
    """A residual addition to a slice, in place or not."""

    def __init__(self, inplace):
        super().__init__()
        self.inplace, self.conv = inplace, nn.Conv2d(3, 8, 3, padding=1)

    def forward(self, x):
        out = self.conv(x)[:, :3]
        if self.inplace:
            out += x
            return out
        return out + x


@pytest.mark.parametrize("inplace", [False, True])
def test_additions_in_place(inplace):
    model = nn.Sequential(nn.Conv2d(3, 3, 1), InPlace(inplace), nn.ReLU(inplace=inplace), InPlace(inplace))
    assert selection.by_role(model, "pre-skip", IMAGE) == ["0", "1.conv"]


class Skip(nn.Module):
    """A small U-Net whose skip is changed on its way."""

    def __init__(self, way):
        super().__init__()
        self.down, self.deep, self.head = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.Conv2d(8, 2, 1)
        self.unused, self.norm, self.way = nn.Conv2d(4, 2, 1), nn.BatchNorm2d(4), way

    def forward(self, x):
        skip = self.down(x).relu()
        deep = self.deep(skip)
        out = self.head(torch.cat([self.way(self, skip), deep], dim=1))
        return (out, self.unused(deep)) if self.training else out


@pytest.mark.parametrize(
    "way",
    [
        lambda _, skip: skip[..., 1:-1, 1:-1],
        lambda _, skip: nn.functional.pad(skip, (-1, -1, -1, -1)),
        lambda _, skip: nn.functional.interpolate(skip, scale_factor=60 / 62, mode="nearest"),
        lambda model, skip: model.norm(skip)[..., 1:-1, 1:-1].relu(),
    ],
)
def test_skips_that_are_changed_on_their_way(way):
    assert selection.by_role(Skip(way), "skip-feeding", IMAGE) == ["down"]


class Gated(nn.Module):
    """Squeeze and excitation, and a spatial gate."""

    def __init__(self):
        super().__init__()
        self.conv, self.fc1, self.fc2 = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 2, 1), nn.Conv2d(2, 4, 1)
        self.map = nn.Conv2d(4, 4, 1)

    def forward(self, x):
        y = self.conv(x)
        y = y * self.map(y).sigmoid()
        return x + y * self.fc2(self.fc1(y.mean((2, 3), keepdim=True)).relu()).sigmoid()


def test_a_gate_carries_nothing_on():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), Gated(), Gated())
    assert selection.by_role(model, "pre-skip", IMAGE) == ["0", "1.conv"]


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.inner, self.outer = nn.LayerNorm(8), nn.Linear(8, 16), nn.Linear(16, 8)

    def forward(self, x):
        return x + self.outer(self.inner(self.norm(x)).relu())


def test_roles_of_linear_layers_and_attention():
    model = nn.Sequential(nn.Linear(8, 8), Mlp(), Mlp())
    assert selection.by_role(model, "pre-skip", torch.empty(1, 8)) == ["0", "1.outer"]
    assert selection.by_role(model, "first", torch.empty(1, 8)) == ["0"]
    encoder = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2, enable_nested_tensor=False
    )
    found = selection.by_role(nn.Sequential(nn.Linear(4, 8), encoder), "pre-skip", torch.empty(2, 5, 4))
    layers = [f"1.layers.{k}.{part}" for k in (0, 1) for part in ("self_attn.out_proj", "linear2")]
    assert found == ["0", *layers[:-1]]  # nothing carries the last one on


@dataclasses.dataclass
class Output:
    values: torch.Tensor


class Conditioned(Residual):
    def __init__(self):
        super().__init__()
        self.time = nn.Linear(1, 3)

    def forward(self, x, t, *, scale=None):
        y = self.a(x) + self.time(t)[..., None, None]
        return Output(y + self.b(y) * scale)


@pytest.mark.parametrize("names", [False, True])
def test_several_inputs_and_an_output_of_ones_own(names):
    x, t, scale = torch.empty(1, 3, 8, 8), torch.empty(1, 1), torch.empty(())
    example = {"x": x, "t": t, "scale": scale}
    if not names:
        model = Conditioned()
        model.forward = lambda x, t, scale: Conditioned.forward(model, x, t, scale=scale)
        assert selection.by_role(model, "pre-skip", tuple(example.values())) == ["a"]
    else:
        assert selection.by_role(Conditioned(), "pre-skip", example) == ["a"]


class TensorImage(torch.Tensor):
    pass


@pytest.mark.parametrize("kind", [Image, lambda x: x.as_subclass(TensorImage)])
def test_examples_of_a_class_of_their_own(kind):
    assert selection.by_role(Residual(), "pre-skip", kind(torch.empty(1, 3, 8, 8))) == ["a"]


def test_names_by_pattern(resnet):
    assert selection.by_name(resnet, "layer1.0.conv*") == [f"layer1.0.conv{k}" for k in (1, 2, 3)]
    assert selection.by_name(resnet, "fc") == ["fc"]


def test_empirical_takes_what_stands_out():
    summary = pd.DataFrame({"name": list("abcde"), "mean": [-2.0, -5.0, -5.1, -3.0, -5.2]})
    # mean -4.06, standard deviation 1.463: the border is -2.597
    assert selection.empirical(summary) == ["a"]
    assert selection.empirical(summary, deviations=0.75) == ["a"]  # divided by n, the deviation would let d in
    assert selection.empirical(summary, deviations=0.5) == ["a", "d"]
    assert selection.empirical(summary, deviations=9) == ["a"]


def test_empirical_reads_a_profile_and_leaves_dense_layers_out():
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3), nn.Flatten(), nn.Linear(8, 8))
    for number, corner in enumerate((1.0, 0.1, 0.1)):
        model[number].weight.data[:, :, 0, 0] = corner
    nn.init.eye_(model[4].weight)  # log|det| = 0, as the first layer's mean
    assert selection.empirical(profile(model).summary()) == ["0"]
    model[4].weight.data *= 1e-6
    assert selection.empirical(profile(model).summary()) == ["0"]


def test_describe_prints_every_layer(resnet):
    table = selection.describe(resnet, IMAGE)
    assert len(table) == 54 and list(table["number"].dropna()) == list(range(1, 54))
    assert table.iloc[0].to_dict() == {
        "number": 1,
        "name": "conv1",
        "type": "Conv2d",
        "shape": (64, 3, 7, 7),
        "roles": "first, pre-skip",
    }
    assert table.iloc[-1]["type"] == "Linear" and pd.isna(table.iloc[-1]["number"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model: selection.by_order(model, [0]), "no convolution number 0: the model has 53"),
        (lambda model: selection.by_order(model, [54]), "no convolution number 54"),
        (lambda model: selection.by_name(model, "head.*"), "no layer fits 'head"),
        (lambda model: selection.by_role(model, "last", IMAGE), "choose one of first, pre-skip, skip-feeding"),
        (lambda _: selection.empirical(profile(nn.Conv2d(1, 2, 1))), r"such as profile.model..summary"),
        (lambda _: selection.empirical(profile(nn.Linear(2, 2)).summary()), "no layer of the table has more than one"),
    ],
)
def test_refusals(resnet, call, message):
    with pytest.raises(ValueError, match=message):
        call(resnet)


def test_roles_are_found_without_gradients_too():
    with torch.no_grad():
        assert selection.by_role(resnet18(), "pre-skip", IMAGE)[0] == "conv1"
