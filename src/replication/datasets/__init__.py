"""Data sets by name. Prepared arrays are a cache under data/prepared; the manifest is what is tracked."""

from collections.abc import Callable

from replication import paths
from replication.datasets import cifar10, digits, mnist, photographs
from replication.datasets.images import ImageSet, write_manifest

READERS: dict[str, Callable[[], ImageSet]] = {
    "mnist": mnist.read,
    "cifar10": cifar10.read,
    "digits": digits.read,
    "photographs": photographs.read,
}
STAND_INS = frozenset({"digits", "photographs"})


def load(name: str) -> ImageSet:
    """The prepared data set; prepared now when it is not there yet."""
    path = paths.PREPARED / f"{name}.safetensors"
    if not path.exists():
        READERS[name]().save(path)
    return ImageSet.read(path)


def prepare(scale: str, role: str, name: str) -> str:
    """Prepare data set `name`, which plays `role` at `scale`, and write its manifest. Returns a line about it."""
    images = load(name)
    path = paths.manifest(scale, role)
    write_manifest(path, name, images)
    return f"{name}: {len(images.train_images)} + {len(images.validation_images)} images, described in {path}"
