"""Layers of a weights file, without the network around them, as modules that `entropy_guidance.profile` reads."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


@dataclass(frozen=True)
class FileLayer:
    """One layer: a dense one (O, I), a convolution (O, I of a group, *filter), or a transposed one (I, O of a group,
    *filter), as torch stores them.
    """

    weight: Tensor
    bias: Tensor | None = None
    transposed: bool = False
    groups: int = 1
    embedding: bool = False  # a look-up, not a linear map
    into_sum: bool = False  # whether its output is an operand of a sum, as before a skip connection

    def module(self) -> nn.Module:
        """The layer with its weight, in float32 at least: means over 16 bits lose their digits without a word."""
        weight = self.weight.to(torch.promote_types(self.weight.dtype, torch.float32))
        first, second, *size = weight.shape
        layer: nn.Module
        if self.embedding:
            layer = nn.Embedding(first, second, device="meta")
        elif not size:
            layer = nn.Linear(second, first, bias=False, device="meta")
        else:
            kind: Any = (TRANSPOSED if self.transposed else CONVOLUTIONS)[len(size) - 1]
            channels = first, second * self.groups
            inputs, outputs = channels if self.transposed else reversed(channels)
            layer = kind(inputs, outputs, tuple(size), groups=self.groups, bias=False, device="meta")
        layer.weight = nn.Parameter(weight, requires_grad=False)
        return layer


class Weights(nn.Module):
    """The layers of a file under the names that it has, which those of submodules could not be: these hold no dot."""

    def __init__(self, layers: Mapping[str, FileLayer]) -> None:
        super().__init__()
        self._layers = {name: layer.module() for name, layer in layers.items()}

    def named_modules(self, *_: Any, **__: Any) -> Iterator[tuple[str, nn.Module]]:
        """All layers with their names."""
        yield from self._layers.items()
