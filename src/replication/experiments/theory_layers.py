"""Random layers of each class: the paper's formula beside the exact change of the layer (section 3)."""

import math
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from entropy_guidance import (
    completed_dense_map,
    conv_entropy_change,
    convolution_matrix,
    dense_entropy_change,
    exact_conv_entropy_change,
    exact_dense_entropy_change,
)

SEED = 230814938
AUTOENCODERS = (784, range(20, 261, 40))  # inputs and latent widths of the paper's MNIST autoencoders
CORNERS = {"c11": (0, 0), "c1q": (0, -1), "cp1": (-1, 0), "cpq": (-1, -1)}
ERROR_FLOOR = 1e-10  # rounding differs between machines: a smaller error is recorded as this

Row = dict[str, Any]
Padding = Literal["valid", "same", "circular"]


def stream(name: str) -> Generator:
    """A random generator for one experiment: another experiment does not change its draws."""
    return np.random.default_rng([SEED, zlib.crc32(name.encode())])


def glorot(rng: Generator, *shape: int) -> Tensor:
    """Normal float64 weights (O, I) or (O, I, p, q) with the variance of Glorot's initialisation."""
    deviation = math.sqrt(2 / ((shape[0] + shape[1]) * math.prod(shape[2:])))
    return torch.from_numpy(deviation * rng.standard_normal(shape))


def random_layers(count: int) -> Iterator[Row]:
    """`count` layers of each class in `CLASSES`, and the paper's autoencoders; see `dense_row` and `conv_row`."""
    for name, draw in CLASSES.items():
        rng = stream(name)
        yield from ({"class": name, **draw(rng)} for _ in range(count))
    rng, (inputs, widths) = stream("autoencoders"), AUTOENCODERS
    yield from (
        {"class": "dense, wide: MNIST autoencoders", **dense_row(glorot(rng, width, inputs))} for width in widths
    )


def dense_row(weight: Tensor) -> Row:
    """A dense layer (O, I): shape, how many numbers come out and go in, and in nats

    - formula: log|det W_sq|;
    - exact: `exact_dense_entropy_change`;
    - others: the formula of the other completions: the last columns or rows as the square part;
    - error: of the log-determinant of the completed matrix, relative to the formula or 1.
    """
    outputs, inputs = weight.shape
    formula = dense_entropy_change(weight).item()
    return {
        "shape": f"{outputs} x {inputs}",
        "outputs": outputs,
        "inputs": inputs,
        "formula": formula,
        "exact": exact_dense_entropy_change(weight).item(),
        "others": [] if outputs == inputs else [dense_entropy_change(weight.flip(0, 1)).item()],
        "error": _relative_error(completed_dense_map(weight), formula),
    }


def conv_row(kernel: Tensor, image_size: tuple[int, int], padding: Padding) -> Row:
    """A convolution (O, I, p, q), stride 1: as `dense_row`, with the other three corners as the other completions.

    The formula sums over all 2-D filters, as the paper counts channels. With `same` (zeros around the image) and
    `circular` its l x w is that of the padded image: (l - p + 1)(w - q + 1) is always the number of output pixels.
    The error is given where the paper completes a matrix: one channel, no padding.
    """
    channels_out, channels_in, p, q = kernel.shape
    padded = image_size if padding == "valid" else _padded(kernel, image_size)
    formula, *others = (conv_entropy_change(kernel, padded, anchor=corner).sum().item() for corner in CORNERS.values())
    if padding == "same":
        exact = exact_dense_entropy_change(same_matrix(kernel, image_size))
    else:
        exact = exact_conv_entropy_change(kernel, image_size, padding)
    row = {
        "shape": f"{channels_out} x {channels_in} x {p} x {q}, image {image_size[0]} x {image_size[1]}",
        "outputs": channels_out * (padded[0] - p + 1) * (padded[1] - q + 1),
        "inputs": channels_in * math.prod(image_size),
        "formula": formula,
        "exact": exact.item(),
        "others": others,
    }
    if channels_out == channels_in == 1 and padding == "valid":
        row["error"] = _relative_error(convolution_matrix(kernel[0, 0], image_size, completed=True), formula)
    return row


def same_matrix(kernel: Tensor, image_size: tuple[int, int]) -> Tensor:
    """The matrix of a convolution with zeros around the image: (O, I, p, q) -> (O l w, I l w)."""
    (p, q), (length, width) = kernel.shape[-2:], image_size
    top, left = (p - 1) // 2, (q - 1) // 2
    padded = _padded(kernel, image_size)
    inside = torch.zeros(padded, dtype=torch.bool)
    inside[top : top + length, left : left + width] = True
    blocks = [[convolution_matrix(filter_, padded)[:, inside.flatten()] for filter_ in row] for row in kernel]
    return torch.cat([torch.cat(row, dim=1) for row in blocks])


def _padded(kernel: Tensor, image_size: tuple[int, int]) -> tuple[int, int]:
    return image_size[0] + kernel.shape[-2] - 1, image_size[1] + kernel.shape[-1] - 1


def _relative_error(matrix: Tensor, formula: float) -> float:
    error = abs(torch.linalg.slogdet(matrix).logabsdet.item() - formula) / max(1, abs(formula))
    return max(error, ERROR_FLOOR)


def _two_of(rng: Generator, largest: int) -> tuple[int, int]:
    """Two different whole numbers from 1 to `largest`, the smaller one first."""
    low, high = sorted(rng.choice(largest, size=2, replace=False) + 1)
    return int(low), int(high)


def _conv(rng: Generator, channels: tuple[int, int], padding: Padding) -> Row:
    """A filter of 2 x 2 to 4 x 4 on an image of 4 x 4 to 9 x 9."""
    p, q, length, width = (int(n) for n in rng.integers([2, 2, 4, 4], [5, 5, 10, 10]))
    return conv_row(glorot(rng, *channels, p, q), (length, width), padding)


def _square(rng: Generator, low: int, high: int) -> tuple[int, int]:
    size = int(rng.integers(low, high + 1))
    return size, size


CLASSES: dict[str, Callable[[Generator], Row]] = {
    "dense, wide": lambda rng: dense_row(glorot(rng, *_two_of(rng, 64))),
    "dense, square": lambda rng: dense_row(glorot(rng, *_square(rng, 1, 64))),
    "dense, tall": lambda rng: dense_row(glorot(rng, *_two_of(rng, 64)[::-1])),
    "convolution, 1 channel": lambda rng: _conv(rng, (1, 1), "valid"),
    "convolution, 1 channel, padding same": lambda rng: _conv(rng, (1, 1), "same"),
    "convolution, fewer output channels": lambda rng: _conv(rng, _two_of(rng, 4), "valid"),
    "convolution, equal channels": lambda rng: _conv(rng, _square(rng, 2, 3), "valid"),
    "convolution, equal channels, padding same": lambda rng: _conv(rng, _square(rng, 2, 3), "same"),
    "convolution, equal channels, circular": lambda rng: _conv(rng, _square(rng, 2, 3), "circular"),
    "convolution, more output channels, padding same": lambda rng: _conv(rng, _two_of(rng, 4)[::-1], "same"),
}
