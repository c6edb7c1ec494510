"""Data sets by name. Prepared arrays are a cache under data/prepared; the manifest is what is tracked."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from replication.core import paths, strict_json
from replication.core.errors import UserError
from replication.core.files import alone, write_text
from replication.data.catalogue import COCO, IMAGENETTE

if TYPE_CHECKING:  # torch takes seconds to import, which asking for a name should not
    from replication.data.images import ImageSet
    from replication.data.mapped import MappedSet
    from replication.data.resizing import Resizing

# Each is a module beside this one with a function `read()`; imported when needed, because the libraries that some of
# them read with take seconds to import.
NAMES = ("mnist", "cifar10", "digits", "shapes")
OFFICIAL = ("mnist", "cifar10")  # whose modules know the COUNTS and the CONTENT of each split
MAPPED_STAND_INS = ("drawings", "patterns")  # modules with a function `prepare(folder)`
STAND_INS = frozenset({"digits", "shapes", *MAPPED_STAND_INS})


def load(name: str) -> "ImageSet | MappedSet":
    """The prepared data set; prepared now when it is not there yet.

    `coco-TRAIN-VALIDATION` is COCO with so many images; `coco-crowds-TRAIN-VALIDATION` has crowds in its masks.
    `imagenette-v1` and `imagenette-v2` are Imagenette in the split of either version, `imagenette-v1-64` with sides of
    64 pixels. All are resized as Pillow does, and with `-keras` behind the first word as Keras does.
    """
    from replication.data.images import ImageSet
    from replication.data.mapped import MappedSet

    if name in MAPPED_STAND_INS or name.startswith(("coco", "imagenette")):
        folder = paths.prepared() / name
        with _missing(folder) as missing:
            if missing:
                _prepare_mapped(folder)
        return MappedSet.read(folder)
    path = paths.prepared() / f"{name}.safetensors"
    with _missing(path) as missing:
        if missing:
            _read(name).save(path)
    return ImageSet.read(path)


@contextmanager
def _missing(place: Path) -> Iterator[bool]:
    """Whether a data set has to be prepared; where several processes find so, one does it and the others wait.

    Data sets of the same images, coco-60000-10000 and coco-320-60 for example, also share their downloads.
    """
    if place.exists():
        yield False
        return
    images = place.name.partition("-")[0].removesuffix(".safetensors")
    with alone(place.with_name(f"{images}.lock"), f"prepares {images}"):
        yield not place.exists()


def is_there(name: str) -> bool:
    """Whether a data set can be loaded without a download, in seconds: it is prepared, or a stand-in."""
    return name in STAND_INS or any((paths.prepared() / file).exists() for file in (name, f"{name}.safetensors"))


def _read(name: str) -> "ImageSet":
    if name not in NAMES:
        raise unknown(name)
    images: ImageSet = import_module(f"replication.data.{name}").read()
    return images


def _prepare_mapped(folder: Path) -> None:
    """Write the memory-mapped data set that the folder is named after."""
    if folder.name in MAPPED_STAND_INS:
        import_module(f"replication.data.{folder.name}").prepare(folder)
    elif match := COCO.fullmatch(folder.name):
        from replication.data import coco

        train, validation = int(match["train"]), int(match["validation"])
        crowds, resizing = bool(match["crowds"]), _resizing(match)
        coco.prepare(folder, train=train, validation=validation, crowds=crowds, resizing=resizing)
    elif match := IMAGENETTE.fullmatch(folder.name):
        from replication.data import imagenette

        size = int(match["side"] or imagenette.SIZE)
        imagenette.prepare(folder, version=match["version"], size=size, resizing=_resizing(match))
    else:
        raise unknown(folder.name)


def _resizing(match: re.Match[str]) -> "Resizing":
    return "keras" if match["keras"] else "pillow"


def unknown(name: str) -> UserError:
    """What to say of a name that no data set has."""
    return UserError(
        f"no data set {name!r}: write {', '.join(NAMES + MAPPED_STAND_INS)}, coco-TRAIN-VALIDATION, for example "
        "coco-keras-60000-10000, or imagenette-keras-v1 or imagenette-keras-v2"
    )


def prepare(scale: str, role: str, name: str) -> str:
    """Prepare data set `name`, which plays `role` at `scale`, and write its manifest. Returns a line about it.

    Raises:
        UserError: it cannot be had, or has another number of images than it should.
    """
    images = load(name)
    found = {"train": len(images.train_images), "validation": len(images.validation_images)}
    if name in OFFICIAL and found != (expected := import_module(f"replication.data.{name}").COUNTS):
        raise UserError(
            f"the prepared data set {name} has {found['train']:,} + {found['validation']:,} images, expected "
            f"{expected['train']:,} + {expected['validation']:,}. Move {paths.prepared() / name}* away, and it is "
            "prepared again"
        )
    path = paths.manifest(scale, role)
    write_text(path, strict_json.dumps({"dataset": name} | images.manifest(), indent=2) + "\n")
    return f"{name}: {found['train']} + {found['validation']} images, described in {path}"


def none(scale: str, role: str) -> str:
    """Write the manifest of a role that no family of this scale needs. Returns a line about it."""
    path = paths.manifest(scale, role)
    write_text(path, strict_json.dumps({"dataset": None}, indent=2) + "\n")
    return f"no family of scale {scale} uses {role}: {path} says so"
