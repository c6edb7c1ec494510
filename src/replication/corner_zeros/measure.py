"""What a guided weight meets in the other experiments: the share of the numbers it is multiplied with that are zero, on
real images. Of the autoencoders the same of their guided inputs.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from entropy_guidance import selection
from replication import data
from replication.core import strict_json, studies
from replication.core.errors import UserError
from replication.core.family import find
from replication.core.profiled_weights import OTHERS
from replication.core.settings import Parameters
from replication.corner_zeros.record import Row, record_path, recorded
from replication.data.images import ImageSet, pixels
from replication.data.mapped import MappedSet
from replication.profiles import measure as profiles
from replication.profiles.settings import NETWORKS
from replication.profiles.settings import read as read_profiles
from replication.profiles.zoo import glorot_uniform_
from replication.small_cnn.geometry import FILTER, POOL

SMALL_IMAGES, LARGE_IMAGES = 1000, 16  # validation images of small data sets, and of those that large networks see
SEED = 0
CORNER = (0, 0)
UNTRAINED = "untrained"


def write(parameters: Parameters) -> list[str]:
    """Measure every network whose images and weights can be had and write data/runs/<scale>/corner-zeros.json.

    Lines for the user. What cannot be had now keeps what the record has of it.
    """
    before = {(line["network"], line["weights"]): line["rows"] for line in recorded(parameters.scale)}
    messages, found = [], []
    for network, weights in _wanted(parameters):
        try:
            rows, said = _measured(parameters, network, weights), "measured"
        except UserError as error:
            rows = before.get((network, weights), [])
            said = f"{'the recorded rows are kept' if rows else 'left out'}. {error}"
        messages.append(f"{network}, {weights}: {said}")
        if rows:
            found.append({"network": network, "weights": weights, "rows": rows})
    studies.write(record_path(parameters.scale), strict_json.dumps(found, indent=1) + "\n")
    return messages


def _wanted(parameters: Parameters) -> Iterator[tuple[str, str]]:
    """A family of small networks, or a large network; and its weights."""
    for family, room in parameters.families.items():
        if room in ("autoencoder", "small_cnn"):
            yield family, UNTRAINED
    chosen = read_profiles(parameters)
    for network in NETWORKS:
        for weights in chosen[network].weights:
            if weights not in OTHERS:
                yield network, UNTRAINED if weights == "random" else weights


def _measured(parameters: Parameters, network: str, weights: str) -> list[Row]:
    room = parameters.families.get(network)
    if room == "autoencoder":
        settings = _settings(parameters, network)
        return square_parts(pixels(_images(settings.grid.dataset).train_images), settings.grid.widths)
    if room == "small_cnn":
        settings = _settings(parameters, network)
        images = _images(settings.grid.dataset).validation_images[:SMALL_IMAGES]
        return behind(*small_cnn(settings, images.shape[1]), images / 255)
    chosen = read_profiles(parameters)[network]
    model, _ = profiles.load_network(parameters, chosen, "random" if weights == UNTRAINED else weights)
    family = chosen.network if chosen.network in parameters.families else f"{network}-imagenette"
    layers = guided_layers(model, getattr(_settings(parameters, family).grid, "rows", ()))
    images = _batch(_smallest(parameters, family))
    if next(model.parameters()).shape[1] == 1:  # a stand-in for grey images
        images = images.mean(1, keepdim=True)
    return behind(model, layers, images)


def _settings(parameters: Parameters, family: str) -> Any:
    """Of a family that every scale has."""
    settings = find(parameters, family).settings
    assert settings is not None
    return settings


def _images(name: str) -> ImageSet:
    images = data.load(name)
    assert isinstance(images, ImageSet)
    return images


def _smallest(parameters: Parameters, family: str) -> str:
    """The data set of a family, or of its sample, which has images of the same kind."""
    sample = f"{family}-sample"
    name = (parameters.dataset(sample) if sample in parameters.families else None) or parameters.dataset(family)
    assert name is not None
    return name


def _batch(name: str) -> Tensor:
    """The first validation images, (B, 3, H, W), in [0, 1]."""
    images = data.load(name)
    assert isinstance(images, MappedSet)
    return images.batch("validation", torch.arange(LARGE_IMAGES), torch.device("cpu"), torch.float32)[0]


def guided_layers(model: nn.Module, rows: Sequence[str]) -> list[str]:
    """The layers that the paper guides: all that Table 2's rows name by number or role; of a U-Net, those of Table 3.

    Args:
        rows: of Table 2; none for a U-Net.
    """
    if not rows:
        return selection.by_role(model, "skip-feeding", torch.empty(1, 3, 64, 64))
    numbers = sorted({int(number) for row in rows for number in row.split("+") if number.isdecimal()})
    early = selection.by_role(model, "pre-skip", torch.empty(1, 3, 64, 64)) if "pre-skip" in rows else []
    return list(dict.fromkeys([*selection.by_order(model, numbers or [1]), *early]))


def small_cnn(settings: Any, channels: int) -> tuple[nn.Sequential, list[str]]:
    """The family's deepest network with its fewest filters, and the names of its convolutions."""
    grid, training = settings.grid, settings.training
    layers: list[nn.Module] = []
    for block in range(max(grid.blocks)):
        layers += [
            nn.Conv2d(grid.widths[0] if block else channels, grid.widths[0], FILTER, padding=training.padding),
            nn.LeakyReLU(training.negative_slope),
            nn.MaxPool2d(POOL),
        ]
    model = nn.Sequential(*layers)
    glorot_uniform_(model, SEED)
    return model, [name for name, layer in model.named_modules() if isinstance(layer, nn.Conv2d)]


@torch.no_grad()
def behind(model: nn.Module, layers: Sequence[str], images_BCHW: Tensor) -> list[Row]:
    """What the weights of some convolutions meet, by layer (columns of `record.read`). Padding counts: zeros."""
    rows: dict[str, Row] = {}
    modules = dict(model.named_modules())

    def look(name: str, layer: nn.Conv2d, x_BCHW: Tensor) -> None:
        height, width = layer.kernel_size
        corner, centre = (met(layer, x_BCHW, at) for at in (CORNER, (height // 2, width // 2)))
        rows[name] = {
            "layer": name,
            "images": len(x_BCHW),
            "corner": _share(corner == 0),
            "centre": _share(centre == 0),
            "whole": _share(x_BCHW == 0),
            "never": _share((corner == 0).all(dim=3).all(dim=2).all(dim=0)),
        }

    hooks = [
        modules[name].register_forward_pre_hook(lambda layer, inputs, name=name: look(name, layer, inputs[0]))
        for name in layers
    ]
    try:
        model.eval()(images_BCHW)
    finally:
        for hook in hooks:
            hook.remove()
    return [rows[name] for name in layers]


def met(layer: nn.Conv2d, x_BCHW: Tensor, at: tuple[int, int]) -> Tensor:
    """What a weight of each filter is multiplied with, at every position of the filter: (B, C, H', W').

    Args:
        at: row and column of the weight in the filter.
    """
    padding = _named(layer) if isinstance(layer.padding, str) else [(p, p) for p in layer.padding]
    x_BCHW = F.pad(x_BCHW, (*padding[1], *padding[0]))
    for axis in (0, 1):
        reach = layer.dilation[axis] * (layer.kernel_size[axis] - 1)
        start, stop = layer.dilation[axis] * at[axis], x_BCHW.shape[2 + axis] - reach + layer.dilation[axis] * at[axis]
        x_BCHW = x_BCHW.narrow(2 + axis, start, stop - start)
    return x_BCHW[:, :, :: layer.stride[0], :: layer.stride[1]]


def _named(layer: nn.Conv2d) -> list[tuple[int, int]]:
    """Padding before and behind, by axis."""
    if layer.padding == "valid":
        return [(0, 0), (0, 0)]
    whole = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
    return [(w // 2, w - w // 2) for w in whole]


def _share(mask: Tensor) -> float:
    return round(float(mask.double().mean()), 6)


def square_parts(images_NI: Tensor, widths: Sequence[int]) -> list[Row]:
    """The same of the square parts of an autoencoder's first layer."""
    zero_I = 1 - (images_NI > 0).double().mean(0)
    return [
        {
            "layer": f"width {width}",
            "images": len(images_NI),
            "corner": round(float(zero_I[:width].mean()), 6),
            "centre": None,
            "whole": round(float(zero_I.mean()), 6),
            "never": round(float((zero_I[:width] == 1).double().mean()), 6),
        }
        for width in widths
    ]
