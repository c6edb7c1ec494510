"""Random layers of each class: the paper's formula beside the exact change of the layer (section 3)."""

import math
import zlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Literal

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
from replication.theory.record import CORNERS, Row

SEED = 230814938
AUTOENCODERS = (784, range(20, 261, 40))  # inputs and latent widths of the paper's MNIST autoencoders
ERROR_FLOOR = 1e-10  # rounding differs between machines: a smaller error is recorded as this

Padding = Literal["valid", "same", "causal", "circular"]


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
        "error": _relative_error(torch.linalg.slogdet(completed_dense_map(weight)).logabsdet.item(), formula),
    }


def conv_row(kernel: Tensor, image_size: tuple[int, int], padding: Padding) -> Row:
    """A convolution (O, I, p, q), stride 1: as `dense_row`, with the other three corners as the other completions.

    padding: none (`valid`), zeros on all sides (`same`) or only below and to the right (`causal`), or `circular`.
    But for `valid` the formula's l x w is that of the padded image: (l - p + 1)(w - q + 1) is always the number of
    output pixels. The formula sums over all 2-D filters, as the paper counts channels. The error is given where the
    paper completes a matrix: one channel, no padding.
    """
    channels_out, channels_in, p, q = kernel.shape
    padded = image_size if padding == "valid" else _padded(kernel, image_size)
    formula, *others = (conv_entropy_change(kernel, padded, anchor=corner).sum().item() for corner in CORNERS.values())
    row = {
        "shape": f"{channels_out} x {channels_in} x {p} x {q}, image {image_size[0]} x {image_size[1]}",
        "outputs": channels_out * (padded[0] - p + 1) * (padded[1] - q + 1),
        "inputs": channels_in * math.prod(image_size),
        "formula": formula,
        "exact": _exact_conv(kernel, image_size, padding),
        "others": [] if padding == "causal" else others,  # a causal layer singles out c11 by itself
    }
    if channels_out == channels_in == 1 and padding == "valid":
        completed = convolution_matrix(kernel[0, 0], image_size, completed=True)
        row["error"] = _relative_error(rational_log_abs_det(completed), formula)
    return row


def _exact_conv(kernel: Tensor, image_size: tuple[int, int], padding: Padding) -> float:
    if padding == "causal":
        return rational_log_abs_det(zero_padded_matrix(kernel, image_size, (0, 0)))
    if padding == "same":
        before = (kernel.shape[-2] - 1) // 2, (kernel.shape[-1] - 1) // 2
        return exact_dense_entropy_change(zero_padded_matrix(kernel, image_size, before)).item()
    return exact_conv_entropy_change(kernel, image_size, padding).item()


def zero_padded_matrix(kernel: Tensor, image_size: tuple[int, int], before: tuple[int, int]) -> Tensor:
    """The matrix of a convolution that keeps the image's size: (O, I, p, q) -> (O l w, I l w).

    before: rows of zeros above the image and columns of zeros to its left, of p - 1 and q - 1 in all.
    """
    (length, width), (top, left), padded = image_size, before, _padded(kernel, image_size)
    inside = torch.zeros(padded, dtype=torch.bool)
    inside[top : top + length, left : left + width] = True
    blocks = [[convolution_matrix(filter_, padded)[:, inside.flatten()] for filter_ in row] for row in kernel]
    return torch.cat([torch.cat(row, dim=1) for row in blocks])


def _padded(kernel: Tensor, image_size: tuple[int, int]) -> tuple[int, int]:
    return image_size[0] + kernel.shape[-2] - 1, image_size[1] + kernel.shape[-1] - 1


def rational_log_abs_det(matrix: Tensor) -> float:
    """log|det| by elimination in exact fractions, fast for matrices near to triangular.

    A triangular Toeplitz matrix with a small diagonal can be too ill-conditioned for LU in float64.
    """
    rows = [[Fraction(value) for value in row] for row in matrix.tolist()]
    log_abs_det = 0.0
    for k in range(len(rows)):
        pivot = next((r for r in range(k, len(rows)) if rows[r][k]), None)
        if pivot is None:
            return -math.inf
        rows[k], rows[pivot] = rows[pivot], rows[k]
        log_abs_det += math.log(abs(rows[k][k].numerator)) - math.log(rows[k][k].denominator)
        for r in range(k + 1, len(rows)):
            if factor := rows[r][k] / rows[k][k]:
                rows[r] = [a - factor * b for a, b in zip(rows[r], rows[k], strict=True)]
    return log_abs_det


def _relative_error(log_abs_det: float, formula: float) -> float:
    return max(abs(log_abs_det - formula) / max(1, abs(formula)), ERROR_FLOOR)


def _two_of(rng: Generator, largest: int) -> tuple[int, int]:
    """Two different whole numbers from 1 to `largest`, the smaller one first."""
    low, high = sorted(rng.choice(largest, size=2, replace=False) + 1)
    return int(low), int(high)


def _conv(rng: Generator, channels: tuple[int, int], padding: Padding) -> Row:
    """A filter of 2 x 2 to 4 x 4 (`same`: 3 x 3, as in practice) on an image of 4 x 4 to 9 x 9."""
    low, high = (3, 3) if padding == "same" else (2, 4)
    p, q, length, width = (int(n) for n in rng.integers([low, low, 4, 4], [high, high, 9, 9], endpoint=True))
    return conv_row(glorot(rng, *channels, p, q), (length, width), padding)


def _square(rng: Generator, low: int, high: int) -> tuple[int, int]:
    size = int(rng.integers(low, high + 1))
    return size, size


CLASSES: dict[str, Callable[[Generator], Row]] = {
    "dense, wide": lambda rng: dense_row(glorot(rng, *_two_of(rng, 64))),
    "dense, square": lambda rng: dense_row(glorot(rng, *_square(rng, 1, 64))),
    "dense, tall": lambda rng: dense_row(glorot(rng, *_two_of(rng, 64)[::-1])),
    "convolution, 1 channel": lambda rng: _conv(rng, (1, 1), "valid"),
    "convolution, 1 channel, causal": lambda rng: _conv(rng, (1, 1), "causal"),
    "convolution, 1 channel, padding same": lambda rng: _conv(rng, (1, 1), "same"),
    "convolution, fewer output channels": lambda rng: _conv(rng, _two_of(rng, 4), "valid"),
    "convolution, equal channels": lambda rng: _conv(rng, _square(rng, 2, 3), "valid"),
    "convolution, equal channels, padding same": lambda rng: _conv(rng, _square(rng, 2, 3), "same"),
    "convolution, equal channels, circular": lambda rng: _conv(rng, _square(rng, 2, 3), "circular"),
    "convolution, more output channels, padding same": lambda rng: _conv(rng, _two_of(rng, 4)[::-1], "same"),
}
