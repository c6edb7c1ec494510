"""Imagenette: ten easy classes of ImageNet, 13,394 images, for VGG16 and ResNet-50 (paper, section 5.4).

Every accuracy in Table 2 is a multiple of 0.002: the paper validated on 500 images. That is Imagenette's first version,
which took its validation images from ImageNet's validation set. The second version, the one that is still offered,
holds the same images in another split, under the names that they have in ImageNet: `ILSVRC2012_val_*` for ImageNet's
validation images, the class's number and a count (`n01440764_10026`) for its training images. So a file's name
tells its split in the first version, whatever the folder it lies in today.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from replication.core import paths
from replication.core.errors import UserError
from replication.core.files import reading
from replication.data import mapped
from replication.data.archives import unpack
from replication.data.download import fetch
from replication.data.images import SPLITS
from replication.data.mapped import Example
from replication.data.resizing import Resizing, resized

SIZE = 224  # pixels of a side
# The second version, shorter side 320 pixels; address and checksum are those in torchvision.datasets.Imagenette
URL = "https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-320.tgz"
MD5 = "3df6f0d01a2c9592104656642f5e78a3"
UNPACKED = "imagenette2-320"
OFFICIAL = ("imagenette2", UNPACKED, "imagenette", "imagenette-320")  # folders of both versions' archives
FOLDERS = {"train": "train", "validation": "val"}  # of the second version
# Version -> images of each split
COUNTS = {"v1": {"train": 12_894, "validation": 500}, "v2": {"train": 9_469, "validation": 3_925}}
V1_VALIDATION = "ILSVRC2012_val_"
SUFFIXES = {".jpeg", ".jpg", ".png"}
SEVERAL = "several sizes"


def prepare(
    folder: Path,
    *,
    version: str,
    size: int = SIZE,
    resizing: Resizing = "pillow",
    raw: Path | None = None,
    counts: Mapping[str, Mapping[str, int]] = COUNTS,
) -> None:
    """Write the data set into `folder`, from the second version's folders in `raw`, or by download.

    Args:
        version: whose split, `v1` or `v2`.
        size: pixels of a side; images of any size are resized to it without regard to their proportions,
        resizing: as Pillow or as Keras does it.
        raw: by default the first of `OFFICIAL` that is in data/raw.
        counts: images that each split must have, by version.

    Raises:
        UserError: a split does not have its number of images, an image is damaged, or the download failed.
    """
    if raw is None:
        raw = _unpacked()
    if not raw.is_dir():
        _fetch(raw)
    files = {split: _files(raw / name) for split, name in FOLDERS.items()}
    classes = sorted({file.parent.name for found in files.values() for file in found})
    chosen = split_v1(files) if version == "v1" else files
    found = {split: len(chosen[split]) for split in SPLITS}
    if found != dict(counts[version]):
        raise UserError(
            f"{raw}: split {version} has {found['train']} + {found['validation']} images, expected "
            f"{counts[version]['train']} + {counts[version]['validation']}. Add what is missing; or move the folder "
            "away, and the official one is fetched"
        )
    notes: dict[str, Any] = {"classes": classes, "size": size, "resizing": resizing, "version": version}
    mapped.write(
        folder,
        image_shape=(size, size, 3),
        target_shape=(),
        counts=found,
        examples={split: _examples(chosen[split], classes, size, resizing, notes) for split in SPLITS},
        summarise=lambda labels: {"per_class": np.bincount(labels, minlength=len(classes)).tolist()},
        notes=notes,
    )


def first_images(number: int, raw: Path | None = None) -> np.ndarray:
    """The first images of the first version's validation split, (N, 224, 224, 3) uint8, without preparing the set.

    Raises:
        UserError: there is no folder of the data set, or it lacks them.
    """
    folder = raw or _unpacked()
    files = split_v1({split: _files(folder / name) for split, name in FOLDERS.items()})["validation"][:number]
    if len(files) < number:
        raise UserError(
            f"{folder} holds {len(files)} images of Imagenette's first validation split, {number} are needed: "
            "`python -m replication prepare imagenette --scale paper` fetches them"
        )
    classes = sorted({file.parent.name for file in files})
    return np.stack([example.image for example in _examples(files, classes, SIZE, "pillow", {})])


def _unpacked() -> Path:
    """The folder of the data set, there or not."""
    return next((path for name in OFFICIAL if (path := paths.raw() / name).is_dir()), paths.raw() / OFFICIAL[0])


def split_v1(files: Mapping[str, Iterable[Path]]) -> dict[str, list[Path]]:
    """The first version's split of the second version's files, each in the order of names."""
    every = sorted((file for found in files.values() for file in found), key=_by_name)
    return {
        "train": [file for file in every if not file.name.startswith(V1_VALIDATION)],
        "validation": [file for file in every if file.name.startswith(V1_VALIDATION)],
    }


def _files(folder: Path) -> list[Path]:
    """Images in the folders of classes; files of other kinds and hidden ones (`._*`, `.DS_Store`) are passed over."""
    found = (file for file in folder.glob("[!.]*/[!.]*") if file.suffix.lower() in SUFFIXES)
    return sorted(found, key=_by_name)


def _by_name(file: Path) -> tuple[str, str]:
    return file.parent.name, file.name


def _examples(
    files: Sequence[Path], classes: Sequence[str], size: int, resizing: Resizing, notes: dict[str, Any]
) -> Iterator[Example]:
    """Decoded images, in order. `notes` gets `files`, the size that they have: resized copies make other pixels."""

    def load(file: Path) -> Example:
        with (
            reading(file, "put a whole one there; or move the folder away, and all are fetched"),
            Image.open(file) as opened,
        ):
            own = f"{opened.width} x {opened.height} pixels"
            notes["files"] = own if notes.get("files", own) == own else SEVERAL
            image = resized(opened.convert("RGB"), size, resizing)
        label = np.array(classes.index(file.parent.name), dtype=np.uint8)
        return Example(f"{file.parent.name}/{file.name}", image, label)

    return mapped.decoded(files, load, "Imagenette")


def _fetch(raw: Path) -> None:
    """The official archive, unpacked as `raw`."""
    archive = raw.parent / URL.rpartition("/")[2]
    put_there = archive.exists()  # by the user, whose file stays
    fetch([URL], archive, MD5, instead=f"a folder {', '.join(OFFICIAL)}")
    unpack(archive, UNPACKED, raw)
    if not put_there:
        archive.unlink()
