"""Stand-in for Imagenette at demo scale: the shapes of the CIFAR-10 stand-in as a folder tree. Not comparable.

The pictures are written as JPEG files under names and in folders like Imagenette's, some of the first version's
validation images in the second version's training folder, and read by the code that reads Imagenette.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from replication.data import imagenette, shapes

COUNTS = {"v1": {"train": 96, "validation": 32}, "v2": {"train": 100, "validation": 28}}
SIZE = 64  # pixels of a side, as prepared
SEED = 14


def prepare(folder: Path) -> None:
    """Draw the data set beside `folder`, and prepare it."""
    raw = folder.with_name(f"{folder.name}-raw")
    draw(raw)
    imagenette.prepare(folder, version="v1", size=SIZE, raw=raw, counts=COUNTS)


def draw(raw: Path) -> None:
    """Write the pictures in the layout of Imagenette's second version; all classes in turn."""
    generator = np.random.default_rng(SEED)
    train = COUNTS["v1"]["train"]
    for number in range(sum(COUNTS["v1"].values())):
        label = number % len(shapes.CLASSES)
        wnid = f"n{label:08}"
        name = f"{wnid}_{number}" if number < train else f"{imagenette.V1_VALIDATION}{number:08}"
        split = "train" if number < COUNTS["v2"]["train"] else "val"
        path = raw / split / wnid / f"{name}.JPEG"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = (shapes.draw(label, generator) * 255).round().astype(np.uint8)
        Image.fromarray(pixels).save(path, quality=95)
