"""MNIST: 60,000 training and 10,000 validation images, 28 x 28 pixels, grey (the paper validates on the test split)."""

import gzip
from pathlib import Path

from torchvision.datasets import MNIST
from torchvision.datasets.mnist import read_image_file, read_label_file

from replication.core import paths
from replication.core.files import reading, write_bytes
from replication.data.download import fetch
from replication.data.images import ImageSet

COUNTS = {"train": 60_000, "validation": 10_000}
CONTENT = {
    "train": "3bafe639115ada3a4f6ea1b0e57c9dbb1f0c9a3254eec392fcafb4623efa5f5c",
    "validation": "09035d9cd0383aa0d10d2029dce798b0baeb785bdcc429c7b578d760f7b08da1",
}


def read(raw: Path | None = None) -> ImageSet:
    """Read the official IDX files from `raw`/MNIST/raw; fetch those that are missing.

    Raises:
        UserError: a file cannot be had, or the content is not MNIST's.
    """
    folder = (raw or paths.raw()) / "MNIST" / "raw"
    files = {}
    for archive, md5 in MNIST.resources:
        name = archive.removesuffix(".gz")
        files[name] = next((path for path in map(folder.joinpath, _names(name)) if path.exists()), folder / name)
        if not files[name].exists():
            path = fetch([mirror + archive for mirror in MNIST.mirrors], folder / archive, md5, instead=name)
            write_bytes(files[name], gzip.decompress(path.read_bytes()))
    with reading(folder, "move the folder away, and the official files are fetched"):
        images = ImageSet(
            train_images=read_image_file(str(files["train-images-idx3-ubyte"]))[:, None],
            train_labels=read_label_file(str(files["train-labels-idx1-ubyte"])).byte(),
            validation_images=read_image_file(str(files["t10k-images-idx3-ubyte"]))[:, None],
            validation_labels=read_label_file(str(files["t10k-labels-idx1-ubyte"])).byte(),
        )
    images.check("MNIST", folder, COUNTS, CONTENT)
    return images


def _names(name: str) -> tuple[str, str]:
    """A file's official name, and the one with a dot that other places give it."""
    return name, name.replace("-idx", ".idx")
