"""Stand-in for CIFAR-10 at demo scale: drawn colour shapes and textures, 32 x 32, ten classes. Not comparable."""

import numpy as np
import torch
from numpy.typing import NDArray

from replication.data.images import ImageSet

SIDE = 32
TRAIN, VALIDATION = 1000, 250
CLASSES = ("disc", "square", "triangle", "ring", "cross", "stripes", "bars", "checks", "dots", "waves")
CONTRAST = (0.15, 0.5)  # how much brighter the figure is in each channel
NOISE = 0.08  # standard deviation of a pixel, white is 1

Image = NDArray[np.float64]


def read() -> ImageSet:
    """1,250 images in a fixed random order: place, size, angle, both colours and the noise vary. Hard on purpose."""
    generator = np.random.default_rng(0)
    labels = generator.integers(len(CLASSES), size=TRAIN + VALIDATION)
    drawn = np.stack([draw(label, generator) for label in labels])
    images = torch.from_numpy((drawn * 255).round().astype(np.uint8)).permute(0, 3, 1, 2).contiguous()
    classes = torch.from_numpy(labels.astype(np.uint8))
    return ImageSet(images[:TRAIN], classes[:TRAIN], images[TRAIN:], classes[TRAIN:])


def draw(label: int, generator: np.random.Generator) -> Image:
    """One image of a class, (SIDE, SIDE, 3) in [0, 1]."""
    return _colour(_mask(CLASSES[label], generator), generator)


def _mask(kind: str, generator: np.random.Generator) -> Image:
    """1 on the figure and 0 beside it, (SIDE, SIDE)."""
    grid = np.arange(SIDE) + 0.5
    size = generator.uniform(8, 13)
    row, column = SIDE / 2 + generator.uniform(-3, 3, 2)
    y, x = np.meshgrid(grid - row, grid - column, indexing="ij")
    angle = generator.uniform(-0.3, 0.3)
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    distance, period = np.hypot(x, y), generator.uniform(4, 8)
    wave_u, wave_v = np.sin(2 * np.pi * u / period), np.sin(2 * np.pi * v / period)
    inside = np.maximum(abs(u), abs(v)) < 0.85 * size
    masks = {
        "disc": distance < size,
        "square": inside,
        "triangle": (v > -size / 2) & (v < size) & (abs(u) < (size - v) / 1.5),
        "ring": (distance < size) & (distance > 0.55 * size),
        "cross": inside & (np.minimum(abs(u), abs(v)) < 0.25 * size),
        "stripes": wave_v > 0,
        "bars": wave_u > 0,
        "checks": wave_u * wave_v > 0,
        "dots": (wave_u > 0.3) & (wave_v > 0.3),
        "waves": np.sin(2 * np.pi * distance / period) > 0,
    }
    return masks[kind].astype(float)


def _colour(mask: Image, generator: np.random.Generator) -> Image:
    """(SIDE, SIDE) -> (SIDE, SIDE, 3) in [0, 1]: two colours that differ a little, and noise."""
    ground = generator.uniform(0.1, 0.6, 3)
    difference = generator.uniform(*CONTRAST, 3)
    noise = generator.normal(scale=NOISE, size=(SIDE, SIDE, 3))
    clipped: Image = np.clip(ground + mask[..., None] * difference + noise, 0, 1)
    return clipped
