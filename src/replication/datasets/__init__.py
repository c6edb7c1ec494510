"""Data sets by name. Prepared arrays are a cache under data/prepared; the manifest is what is tracked."""

import re
from collections.abc import Callable

from replication import paths
from replication.datasets import digits, mnist
from replication.datasets.images import ImageSet, write_manifest
from replication.datasets.masks import MaskSet
from replication.errors import UserError

READERS: dict[str, Callable[[], ImageSet]] = {"mnist": mnist.read, "digits": digits.read}
STAND_INS = frozenset({"digits", "shapes"})


def load(name: str) -> ImageSet | MaskSet:
    """The prepared data set; prepared now when it is not there yet.

    `coco-TRAIN-VALIDATION` is COCO with so many images; `coco-crowds-TRAIN-VALIDATION` has crowds in its masks.
    """
    if name == "shapes" or name.startswith("coco"):
        return _load_masks(name)
    path = paths.PREPARED / f"{name}.safetensors"
    if not path.exists():
        READERS[name]().save(path)
    return ImageSet.read(path)


def _load_masks(name: str) -> MaskSet:
    from replication.datasets import coco, shapes  # pycocotools brings matplotlib: a second that others need not wait

    folder = paths.PREPARED / name
    if not folder.exists():
        if name == "shapes":
            shapes.prepare(folder)
        elif match := re.fullmatch(r"coco(-crowds)?-(\d+)-(\d+)", name):
            coco.prepare(folder, crowds=bool(match[1]), train=int(match[2]), validation=int(match[3]))
        else:
            raise UserError(f"no data set {name!r}: write coco-TRAIN-VALIDATION, for example coco-60000-10000")
    return MaskSet.read(folder)


def prepare(scale: str, role: str, name: str) -> str:
    """Prepare data set `name`, which plays `role` at `scale`, and write its manifest. Returns a line about it."""
    images = load(name)
    path = paths.manifest(scale, role)
    write_manifest(path, name, images)
    return f"{name}: {len(images.train_images)} + {len(images.validation_images)} images, described in {path}"
