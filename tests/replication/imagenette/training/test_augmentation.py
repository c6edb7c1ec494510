"""Flip, rotation and zoom against scipy and Pillow, image by image."""

import math

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from replication.imagenette.training import augmentation

SIDE = 24
CASES = [
    (False, 0.0, 1.0),
    (True, 0.0, 1.0),
    (False, 0.7, 1.0),
    (False, -1.2, 0.8),
    (True, 1.25, 1.2),
    (True, 0.3, 0.9),
]


@pytest.fixture
def pictures():
    return torch.rand(len(CASES), 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def reference(picture, flipped, angle, zoom):
    """Flip, turn and zoom of one channel, in scipy's rows and columns, sampled once."""
    picture = picture[:, ::-1] if flipped else picture
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    centre = np.full(2, (SIDE - 1) / 2)
    offset = centre - zoom * turn @ centre
    return ndimage.affine_transform(picture, zoom * turn, offset, order=1, mode="reflect")


def test_each_image_is_the_plain_transform(pictures):
    flipped, angle, zoom = (torch.from_numpy(np.array(values)) for values in zip(*CASES, strict=True))
    found = augmentation.transform(pictures, flipped, angle, zoom)
    for row, case in enumerate(CASES):
        expected = np.stack([reference(channel, *case) for channel in pictures[row].numpy()])
        np.testing.assert_allclose(found[row].numpy(), expected, atol=1e-9, err_msg=str(case))
    torch.testing.assert_close(found[:2], torch.stack([pictures[0], pictures[1].flip(-1)]))
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_a_positive_angle_turns_clockwise():
    """A quarter turn, against Pillow, which counts anticlockwise."""
    picture = np.random.default_rng(1).random((SIDE, SIDE)).astype(np.float32)
    turned = augmentation.transform(
        torch.from_numpy(picture)[None, None], torch.tensor([False]), torch.tensor([math.pi / 2]), torch.ones(1)
    )
    expected = np.asarray(Image.fromarray(picture).rotate(-90))
    np.testing.assert_allclose(turned[0, 0].numpy(), expected, atol=1e-5)


def test_a_zoom_above_one_shows_more():
    """The area of a disc."""
    rows, columns = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    disc = torch.from_numpy((np.hypot(rows, columns) < 6).astype(float))[None, None]
    smaller, larger = (
        augmentation.transform(disc, torch.tensor([False]), torch.zeros(1), torch.tensor([zoom])).sum() / disc.sum()
        for zoom in (1.2, 0.8)
    )
    assert smaller == pytest.approx(1 / 1.2**2, rel=0.05) and larger == pytest.approx(1 / 0.8**2, rel=0.05)


def test_the_draws_have_the_papers_ranges(monkeypatch):
    drawn = []
    monkeypatch.setattr(augmentation, "transform", lambda *draws: drawn.append(draws) or draws[0])
    pictures = torch.zeros(4000, 1, 2, 2)
    augmentation.augment(pictures, torch.Generator().manual_seed(3))
    _, flipped, angle, zoom = drawn[0]
    assert flipped.double().mean() == pytest.approx(0.5, abs=0.03)
    turns = angle / (2 * math.pi)
    assert turns.abs().max() <= 0.2 and turns.min() < -0.199 and turns.max() > 0.199
    assert zoom.min() >= 0.8 and zoom.max() <= 1.2 and zoom.mean() == pytest.approx(1, abs=0.01)
    correlations = torch.corrcoef(torch.stack([flipped.double(), angle.double(), zoom.double()]))
    torch.testing.assert_close(correlations, torch.eye(3).double(), rtol=0, atol=0.06)  # drawn apart


def test_images_are_transformed_each_in_its_own_way(pictures):
    same = pictures[:1].expand(4, -1, -1, -1)
    found = augmentation.augment(same, torch.Generator().manual_seed(0))
    assert all(not torch.allclose(found[0], other) for other in found[1:])
    assert torch.equal(found, augmentation.augment(same, torch.Generator().manual_seed(0)))
