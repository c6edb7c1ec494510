"""VGG16 and ResNet-50 with a head of ten classes: torchvision's, whole or with a fraction of the channels."""

from contextlib import nullcontext

import torch
from torch import nn

from replication.profiles.zoo import build as build_by_name
from replication.profiles.zoo import glorot_uniform_

CLASSES = 10
COLOURS = 3


def build(name: str, *, dropout: float = 0.0, divisor: int = 1) -> nn.Module:
    """A network whose weights are still to be set by `initialise_`.

    Args:
        name: `vgg16` or `resnet50`.
        dropout: before VGG16's second and third dense layers; ResNet-50's head is one dense layer, which it precedes.
        divisor: every layer has this many times fewer channels than torchvision's: the demo's size.
    """
    with torch.device("meta") if divisor > 1 else nullcontext():
        if name == "vgg16":
            model = build_by_name(name, num_classes=CLASSES, dropout=dropout, init_weights=False)
        else:
            model = build_by_name(name, num_classes=CLASSES)
            if dropout:
                model.fc = nn.Sequential(nn.Dropout(dropout), model.get_submodule("fc"))
    if divisor > 1:
        _narrow_(model, divisor)
    return model


def initialise_(model: nn.Module, initialisation: str, seed: int) -> None:
    """Draw all weights anew; biases are zero.

    - `glorot-uniform`: Keras's default.
    - `he-normal`: convolutions He-normal by their outputs, dense layers normal with standard deviation 0.01, as
      torchvision initialises its VGG16.
    """
    if initialisation == "glorot-uniform":
        glorot_uniform_(model, seed)
        return
    assert initialisation == "he-normal", initialisation
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=generator)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0, 0.01, generator=generator)
        if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)


def _narrow_(model: nn.Module, divisor: int) -> None:
    """Replace every layer that has channels by one with fewer; images and classes keep their number."""

    def scaled(channels: int) -> int:
        return channels if channels in (COLOURS, CLASSES) else max(1, channels // divisor)

    for name, module in list(model.named_modules()):
        replacement: nn.Module
        if isinstance(module, nn.Conv2d):
            assert isinstance(module.padding, tuple)
            replacement = nn.Conv2d(
                scaled(module.in_channels),
                scaled(module.out_channels),
                module.kernel_size,  # type: ignore[arg-type]
                module.stride,  # type: ignore[arg-type]
                module.padding,  # type: ignore[arg-type]
                bias=module.bias is not None,
            )
        elif isinstance(module, nn.BatchNorm2d):
            replacement = nn.BatchNorm2d(scaled(module.num_features))
        elif isinstance(module, nn.Linear):
            replacement = nn.Linear(scaled(module.in_features), scaled(module.out_features))
        else:
            continue
        model.set_submodule(name, replacement)
