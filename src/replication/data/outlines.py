"""Outlines of objects in COCO's annotations, checked before C code sees them, which believes every size."""

import math
from collections.abc import Sequence
from typing import Any

LARGEST_SIDE = 20_000  # pixels
BEYOND = 2  # so many sides of the image may a corner lie outside of it
LEAST_CORNERS = 3


def checked_size(height: Any, width: Any) -> tuple[int, int]:
    """An image's size.

    Raises:
        ValueError: it is no size of an image.
    """
    for side in (height, width):
        if type(side) is not int or not 1 <= side <= LARGEST_SIDE:
            raise ValueError("an image has no such size")
    return height, width


def checked_outline(outline: Any, height: int, width: int) -> list[Any]:
    """An outline as `pycocotools.mask.frPyObjects` takes it: a list of polygons, or of one uncompressed run lengths.

    Raises:
        ValueError: it is none of an image of this size.
    """
    if isinstance(outline, dict):
        if list(outline.get("size", ())) != [height, width]:
            raise ValueError("an outline is of an image of another size")
        counts = outline["counts"]
        runs = list(counts) if isinstance(counts, list) else run_lengths(counts)
        if any(type(run) is not int or run < 0 for run in runs) or sum(runs) != height * width:
            raise ValueError("an outline's run lengths do not add up to its image")
        return [{"size": [height, width], "counts": runs}]
    if not isinstance(outline, list) or not all(_is_polygon(part, max(height, width)) for part in outline):
        raise ValueError("an outline is neither polygons near their image nor run lengths")
    return outline


def _is_polygon(part: Any, side: int) -> bool:
    return (
        isinstance(part, list)
        and len(part) >= 2 * LEAST_CORNERS
        and len(part) % 2 == 0
        and all(type(number) in (int, float) and math.isfinite(number) for number in part)
        and all(-BEYOND * side <= number <= (1 + BEYOND) * side for number in part)
    )


def run_lengths(text: str | bytes) -> list[int]:
    """COCO's compressed run lengths as numbers: five bits a character, from the third on differences.

    Raises:
        ValueError: the text is none.

    >>> run_lengths("52203")
    [5, 2, 2, 2, 5]
    """
    numbers: list[int] = []
    value, shift = 0, 0
    for byte in _ascii(text):
        bits = byte - 48
        if not 0 <= bits < 64 or shift > 30:
            raise ValueError("run lengths hold a character that is none of theirs")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        numbers.append(value + (numbers[-2] if len(numbers) > 2 else 0))
        value, shift = 0, 0
    if shift:
        raise ValueError("run lengths break off")
    return numbers


def _ascii(text: str | bytes) -> Sequence[int]:
    if isinstance(text, str):
        return text.encode("ascii")
    if not isinstance(text, bytes):
        raise ValueError("run lengths are numbers or a text")
    return text
