"""Stand-in for COCO at demo scale: drawn shapes as a COCO-format data set, 64 x 64 pixels. Not comparable.

Each picture is a grey wash with one to three ellipses, rectangles or triangles in a strong colour, which are the
objects, and with noise. It is written as JPEG files and annotations like COCO's, and read by the code that reads COCO.
"""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pycocotools import mask as rle

from replication.core import strict_json
from replication.data import coco

COUNTS = {"train2017": 128, "val2017": 32}
SIZE = 64  # pixels of a side, as prepared
DRAWN = (72, 96)  # height and width, as drawn
SEED = 10


def prepare(folder: Path) -> None:
    """Draw the data set beside `folder`, and prepare it."""
    raw = folder.with_name(f"{folder.name}-raw")
    draw(raw)
    coco.prepare(folder, train=COUNTS["train2017"], validation=COUNTS["val2017"], size=SIZE, raw=raw, may_lose=False)


def draw(raw: Path) -> None:
    """Write pictures and annotations in COCO's layout. Every tenth picture has a crowd, run-length encoded."""
    (raw / "annotations").mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(SEED)
    next_id = 1
    for split, count in COUNTS.items():
        (raw / split).mkdir(exist_ok=True)
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for number in range(count):
            id_ = next_id + number
            outlines = [_outline(generator) for _ in range(generator.integers(1, 4))]
            name = f"{id_:012}.jpg"
            Image.fromarray(_paint(outlines, generator)).save(raw / split / name, quality=95)
            images.append({"id": id_, "file_name": name, "height": DRAWN[0], "width": DRAWN[1], "license": 7})
            for place, outline in enumerate(outlines):
                crowd = number % 10 == 9 and place == 0 and len(outlines) > 1
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": id_,
                        "category_id": 1,
                        "iscrowd": int(crowd),
                        "segmentation": _runs(outline) if crowd else [outline],
                    }
                )
        next_id += count
        described = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "shape"}]}
        (raw / "annotations" / f"instances_{split}.json").write_text(strict_json.dumps(described))


def _outline(generator: np.random.Generator) -> list[float]:
    """A polygon x1, y1, x2, y2, ...: an ellipse, a rectangle or a triangle."""
    corners = int(generator.choice([24, 4, 3]))
    centre = generator.uniform(0.2, 0.8, 2) * (DRAWN[1], DRAWN[0])
    radii = generator.uniform(14, 34, 2)
    angles = generator.uniform(0, 2 * np.pi) + np.arange(corners) * 2 * np.pi / corners
    points = centre + radii * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    clipped: list[float] = points.clip(0, (DRAWN[1], DRAWN[0])).round(2).flatten().tolist()
    return clipped


def _area(outline: list[float]) -> np.ndarray:
    """(H, W) boolean."""
    area: np.ndarray = rle.decode(rle.merge(rle.frPyObjects([outline], *DRAWN))).astype(bool)
    return area


def _runs(outline: list[float]) -> dict[str, Any]:
    """COCO's uncompressed run lengths: down the columns, zeros first."""
    flat = _area(outline).flatten(order="F")
    changes = np.flatnonzero(np.diff(flat, prepend=False, append=not flat[-1]))
    return {"size": list(DRAWN), "counts": np.diff(changes, prepend=0).tolist()}


def _paint(outlines: list[list[float]], generator: np.random.Generator) -> np.ndarray:
    """(H, W, 3) uint8."""
    rows, columns = np.mgrid[0 : 1 : DRAWN[0] * 1j, 0 : 1 : DRAWN[1] * 1j]
    slope = generator.uniform(-60, 60, 2)
    wash = generator.uniform(80, 160) + slope[0] * rows + slope[1] * columns
    picture = np.repeat(wash[:, :, None], 3, axis=2)
    for outline in outlines:
        colour = generator.uniform(0, 255, 3)
        colour[generator.integers(3)] = generator.choice([0, 255])
        picture[_area(outline)] = colour
    picture += generator.normal(0, 12, picture.shape)
    return picture.clip(0, 255).astype(np.uint8)
