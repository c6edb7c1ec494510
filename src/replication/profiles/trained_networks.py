"""Kinds of weights beside the paper's: trained networks out of packages, their random twins, and the same functions.

A kind ends in `-random` (the same shapes, Glorot-uniform), `-folded` (batch norms folded into the convolutions),
`-rescaled` (one factor a layer) or `-pixels` (first layer for pixels of 0 to 1 in place of 0 to 255). The last three
compute what the network computes.
"""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import onnx
import torch
from torch import nn

from entropy_guidance import profile
from replication.core import paths
from replication.data import imagenette
from replication.profiles import known_files, onnx_file, platelet_unet, same_function, weights_file, zoo
from replication.profiles.file_layer import FileLayer, Weights
from replication.profiles.packaged import PACKAGED
from replication.profiles.same_function import OnnxNetwork

SEED = 0
IMAGES = 2  # on which outputs are compared
EDGES = (known_files.EDGES_PART, PACKAGED["vgg16-edges"].name)  # VGG16's part alone, or the whole network's file
EDGES_PART = "block"  # how the names of VGG16's layers in the whole file begin
BLOCK = (1.0, 1.0, -2.0)  # log factors of the three convolutions of a block: what the first two gain, the last loses


@dataclass(frozen=True)
class Found:
    """A network with one kind of weights."""

    network: str
    model: nn.Module
    source: str
    into_sum: tuple[str, ...] = ()  # names of the convolutions whose output enters a sum
    differs: float | None = None  # of a same function: the largest difference of outputs, in shares of the largest one


def load(kind: str) -> Found:
    """The network of a kind of `KINDS`.

    Raises:
        UserError: its file, or the images on which outputs are compared, are not there.
    """
    return KINDS[kind]()


def edges(model: nn.Module) -> str:
    """Put VGG16's weights for edges into it, from whichever file is there; a line that says which."""
    folder = paths.raw() / "weights"
    here = next((name for name in EDGES if (folder / name).exists()), EDGES[0])
    within = EDGES_PART if here == EDGES[1] else ""
    return zoo.load_weights(model, "vgg16", str(folder / here), within=within)


def _open_nsfw() -> Found:
    path = PACKAGED["open-nsfw"].check()
    return _of_graph(onnx_file.read(path), f"{path.name} of {PACKAGED['open-nsfw'].package}")


def _of_graph(layers: dict[str, FileLayer], source: str, differs: float | None = None) -> Found:
    convolutions = {name: layer for name, layer in layers.items() if layer.weight.ndim == 4}
    into_sum = tuple(name for name, layer in convolutions.items() if layer.into_sum)
    return Found("open-nsfw", Weights(convolutions), source, into_sum, differs)


def _open_nsfw_rescaled() -> Found:
    """In each block the last convolution goes down by what the two before it gain."""

    def change(network: OnnxNetwork) -> None:
        for block in network.blocks():
            before = 0.0
            for node, log_factor in zip(block, BLOCK, strict=True):
                network.rescale_(node, log_factor, before)
                before += log_factor

    return _open_nsfw_changed(change, 1.0, "in each block the first two convolutions times e, the last over e^2")


def _open_nsfw_pixels() -> Found:
    def change(network: OnnxNetwork) -> None:
        stem = next(node for node in network.model.graph.node if node.op_type == "Conv")
        network.weights[stem.input[1]] = network.weights[stem.input[1]] * same_function.PIXEL_RANGE

    return _open_nsfw_changed(change, 1 / same_function.PIXEL_RANGE, "pixels of 0 to 1 in place of 0 to 255")


def _open_nsfw_changed(change: Callable[[OnnxNetwork], None], unit: float, said: str) -> Found:
    """Args: unit, of the pixels that the changed network reads."""
    path = PACKAGED["open-nsfw"].check()
    model = onnx.load(path)
    before, after = OnnxNetwork(model), OnnxNetwork(model)
    change(after)
    images = same_function.blue_first(imagenette.first_images(IMAGES), same_function.NSFW_MEANS)
    differs = same_function.largest_difference(before.output(images), after.output(images * unit))
    layers = {
        name: FileLayer(torch.from_numpy(after.weights[weight]), into_sum=layer.into_sum)
        for (name, layer), weight in zip(onnx_file.read(path).items(), _weight_names(model), strict=False)
    }
    return _of_graph(layers, f"{path.name}: {said}", differs)


def _weight_names(model: onnx.ModelProto) -> list[str]:
    return [node.input[1] for node in model.graph.node if node.op_type == "Conv"]


def _platelets() -> Found:
    path = PACKAGED["platelet-unet"].check()
    return Found("platelet-unet", Weights(weights_file.layers(path)), f"{path.name} of {_package('platelet-unet')}")


def _platelets_changed(change: Callable[[platelet_unet.PlateletUNet], None], said: str) -> Found:
    path = PACKAGED["platelet-unet"].check()
    before = platelet_unet.load(path)
    after = copy.deepcopy(before)
    change(after)
    volumes = platelet_unet.noise_volumes(SEED, IMAGES)
    with torch.no_grad():
        differs = same_function.largest_difference(before(volumes).numpy(), after(volumes).numpy())
    layers = {
        name: FileLayer(after.state_dict()[name], transposed=layer.transposed, groups=layer.groups)
        for name, layer in weights_file.layers(path).items()
    }
    return Found("platelet-unet", Weights(layers), f"{path.name}: {said}", differs=differs)


def _platelets_turned_over(network: platelet_unet.PlateletUNet) -> None:
    means = profile(nn.ModuleList(convolution for convolution, _ in network.pairs())).summary()["mean"]
    platelet_unet.rescale_(network, same_function.turned_over(means.tolist()))


def _vgg16(change: Callable[[list[nn.Conv2d]], None], unit: float, said: str) -> Found:
    before = zoo.build("vgg16")
    source = zoo.load_weights(before, "vgg16", "keras")
    before = before.double().eval()
    after = copy.deepcopy(before)
    change([module for module in after.modules() if isinstance(module, nn.Conv2d)])
    images = same_function.blue_first(imagenette.first_images(IMAGES), same_function.KERAS_MEANS)
    outputs = same_function.features(before, images), same_function.features(after, images * unit)
    return Found("vgg16", after, f"{source}: {said}", differs=same_function.largest_difference(*outputs))


def _vgg16_mirrored(convolutions: list[nn.Conv2d]) -> None:
    means = profile(nn.ModuleList(convolutions)).summary()["mean"].tolist()
    same_function.rescale_chain_(convolutions, same_function.mirrored(means))


@torch.no_grad()
def _vgg16_pixels(convolutions: list[nn.Conv2d]) -> None:
    convolutions[0].weight.mul_(same_function.PIXEL_RANGE)


def _random(of: Callable[[], Found]) -> Found:
    """The same shapes with Keras's random weights."""
    found = of()
    zoo.glorot_uniform_(found.model, SEED)
    return Found(found.network, found.model, f"Glorot-uniform, seed {SEED}", found.into_sum)


def _package(name: str) -> str:
    return PACKAGED[name].package


KINDS: dict[str, Callable[[], Found]] = {
    "imagenet-rescaled": lambda: _vgg16(_vgg16_mirrored, 1.0, "one factor a layer mirrors the profile"),
    "imagenet-pixels": lambda: _vgg16(
        _vgg16_pixels, 1 / same_function.PIXEL_RANGE, "pixels of 0 to 1 in place of 0 to 255"
    ),
    "open-nsfw": _open_nsfw,
    "open-nsfw-random": lambda: _random(_open_nsfw),
    "open-nsfw-rescaled": _open_nsfw_rescaled,
    "open-nsfw-pixels": _open_nsfw_pixels,
    "platelet-unet": _platelets,
    "platelet-unet-random": lambda: _random(_platelets),
    "platelet-unet-folded": lambda: _platelets_changed(platelet_unet.fold_, "batch norms folded in"),
    "platelet-unet-rescaled": lambda: _platelets_changed(
        _platelets_turned_over, "one factor a layer turns the profile over"
    ),
}
LOG_PIXELS = math.log(same_function.PIXEL_RANGE)
