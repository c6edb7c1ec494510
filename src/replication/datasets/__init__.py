"""Data sets by name. Prepared arrays are a cache under data/prepared; the manifest is what is tracked."""

import re
from importlib import import_module

from replication import paths
from replication.datasets.images import ImageSet, write_manifest
from replication.datasets.labels import LabelSet
from replication.datasets.masks import MaskSet
from replication.errors import UserError

# Each is a module beside this one with a function `read()`; imported when needed, because the libraries that some of
# them read with take seconds to import.
NAMES = ("mnist", "cifar10", "digits", "photographs", "shapes")
STAND_INS = frozenset({"digits", "photographs", "shapes", "drawings", "patterns"})


def load(name: str) -> ImageSet | MaskSet | LabelSet:
    """The prepared data set; prepared now when it is not there yet.

    `coco-TRAIN-VALIDATION` is COCO with so many images; `coco-crowds-TRAIN-VALIDATION` has crowds in its masks.
    `imagenette-v1` and `imagenette-v2` are Imagenette in the split of either version.
    """
    if name == "drawings" or name.startswith("coco"):
        return _load_masks(name)
    if name == "patterns" or name.startswith("imagenette"):
        return _load_labelled(name)
    path = paths.PREPARED / f"{name}.safetensors"
    if not path.exists():
        _read(name).save(path)
    return ImageSet.read(path)


def _read(name: str) -> ImageSet:
    assert name in NAMES, name
    images: ImageSet = import_module(f"replication.datasets.{name}").read()
    return images


def _load_masks(name: str) -> MaskSet:
    folder = paths.PREPARED / name
    if not folder.exists():
        from replication.datasets import coco, drawings

        if name == "drawings":
            drawings.prepare(folder)
        elif match := re.fullmatch(r"coco(-crowds)?-(\d+)-(\d+)", name):
            coco.prepare(folder, crowds=bool(match[1]), train=int(match[2]), validation=int(match[3]))
        else:
            raise UserError(f"no data set {name!r}: write coco-TRAIN-VALIDATION, for example coco-60000-10000")
    return MaskSet.read(folder)


def _load_labelled(name: str) -> LabelSet:
    folder = paths.PREPARED / name
    if not folder.exists():
        from replication.datasets import imagenette, patterns

        if name == "patterns":
            patterns.prepare(folder)
        elif match := re.fullmatch(r"imagenette-(v[12])", name):
            imagenette.prepare(folder, version=match[1])
        else:
            raise UserError(f"no data set {name!r}: write imagenette-v1 or imagenette-v2")
    return LabelSet.read(folder)


def prepare(scale: str, role: str, name: str) -> str:
    """Prepare data set `name`, which plays `role` at `scale`, and write its manifest. Returns a line about it."""
    images = load(name)
    path = paths.manifest(scale, role)
    write_manifest(path, name, images)
    return f"{name}: {len(images.train_images)} + {len(images.validation_images)} images, described in {path}"
