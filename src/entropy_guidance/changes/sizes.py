"""Positions in a filter, sizes of images, steps: what users give of a convolution, checked."""

import math
import operator
from collections.abc import Sequence
from numbers import Integral
from typing import Any, Literal

Anchor = tuple[int, ...] | Literal["corner", "center"]


def checked_anchor(anchor: Anchor) -> Anchor:
    """A name or a position, wherever that lies; anything else raises ValueError."""
    if not isinstance(anchor, str):
        return _integers(anchor, "anchor", "corner, center, or (row, column)")
    if anchor not in ("corner", "center"):
        raise ValueError(f"unknown anchor {anchor!r}: choose corner, center, or (row, column)")
    return anchor


def position(anchor: Anchor, filter_: Sequence[int]) -> tuple[int, ...]:
    """Where in a filter of this size an anchor lies.

    Raises:
        ValueError: outside of it, or of another number of dimensions.
    """
    anchor = checked_anchor(anchor)
    if anchor == "corner":
        return (0,) * len(filter_)
    if anchor == "center":
        return tuple(size // 2 for size in filter_)
    if len(anchor) != len(filter_) or not all(-size <= at < size for at, size in zip(anchor, filter_, strict=True)):
        raise ValueError(f"anchor {anchor!r} is not a position in a {' x '.join(map(str, filter_))} filter")
    return tuple(int(at) for at in anchor)


def checked_image_size(image_size: int | Sequence[int]) -> int | tuple[int, ...]:
    """One number for all dimensions or one for each, whole and positive; anything else raises ValueError."""
    if isinstance(image_size, Integral) and not isinstance(image_size, bool):
        size: int | tuple[int, ...] = operator.index(image_size)
    else:
        size = _integers(image_size, "image_size", "(rows, columns) in pixels")
    if min((size,) if isinstance(size, int) else size) < 1:
        raise ValueError(f"image_size must be positive, got {size}")
    return size


def each_dimension(value: int | Sequence[int], dimensions: int, name: str) -> tuple[int, ...]:
    """A number for each dimension.

    Raises:
        ValueError: not whole numbers, not positive, or for another number of dimensions.
    """
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    steps = (operator.index(value),) * dimensions if whole else _integers(value, name, "integers")  # type: ignore[arg-type]
    if len(steps) != dimensions:
        raise ValueError(f"{name} {steps} has {len(steps)} dimensions, the filter has {dimensions}")
    if min(steps, default=1) < 1:
        raise ValueError(f"{name} must be positive, got {value}")
    return steps


def output_pixels(filter_: Sequence[int], image_size: Sequence[int], dilation: int | Sequence[int]) -> int:
    """How many places a filter has in an image, valid, stride 1.

    Raises:
        ValueError: it has none.
    """
    size = each_dimension(image_size, len(filter_), "image_size")
    steps = each_dimension(dilation, len(filter_), "dilation")
    places = [image - step * (extent - 1) for image, extent, step in zip(size, filter_, steps, strict=True)]
    if min(places, default=1) < 1:
        raise ValueError(f"an image of {size} pixels is smaller than the filter {tuple(filter_)}")
    return math.prod(places)


def _integers(value: Any, name: str, wanted: str) -> tuple[int, ...]:
    try:
        if isinstance(value, str) or any(isinstance(each, bool) for each in value) or not len(value):
            raise TypeError
        return tuple(operator.index(each) for each in value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be {wanted}, got {value!r}") from None
