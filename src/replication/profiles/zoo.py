"""Networks by name, and their weights: random, from a file, or the official pretrained ones."""

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from urllib.error import URLError

import torch
from torch import nn

from replication.core import late, paths
from replication.core.errors import UserError
from replication.core.files import alone
from replication.core.schema import shown
from replication.data.download import fetch
from replication.profiles import weights_file
from replication.profiles.known_files import KERAS
from replication.profiles.packaged import PACKAGED, file_sha256


def _torchvision() -> Any:
    """Its models; it takes seconds to import, which networks of our own need not wait."""
    from torchvision import models

    return models


def _smp_unet() -> nn.Module:
    import segmentation_models_pytorch as smp  # takes seconds to import

    network: nn.Module = smp.Unet("resnet34", encoder_weights=None)
    return network


DRAWN = (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d, nn.Linear)  # layers with random weights
OWN: dict[str, Callable[[], nn.Module]] = {
    "unet": late.function("replication.coco_unet.training.model:UNet"),
    "small-vgg": late.function("replication.profiles.small_vgg:SmallVGG"),
    "smp-unet": _smp_unet,
}


def build(name: str, **options: Any) -> nn.Module:
    """A network with torch's own random weights: one of ours, or any of torchvision's.

    Args:
        options: for torchvision's builder.

    Raises:
        UserError: no network has this name.
    """
    if name in OWN:
        return OWN[name]()
    if not is_known(name):
        raise UserError(
            f"no network {shown(name)}. Known: {', '.join(OWN)}, and every name of torchvision.models.list_models(), "
            "for example vgg16 or resnet50"
        )
    builder = _torchvision().get_model_builder(name)
    if "weights_backbone" in inspect.signature(builder).parameters:
        options["weights_backbone"] = None  # its default would be downloaded
    if name in ("googlenet", "inception_v3"):
        options["init_weights"] = False  # these two warn that their random initialisation will change
    network: nn.Module = builder(weights=None, **options)
    return network


def is_known(name: str) -> bool:
    """Whether `build` has a network of this name."""
    return name in OWN or name in _torchvision().list_models()


def load_weights(model: nn.Module, name: str, weights: str, *, seed: int = 0, within: str = "") -> str:
    """Put weights into a network that `build(name)` made; a line that says which.

    Args:
        weights: `random` (Keras's initialisation), `keras` or `torchvision` (the official pretrained weights, from
            data/raw/weights or by download), or a file: a state dict (.pt, .pth, .safetensors), or the weights of VGG16
            or ResNet-50 from Keras (.h5) or as ONNX. From the last two no classifier is taken: linear layers are
            removed from the model.
        seed: of `random`.
        within: of a Keras or ONNX file of a larger network, the beginning of the names of this one's layers; a file
            with more convolutions than the network is refused without it.

    Raises:
        UserError: the weights cannot be had, or are not this network's.
    """
    if weights == "random":
        glorot_uniform_(model, seed)
        return f"Glorot-uniform, seed {seed}"
    if weights == "torchvision":
        return _load_torchvision(model, name)
    if weights == "keras":
        path = keras_file(name)
    else:
        path = Path(weights)
        if not path.is_file():
            raise UserError(f"no file {path}. --weights takes a file, or one of random, keras, torchvision")
    if weights_file.is_keras(path) or path.suffix == weights_file.ONNX:
        _load_convolutions(model, name, path, within)
    else:
        _load_state_dict(model, path)
    return path.name


def glorot_uniform_(model: nn.Module, seed: int) -> None:
    """Keras's default initialisation of every convolution and linear layer: U(-a, a), a^2 = 6 / (fan in + fan out)."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, DRAWN):
            nn.init.xavier_uniform_(module.weight, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def keras_file(name: str, folder: Path | None = None) -> Path:
    """The official Keras file of a network, from `folder`, by default data/raw/weights, or by download; or the file of
    a package with the same convolutions, where the folder holds that alone.

    Raises:
        UserError: Keras's weights of this network are not known here, or cannot be had.
    """
    if name not in KERAS:
        raise UserError(f"Keras's weights are known for {', '.join(KERAS)}, not for {name}")
    path = (folder or paths.raw() / "weights") / KERAS[name].name
    if path.exists():
        return path
    if name in PACKAGED and (same := path.with_name(PACKAGED[name].name)).exists():
        return same
    with alone(path.with_name(f"{path.name}.lock"), f"downloads {path.name}"):
        return fetch([KERAS[name].url], path, KERAS[name].md5, instead="a file of that name")


def torchvision_file(name: str) -> Path:
    """Where torchvision keeps its weights of a network."""
    return Path(torch.hub.get_dir()) / "checkpoints" / _torchvision_weights(name).url.rpartition("/")[2]


def fetch_torchvision(name: str) -> Path:
    """Bring torchvision's weights of a network into its cache.

    Raises:
        UserError: they cannot be downloaded, or what is there or came is another file.
    """
    _torchvision_state(name)
    return torchvision_file(name)


def _load_torchvision(model: nn.Module, name: str) -> str:
    if name in OWN:
        raise UserError(f"torchvision has no weights of {name}")
    model.load_state_dict(_torchvision_state(name))
    return f"torchvision {_torchvision_weights(name)}"


def _torchvision_weights(name: str) -> Any:
    return next(iter(_torchvision().get_model_weights(name)))


def _torchvision_state(name: str) -> dict[str, Any]:
    """The state dict, without unpickling. A file's name ends in the beginning of its SHA-256, which torch compares when
    it downloads the file and never again.
    """
    weights, path = _torchvision_weights(name), torchvision_file(name)
    published = re.search(r"-([0-9a-f]{8,})\.", path.name)
    if path.exists() and published and not (found := file_sha256(path)).startswith(published[1]):
        raise UserError(
            f"{path} is not the file that torchvision published: its SHA-256 is {found}, which should begin with "
            f"{published[1]}. Delete it, and it is fetched again"
        )
    try:
        state: dict[str, Any] = weights.get_state_dict(progress=True, check_hash=True, weights_only=True)
    except UnpicklingError as error:
        raise UserError(f"{path} holds more than weights: {str(error).partition(chr(10))[0]}") from None
    except (URLError, OSError, RuntimeError) as error:
        raise UserError(
            f"could not download {weights.url}: {error}. Without a connection, bring the file yourself and give its "
            "path as --weights"
        ) from None
    return state


def _load_state_dict(model: nn.Module, path: Path) -> None:
    state = weights_file.state_dict(path)
    try:
        model.load_state_dict(state)
    except (RuntimeError, TypeError) as error:
        raise UserError(f"{path} does not fit the network: {error}") from None


def _load_convolutions(model: nn.Module, name: str, path: Path, within: str) -> None:
    """Copy the convolutions of a Keras or ONNX file."""
    modules = {key: module for key, module in model.named_modules() if isinstance(module, nn.Conv2d)}
    kernels = {
        key: (layer.weight, layer.bias)
        for key, layer in weights_file.layers(path).items()
        if layer.weight.ndim == 4 and key.startswith(within)
    }
    if name == "resnet50":
        kernels = {_resnet_name(key): value for key, value in kernels.items()}
    elif len(kernels) == len(modules):  # a plain chain: both count from the input
        kernels = dict(zip(modules, kernels.values(), strict=True))
    shapes = {key: tuple(kernel.shape) for key, (kernel, _) in kernels.items()}
    for key, (kernel, bias) in kernels.items():
        if bias is not None and tuple(bias.shape) != kernel.shape[:1]:
            raise UserError(f"{path}: the bias of {key} has shape {tuple(bias.shape)} for {len(kernel)} channels")
    expected = {key: tuple(module.weight.shape) for key, module in modules.items()}
    if shapes != expected:
        raise UserError(
            f"{path} does not fit {name}: it holds {len(shapes)} convolutions, the network has {len(expected)}; first "
            f"difference: {next(iter(set(shapes.items()) ^ set(expected.items())))}"
        )
    with torch.no_grad():
        for key, (kernel, bias) in kernels.items():
            modules[key].weight.copy_(kernel)
            if bias is not None and modules[key].bias is not None:
                modules[key].bias.copy_(bias)  # type: ignore[union-attr]
    for key, module in list(model.named_modules()):
        if isinstance(module, nn.Linear):
            parent, _, child = key.rpartition(".")
            setattr(model.get_submodule(parent), child, nn.Identity())


def _resnet_name(layer: str) -> str:
    """Keras's name of a ResNet convolution -> torchvision's; `conv3_block1_0_conv` -> `layer2.0.downsample.0`.

    Older files say `res3a_branch1`. Names that fit neither stay as they are and will not fit the network.
    """
    if layer in ("conv1_conv", "conv1"):
        return "conv1"
    if match := re.fullmatch(r"conv(\d)_block(\d+)_(\d)_conv", layer):
        stage, block, place = int(match[1]) - 1, int(match[2]) - 1, int(match[3])
    elif match := re.fullmatch(r"res(\d)([a-z])_branch(?:1|2([abc]))", layer):
        stage, block = int(match[1]) - 1, ord(match[2]) - ord("a")
        place = "abc".index(match[3]) + 1 if match[3] else 0
    else:
        return layer
    return f"layer{stage}.{block}." + (f"conv{place}" if place else "downsample.0")
