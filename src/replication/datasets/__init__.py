"""Data sets by name. Prepared arrays are a cache under data/prepared; the manifest is what is tracked."""

from collections.abc import Collection
from importlib import import_module

from replication import paths
from replication.datasets.images import ImageSet, write_manifest

# Each is a module beside this one with a function `read()`; imported when needed, because the libraries that some of
# them read with take seconds to import.
NAMES = ("mnist", "cifar10", "digits", "photographs", "shapes")
STAND_INS = frozenset({"digits", "photographs", "shapes"})


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


def prepare(scale: str, role: str, names: Collection[str]) -> str:
    """Prepare the data sets that play `role` at `scale`, and write their manifest. Returns a line about each."""
    prepared = {name: load(name) for name in names}
    path = paths.manifest(scale, role)
    write_manifest(path, prepared)
    return "\n".join(
        f"{name}: {len(images.train_images)} + {len(images.validation_images)} images, described in {path}"
        for name, images in prepared.items()
    )
