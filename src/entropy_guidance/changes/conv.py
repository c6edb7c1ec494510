"""Entropy change of a convolution by the paper's formula, and the matrices that it comes from.

Shapes: O output channels, I input channels (of one group), filter p x q, image l x w, pixels row by row.
"""

import operator
from itertools import product
from numbers import Integral
from typing import Any, Literal

import torch
from torch import Tensor

Anchor = tuple[int, int] | Literal["corner", "center"]


def conv_entropy_change(
    kernel: Tensor,
    image_size: tuple[int, int] | None = None,
    *,
    anchor: Anchor = "corner",
    dilation: int | tuple[int, int] = 1,
) -> Tensor:
    """Entropy change of each 2-D filter by the paper's formula, in nats (Example 5, Corollary 6).

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

    Shape: (..., p, q) -> (...). A weight that is exactly 0 gives -inf, with a zero gradient.

    Raises:
        ValueError: not a floating-point kernel, an anchor outside of the filter, or an image smaller than the filter.

    >>> conv_entropy_change(torch.full((2, 3, 3, 3), 2.0), image_size=(4, 5))[0, 0] / torch.tensor(2.0).log()
    tensor(6.)
    """
    if kernel.ndim < 2 or not kernel.is_floating_point():
        raise ValueError(
            "a kernel is a floating-point tensor of shape (..., p, q); "
            f"got shape {tuple(kernel.shape)} and dtype {kernel.dtype}"
        )
    weight = kernel[(..., *_position(anchor, kernel.shape[-2], kernel.shape[-1]))]
    zero = weight == 0
    change = torch.where(zero, -torch.inf, torch.where(zero, 1.0, weight).abs().log())
    if image_size is None:
        return change
    return change * output_pixels(kernel, image_size, pair(dilation))


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
    output_pixels(kernel, image_size, (1, 1))
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


def checked_anchor(anchor: Anchor) -> Anchor:
    """A name or (row, column), wherever that lies; anything else raises ValueError."""
    if not isinstance(anchor, str):
        return _two_integers(anchor, "anchor", "corner, center, or (row, column)")
    if anchor not in ("corner", "center"):
        raise ValueError(f"unknown anchor {anchor!r}: choose corner, center, or (row, column)")
    return anchor


def checked_image_size(image_size: tuple[int, int]) -> tuple[int, int]:
    """(rows, columns), whole and positive; anything else raises ValueError."""
    size = _two_integers(image_size, "image_size", "(rows, columns) in pixels")
    if min(size) < 1:
        raise ValueError(f"image_size must be positive, got {size}")
    return size


def _two_integers(value: Any, name: str, wanted: str) -> tuple[int, int]:
    try:
        first, second = value
        if isinstance(first, bool) or isinstance(second, bool):
            raise TypeError
        return operator.index(first), operator.index(second)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be {wanted}, got {value!r}") from None


def _position(anchor: Anchor, p: int, q: int) -> tuple[int, int]:
    anchor = checked_anchor(anchor)
    if anchor == "corner":
        return 0, 0
    if anchor == "center":
        return p // 2, q // 2
    row, column = anchor
    if not (-p <= row < p and -q <= column < q):
        raise ValueError(f"anchor {anchor!r} is not a position in a {p} x {q} filter")
    return row, column


def output_pixels(kernel: Tensor, image_size: tuple[int, int], dilation: tuple[int, int]) -> int:
    size = checked_image_size(image_size)
    if min(dilation) < 1:
        raise ValueError(f"dilation must be positive, got {dilation}")
    rows, columns = (
        image - spread * (filter_ - 1) for image, filter_, spread in zip(size, kernel.shape[-2:], dilation, strict=True)
    )
    if rows < 1 or columns < 1:
        raise ValueError(f"an image of {size} pixels is smaller than the filter {tuple(kernel.shape[-2:])}")
    return rows * columns


def pair(value: int | tuple[int, int]) -> tuple[int, int]:
    if isinstance(value, Integral):
        return operator.index(value), operator.index(value)
    return _two_integers(value, "dilation", "integers")
