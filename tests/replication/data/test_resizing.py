"""Both ways to resize against plain arithmetic."""

import numpy as np
import pytest
from PIL import Image

from replication.data.resizing import resized

HEIGHT, WIDTH, SIZE = 20, 30, 8


@pytest.fixture
def noise():
    return np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def four_neighbours(pixels, size):
    """tf.image.resize's rule (half_pixel_centers): the four pixels around a new centre; the edge's twice."""
    height, width = pixels.shape[:2]
    square = np.empty((size, size, 3))
    for row in range(size):
        for column in range(size):
            y, x = ((k + 0.5) * side / size - 0.5 for k, side in ((row, height), (column, width)))
            y, x = max(y, 0), max(x, 0)
            top, left = int(y), int(x)
            bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
            upper, lower = (
                (1 - (x - left)) * pixels[k, left] + (x - left) * pixels[k, right].astype(float) for k in (top, bottom)
            )
            square[row, column] = (1 - (y - top)) * upper + (y - top) * lower
    return square


@pytest.mark.parametrize("size", [SIZE, 7, 40])
def test_keras_takes_the_four_pixels_next_to_the_centre(noise, size):
    found = resized(Image.fromarray(noise), size, "keras")
    assert found.dtype == np.uint8 and np.abs(found - four_neighbours(noise, size)).max() <= 0.5 + 1e-4


def test_pillow_averages_over_what_a_pixel_covers(noise):
    found = resized(Image.fromarray(noise), SIZE, "pillow")
    assert np.array_equal(found, np.asarray(Image.fromarray(noise).resize((SIZE, SIZE), Image.Resampling.BILINEAR)))
    assert found.std() < 0.7 * resized(Image.fromarray(noise), SIZE, "keras").std()


@pytest.mark.parametrize("how", ["pillow", "keras"])
def test_an_even_image_stays_as_it_is(how):
    assert (resized(Image.new("RGB", (WIDTH, HEIGHT), (7, 80, 255)), SIZE, how) == (7, 80, 255)).all()
