"""COCO 2017 as the paper uses it: 256 x 256 images, and binary masks of where any object is (section 5.5).

The paper says 60,000 training and 10,000 validation images, not which; val2017 holds 5,000 only. The rule here, for any
two counts: training images are a seeded choice from train2017; validation images are all of val2017 (a seeded choice
when it holds more than are wanted) and, where these are too few, more of train2017 that training does not use.
"""

import contextlib
import io
import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps
from pycocotools import mask as rle
from pycocotools.coco import COCO

from replication.core import paths
from replication.core.errors import UserError
from replication.core.files import is_damage, reading
from replication.data import mapped
from replication.data.archives import check_member, unpack
from replication.data.download import fetch
from replication.data.mapped import Example
from replication.data.outlines import checked_outline, checked_size
from replication.data.resizing import Resizing, resized

SIZE = 256  # pixels of a side
SEED = 2017
LARGEST_LOSS = 0.01  # share of images that may be missing or damaged
SHOWN = 4  # images for Figure 10
# COCO's numbers of the licences that let anyone pass an image on, changed: CC BY, CC BY-SA, no known copyright, US work
FREE_LICENCES = frozenset({4, 5, 7, 8})
NAMES = {"train": "train2017", "validation": "val2017"}
# Unpacked folder -> archive and its MD5
ARCHIVES = {
    "annotations": ("annotations/annotations_trainval2017.zip", "f4bbac642086de4f52a3fdda2de5fa2c"),
    "val2017": ("zips/val2017.zip", "442b8da7639aecaf257c1dceb8ba8c80"),
    "train2017": ("zips/train2017.zip", "cced6f7f71b7629ddf16f17bbcfab6b2"),
}
SERVER = "http://images.cocodataset.org/"


@dataclass(frozen=True)
class Entry:
    """An image as the annotations describe it."""

    split: str  # of COCO
    about: dict[str, Any]
    annotations: list[dict[str, Any]]

    @property
    def id(self) -> int:
        return int(self.about["id"])


@dataclass
class _Loss:
    """Images that could not be used."""

    planned: int
    largest: float  # share
    names: list[str] = field(default_factory=list)

    def add(self, name: str) -> None:
        """Raises UserError when too many are lost."""
        self.names.append(name)
        if len(self.names) > self.largest * self.planned:
            raise UserError(
                f"more than {self.largest:.0%} of {self.planned} images are missing or damaged, or have outlines that "
                f"cannot be read: {', '.join(self.names[:5])}{' and more' if len(self.names) > 5 else ''}. Fetch them "
                "again, or mend their annotations"
            )


def prepare(
    folder: Path,
    *,
    train: int,
    validation: int,
    crowds: bool = False,
    size: int = SIZE,
    resizing: Resizing = "pillow",
    raw: Path | None = None,
    may_lose: bool = True,
) -> None:
    """Write the data set into `folder`, from `raw` or, what is not there, by download.

    Args:
        train, validation: how many images of each split.
        crowds: whether the mask covers groups annotated as one (`iscrowd`) as well.
        size: pixels of a side; images and masks are resized without regard to their proportions,
        resizing: images as Pillow or as Keras does it. Of masks both take the nearest pixel.
        raw: by default data/raw/coco.
        may_lose: whether a few images may be missing or damaged.

    Raises:
        UserError: fewer images than wanted, too many of them missing or damaged, or a download failed.
    """
    raw = raw or paths.raw() / "coco"
    _fetch_missing(raw)
    entries = {split: _entries(raw, name) for split, name in NAMES.items()}
    chosen = _choose(entries, {"train": train, "validation": validation}, raw)
    loss = _Loss(train + validation, LARGEST_LOSS if may_lose else 0)
    shown: list[int] = []
    notes = {"size": size, "resizing": resizing, "crowds": crowds, "shown": shown, "left_out": loss.names}

    def examples(split: str) -> Iterator[Example]:
        for row, (entry, example) in enumerate(
            _examples(chosen[split], raw, loss, size=size, resizing=resizing, crowds=crowds)
        ):
            if split == "validation" and len(shown) < SHOWN and _can_be_shown(entry, example):
                shown.append(row)
            yield example

    counts = {split: len(found) for split, found in chosen.items()}
    mapped.write(
        folder,
        image_shape=(size, size, 3),
        target_shape=(size, size),
        counts=counts,
        examples={split: examples(split) for split in chosen},
        summarise=lambda masks: {"object_share": round(float(masks.mean()), 6)},
        notes=notes,
    )


def union_mask(entry: Entry, *, crowds: bool) -> np.ndarray:
    """(H, W) uint8: 1 where any annotated instance is.

    Raises:
        ValueError: an outline is none of this image.
    """
    height, width = checked_size(entry.about["height"], entry.about["width"])
    parts: list[Any] = []
    for annotation in entry.annotations:
        if annotation.get("iscrowd") and not crowds:
            continue
        if outline := outline_of(annotation):
            parts += rle.frPyObjects(checked_outline(outline, height, width), height, width)
    if not parts:
        return np.zeros((height, width), dtype=np.uint8)
    union: np.ndarray = rle.decode(rle.merge(parts))
    return union


def outline_of(annotation: dict[str, Any]) -> Any:
    """Run lengths, or polygons of three points and more: other tools write empty ones, and ones of one or two points.

    None or [] of an annotation without an outline, which has a box only.
    """
    outline = annotation.get("segmentation")
    if not isinstance(outline, list):
        return outline
    return [polygon for polygon in outline if not isinstance(polygon, list) or len(polygon) >= 6]


def _can_be_shown(entry: Entry, example: Example) -> bool:
    """The rule for Figure 10 takes the first images, by id, that may be passed on and show neither nothing nor all."""
    return entry.about.get("license") in FREE_LICENCES and 0.1 <= example.target.mean() <= 0.9


def _choose(entries: dict[str, list[Entry]], wanted: dict[str, int], raw: Path) -> dict[str, list[Entry]]:
    """The rule at the head of this module; each split in the order of ids."""
    draw = random.Random(SEED)
    pools = {split: draw.sample(found, len(found)) for split, found in entries.items()}
    train, spare = pools["train"][: wanted["train"]], pools["train"][wanted["train"] :]
    validation = (pools["validation"] + spare)[: wanted["validation"]]
    if len(train) < wanted["train"] or len(validation) < wanted["validation"]:
        found = {split: len(some) for split, some in entries.items()}
        raise UserError(
            f"{raw} holds {found['train']} images of train2017 and {found['validation']} of val2017; "
            f"{wanted['train']} + {wanted['validation']} are wanted. To train on fewer, say so in the data set's name "
            f"(coco-{found['train']}-{found['validation']} takes them all); to have the official files downloaded, "
            f"move {raw} away."
        )
    return {
        "train": sorted(train, key=lambda entry: entry.id),
        "validation": sorted(validation, key=lambda entry: entry.id),
    }


def _entries(raw: Path, name: str) -> list[Entry]:
    path = raw / "annotations" / f"instances_{name}.json"
    with reading(path, f"delete {path.parent}, and it is fetched again"):
        with contextlib.redirect_stdout(io.StringIO()):  # pycocotools reports its progress
            coco = COCO(path)
        found = [Entry(name, about, coco.imgToAnns.get(id_, [])) for id_, about in coco.imgs.items()]
    _say_without_outline(path, coco.anns.values())
    return sorted(found, key=lambda entry: entry.id)


def _say_without_outline(path: Path, annotations: Iterable[dict[str, Any]]) -> None:
    """Objects that are missing in the masks are named before the hours that a training takes."""
    without = [annotation["id"] for annotation in annotations if not outline_of(annotation)]
    if without:
        print(
            f"{path}: {len(without):,} annotations have no outline, and are missing in the masks: "
            f"id {', '.join(map(str, without[:5]))}{' and more' if len(without) > 5 else ''}",
            file=sys.stderr,
        )


def _examples(
    entries: Sequence[Entry], raw: Path, loss: _Loss, *, size: int, resizing: Resizing, crowds: bool
) -> Iterator[tuple[Entry, Example]]:
    """Examples of those entries whose image can be had, in order."""

    def load(entry: Entry) -> Example | None:
        try:
            check_member(entry.about["file_name"])
            with Image.open(raw / entry.split / entry.about["file_name"]) as file:
                upright = _upright(file, entry)
                if upright.size != (entry.about["width"], entry.about["height"]):
                    return None
                image = resized(upright.convert("RGB"), size, resizing)
            mask = Image.fromarray(union_mask(entry, crowds=crowds)).resize((size, size), Image.Resampling.NEAREST)
        except (OSError, ValueError, TypeError, KeyError) as error:
            if not is_damage(error):
                raise
            return None  # no file, no image, no outline of it
        return Example(entry.id, image, np.asarray(mask))

    for entry, example in zip(entries, mapped.decoded(entries, load, "COCO"), strict=True):
        if example is None:
            loss.add(f"{entry.split}/{entry.about['file_name']}")
        else:
            yield entry, example


def _upright(image: Image.Image, entry: Entry) -> Image.Image:
    """The image as its annotations have it: turned as its camera noted, if only so it has their height and width."""
    if image.size != (entry.about["width"], entry.about["height"]):
        turned = ImageOps.exif_transpose(image)
        if turned.size == (entry.about["width"], entry.about["height"]):
            return turned
    return image


def _fetch_missing(raw: Path) -> None:
    for unpacked, (archive, md5) in ARCHIVES.items():
        if (raw / unpacked).is_dir():
            continue
        path = raw / Path(archive).name
        put_there = path.exists()  # by the user, whose file stays
        fetch([SERVER + archive], path, md5, attempts=10, instead=f"the folder {unpacked}")
        unpack(path, unpacked, raw / unpacked)
        if not put_there:
            path.unlink()
