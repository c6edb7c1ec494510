"""Outlines of annotations against pycocotools, and those that it must not see."""

import math

import numpy as np
import pytest
from pycocotools import mask as rle

from replication.data.outlines import LARGEST_SIDE, checked_outline, checked_size, run_lengths

HEIGHT, WIDTH = 20, 30


def runs_of(area):
    """Down the columns, zeros first."""
    flat = area.flatten(order="F")
    changes = np.flatnonzero(np.diff(flat, prepend=0, append=2))
    return np.diff(changes, prepend=0).tolist()


@pytest.mark.parametrize("share", [0.02, 0.5, 0.98])
def test_compressed_run_lengths_are_as_pycocotools_wrote_them(share):
    area = (np.random.default_rng(1).random((HEIGHT, WIDTH)) < share).astype(np.uint8)
    compressed = rle.encode(np.asfortranarray(area))
    for counts in (compressed["counts"], compressed["counts"].decode()):
        assert run_lengths(counts) == runs_of(area)
        (listed,) = checked_outline({"size": [HEIGHT, WIDTH], "counts": counts}, HEIGHT, WIDTH)
        assert np.array_equal(rle.decode(rle.frPyObjects(listed, HEIGHT, WIDTH)), area)


def test_polygons_near_the_image_are_taken_as_they_are():
    polygon = [-3.5, 0, WIDTH + 2, 0, 4, HEIGHT]
    assert checked_outline([polygon], HEIGHT, WIDTH) == [polygon]
    assert checked_size(HEIGHT, WIDTH) == (HEIGHT, WIDTH)


@pytest.mark.parametrize(
    "outline",
    [
        [[0, 0, 1, 1]],
        [[0, 0, 1, 1, 2]],
        [[0, 0, 1, 1, 2]],
        [[0, 0, 1, 1, 2, 1e9]],
        [[0, 0, 1, 1, 2, math.nan]],
        [[0, 0, 1, 1, 2, "3"]],
        [[0, 0, 1, 1, 2, True]],
        [3],
        "text",
        None,
        {"size": [HEIGHT, WIDTH], "counts": [600, 1]},
        {"size": [HEIGHT, WIDTH], "counts": [601, -1]},
        {"size": [HEIGHT, WIDTH], "counts": [599]},
        {"size": [HEIGHT, WIDTH], "counts": [600.0]},
        {"size": [HEIGHT, WIDTH], "counts": "0"},
        {"size": [HEIGHT, WIDTH], "counts": "ooooo"},
        {"size": [HEIGHT, WIDTH], "counts": "\x7f"},
        {"size": [HEIGHT, WIDTH], "counts": 600},
        {"size": [WIDTH, HEIGHT], "counts": [600]},
        {"counts": [600]},
    ],
)
def test_others_are_refused(outline):
    with pytest.raises(ValueError, match=r"outline|run lengths"):
        checked_outline(outline, HEIGHT, WIDTH)


@pytest.mark.parametrize("side", [0, -1, LARGEST_SIDE + 1, 3.0, True, None, "20"])
def test_sides_of_no_image(side):
    for size in ((side, 5), (5, side)):
        with pytest.raises(ValueError, match="no such size"):
            checked_size(*size)
