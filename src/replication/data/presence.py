"""What is there of a data set, without reading it or asking the network. Needs no torch."""

from pathlib import Path
from typing import Literal

from replication.core import paths
from replication.data import STAND_INS, catalogue

State = Literal["prepared", "stand-in", "raw", "missing"]

# Below data/raw, by role: one of these is there when somebody has brought the official files.
RAW = {
    "mnist": ("MNIST/raw/train-images-idx3-ubyte", "MNIST/raw/train-images-idx3-ubyte.gz"),
    "cifar10": ("cifar-10-batches-bin", "cifar-10-binary.tar.gz"),
    "imagenette": ("imagenette2", "imagenette2-320", "imagenette", "imagenette-320"),
    "coco": ("coco",),
}


def state(name: str) -> State:
    """Prepared, made here in seconds, downloaded, or not there at all."""
    if _prepared(name):
        return "prepared"
    if name in STAND_INS:
        return "stand-in"
    return "missing" if raw(name) is None else "raw"


def raw(name: str) -> Path | None:
    """The official files, as far as they are there."""
    about = catalogue.known(name)
    places = [paths.raw() / place for place in RAW.get(about.role if about else "", ())]
    return next((place for place in places if place.exists()), None)


def _prepared(name: str) -> bool:
    return any((paths.prepared() / file).exists() for file in (name, f"{name}.safetensors"))
