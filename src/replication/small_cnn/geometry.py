"""The filters of the networks, the images between their blocks, and the guided position; needs no torch."""

from typing import Literal

from replication.core.run import Run

FILTER = 3
POOL = 2

Padding = Literal["valid", "same"]


def feature_sides(side: int, blocks: int, padding: Padding) -> list[int]:
    """Side in pixels of the square image that enters each block, and of what leaves the last.

    >>> feature_sides(32, 3, "valid")
    [32, 15, 6, 2]
    """
    sides = [side]
    for _ in range(blocks):
        convolved = sides[-1] - (FILTER - 1 if padding == "valid" else 0)
        sides.append(convolved // POOL)
    return sides


def anchor(run: Run) -> tuple[int, int]:
    """The guided position in a filter. `random`: neither corner nor centre, one of the others for each replicate."""
    if run["anchor"] == "center":
        return FILTER // 2, FILTER // 2
    if run["anchor"] == "random":
        others = [k for k in range(FILTER**2) if k not in (0, FILTER**2 // 2)]
        return divmod(others[run.seed("anchor") % len(others)], FILTER)
    return 0, 0
