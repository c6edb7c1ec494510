import pytest

from replication.core.run import Run
from replication.small_cnn.geometry import anchor, feature_sides


@pytest.mark.parametrize(
    ("side", "blocks", "padding", "expected"),
    [(32, 3, "valid", [32, 15, 6, 2]), (32, 3, "same", [32, 16, 8, 4]), (28, 2, "valid", [28, 13, 5])],
)
def test_sides(side, blocks, padding, expected):
    assert feature_sides(side, blocks, padding) == expected


def test_random_anchors_are_neither_corner_nor_centre():
    runs = [Run("cnn-test", {"lambda": 0.1, "anchor": "random", "replicate": k}) for k in range(60)]
    assert {anchor(run) for run in runs} == {(i, j) for i in range(3) for j in range(3)} - {(0, 0), (1, 1)}


def test_corner_and_centre():
    assert [anchor(Run("cnn-test", {"anchor": name})) for name in ("corner", "center")] == [(0, 0), (1, 1)]
