"""Data sets by name. Prepared arrays are a cache under data/prepared; the manifest is what is tracked."""

from importlib import import_module

from replication import paths
from replication.datasets.images import ImageSet, write_manifest

# Each is a module beside this one with a function `read()`; imported when needed, because the libraries that some of
# them read with take seconds to import.
NAMES = ("mnist", "cifar10", "digits", "photographs")
STAND_INS = frozenset({"digits", "photographs"})


def load(name: str) -> ImageSet:
    """The prepared data set; prepared now when it is not there yet."""
    path = paths.PREPARED / f"{name}.safetensors"
    if not path.exists():
        _read(name).save(path)
    return ImageSet.read(path)


def _read(name: str) -> ImageSet:
    assert name in NAMES, name
    images: ImageSet = import_module(f"replication.datasets.{name}").read()
    return images


def prepare(scale: str, role: str, name: str) -> str:
    """Prepare data set `name`, which plays `role` at `scale`, and write its manifest. Returns a line about it."""
    images = load(name)
    path = paths.manifest(scale, role)
    write_manifest(path, name, images)
    return f"{name}: {len(images.train_images)} + {len(images.validation_images)} images, described in {path}"
