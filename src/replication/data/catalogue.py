"""What is known of the data sets by their names alone, before any of them is there. Needs no torch."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from replication.core.schema import mistake

Kind = Literal["small images", "masks", "classes"]
MEANING: dict[Kind, str] = {
    "small images": "small images in memory",
    "masks": "images with a mask each",
    "classes": "large images with a class each",
}


@dataclass(frozen=True)
class Known:
    """A data set. Images are square."""

    kind: Kind
    role: str  # the paper's data set, which it is or stands in for
    side: int  # pixels
    colours: int
    train: int  # images
    validation: int

    @property
    def inputs(self) -> int:
        """Numbers of one image."""
        return self.side**2 * self.colours


NAMED = {
    "mnist": Known("small images", "mnist", 28, 1, 60_000, 10_000),
    "digits": Known("small images", "mnist", 28, 1, 1_500, 297),
    "cifar10": Known("small images", "cifar10", 32, 3, 50_000, 10_000),
    "shapes": Known("small images", "cifar10", 32, 3, 1_000, 250),
    "imagenette-keras-v1": Known("classes", "imagenette", 224, 3, 12_894, 500),
    "imagenette-keras-v2": Known("classes", "imagenette", 224, 3, 9_469, 3_925),
    "patterns": Known("classes", "imagenette", 64, 3, 96, 32),
    "drawings": Known("masks", "coco", 64, 3, 128, 32),
}
# -keras: resized as Keras does, otherwise as Pillow does. Imagenette's last number: pixels of a side.
IMAGENETTE = re.compile(r"imagenette(?P<keras>-keras)?-(?P<version>v[12])(-(?P<side>[1-9][0-9]{1,2}))?")
COCO = re.compile(
    r"coco(?P<keras>-keras)?(?P<crowds>-crowds)?-(?P<train>[1-9][0-9]{0,5})-(?P<validation>[1-9][0-9]{0,5})"
)
COCO_SIDE = 256
TRAIN2017, VAL2017 = 118_287, 5_000  # images
ROLES = {known.role for known in NAMED.values()}


def known(name: str) -> Known | None:
    """What is known of a data set; None of one's own, which lies under data/prepared, and of a misspelt one."""
    if match := COCO.fullmatch(name):
        train, validation = int(match["train"]), int(match["validation"])
        if train <= TRAIN2017 and train + validation <= TRAIN2017 + VAL2017:
            return Known("masks", "coco", COCO_SIDE, 3, train, validation)
    if match := IMAGENETTE.fullmatch(name):
        whole = NAMED[f"imagenette-keras-{match['version']}"]
        return replace(whole, side=int(match["side"] or whole.side))
    return NAMED.get(name)


def check_kind(name: str, kind: Kind, where: str) -> Known | None:
    """What is known of a family's data set.

    Raises:
        UserError: it is of another kind than the family trains on.
    """
    found = known(name)
    if found is not None and found.kind != kind:
        fitting = ", ".join(other for other, about in NAMED.items() if about.kind == kind)
        raise mistake(
            f"{where}.dataset", f"{name} has {MEANING[found.kind]}, and {MEANING[kind]} are wanted: choose {fitting}"
        )
    return found


def check_role(name: str, role: str, where: str) -> None:
    """A family's role is the part of its name behind the first hyphen: mnist, or coco-sample, a sample of coco.

    Raises:
        UserError: the data set is known to play another role.
    """
    found = known(name)
    wanted = role.partition("-")[0]
    if found is not None and wanted in ROLES and found.role != wanted:
        raise mistake(f"{where}.dataset", f"{name} is, or stands in for, {found.role}: the family's name says {role}")


def check_batches(about: Known | None, sizes: Iterable[int], where: str) -> None:
    """A batch has at most all training images.

    Raises:
        UserError: one would have more.
    """
    largest = max(sizes)
    if about is not None and largest > about.train:
        raise mistake(where, f"a batch of {largest:,} is more than the {about.train:,} training images")
