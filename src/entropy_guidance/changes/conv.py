"""Entropy change of a convolution by the paper's formula, and the matrices that it comes from.

Shapes: O output channels, I input channels (of one group), filter p x q, image l x w, pixels row by row.
"""

from collections.abc import Sequence
from itertools import product
from typing import Any

import torch
from torch import Tensor

from entropy_guidance.changes.sizes import Anchor, output_pixels, position


def conv_entropy_change(
    kernel: Tensor,
    image_size: Sequence[int] | None = None,
    *,
    anchor: Anchor = "corner",
    dilation: int | Sequence[int] = 1,
    dimensions: int = 2,
) -> Tensor:
    """Entropy change of each filter by the paper's formula, in nats (Example 5, Corollary 6).

    Without an image size, log|c11| per filter and pixel, as Figures 1 and 7 to 9 plot it: a property of the weights,
    whatever the stride or padding. With one, (l - p + 1)(w - q + 1) log|c11|: the change through the paper's
    identity-completed map of one channel's image, which exists for stride 1 and without padding alone (of a padded
    image give the padded size). Dilated filters count with their spread size.
    Of a grouped convolution each filter of each group counts.

    Args:
        kernel: (O, I, p, q), or any (..., p, q).
        image_size: (l, w) in pixels.
        anchor: which weight stands in for c11: `corner` (0, 0), `center`, or (row, column) for placebo experiments.
        dilation: of the layer; it matters only together with an image size.
        dimensions: of the images: the paper's are two; the same construction gives log|c1| for one and log|c111| for
            three, with kernels (..., p) and (..., p, q, r).

    Shape: (..., p, q) -> (...). A weight that is exactly 0 gives -inf, with a zero gradient.

    Raises:
        ValueError: not a floating-point kernel, an anchor outside of the filter, or an image smaller than the filter.

    >>> conv_entropy_change(torch.full((2, 3, 3, 3), 2.0), image_size=(4, 5))[0, 0] / torch.tensor(2.0).log()
    tensor(6.)
    """
    if kernel.ndim < dimensions or not kernel.is_floating_point():
        raise ValueError(
            f"a kernel is a floating-point tensor of shape (..., {', '.join('pqrs'[:dimensions])}); "
            f"got shape {tuple(kernel.shape)} and dtype {kernel.dtype}"
        )
    filter_ = kernel.shape[kernel.ndim - dimensions :]
    weight = at_position(kernel, position(anchor, filter_))
    zero = weight == 0
    change = torch.where(zero, -torch.inf, torch.where(zero, 1.0, weight).abs().log())
    if image_size is None:
        return change
    return change * output_pixels(filter_, image_size, dilation)


def at_position(kernel: Tensor, at: tuple[int, ...]) -> Tensor:
    """The weight at one position of each filter, (..., *filter) -> (...), a view."""
    index: Any = (..., *at)
    return kernel[index]


def convolution_matrix(
    kernel: Tensor, image_size: tuple[int, int], *, completed: bool = False, corner: tuple[int, int] = (0, 0)
) -> Tensor:
    """The matrix K of one filter over an l x w image, valid, stride 1: K @ image.flatten() is its output (eq. 36).

    With `completed`, the square matrix of eqs. 38 and 39: each Toeplitz block and the whole are filled up with rows of
    the identity. It is triangular, and its determinant is the corner weight to the power (l - p + 1)(w - q + 1).

    Args:
        kernel: one filter (p, q).
        image_size: (l, w) in pixels.
        completed: append the rows that make the matrix square.
        corner: where the completed matrix keeps the identity free: (0, 0) is the paper's choice and puts c11 on the
            diagonal; (0, 1), (1, 0) and (1, 1) are the equally possible ones for the other three corners.

    Shape: ((l - p + 1)(w - q + 1), l w), or (l w, l w) when completed.

    Raises:
        ValueError: not a single filter, an image smaller than the filter, or an unknown corner.
    """
    if kernel.ndim != 2:
        raise ValueError(f"one filter of shape (p, q) is expected, got {tuple(kernel.shape)}")
    corners = list(product((0, 1), repeat=2))
    if tuple(corner) not in corners:
        raise ValueError(f"unknown corner {corner!r}: choose one of {', '.join(map(str, corners))}")
    output_pixels(kernel.shape, image_size, 1)
    length, width = image_size
    flipped = [dim for dim, last in enumerate(corner) if last]
    if completed and flipped:
        # The other corners are the same construction for the mirrored filter and mirrored images.
        mirror = torch.arange(length * width).reshape(length, width).flip(flipped).flatten()
        return convolution_matrix(kernel.flip(flipped), image_size, completed=True)[mirror][:, mirror]

    p, q = kernel.shape
    matrix = kernel.new_zeros(length, width, length, width)  # output row, column; input row, column
    for row in range(length - p + 1):
        for column in range(width - q + 1):
            matrix[row, column, row : row + p, column : column + q] = kernel
    if not completed:
        return matrix[: length - p + 1, : width - q + 1].reshape(-1, length * width)
    for row in range(length):
        for column in range(width):
            if row > length - p or column > width - q:
                matrix[row, column, row, column] = 1
    return matrix.reshape(length * width, length * width)
