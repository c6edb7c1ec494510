"""CIFAR-10: 50,000 training and 10,000 validation images, 32 x 32 pixels, RGB (the paper validates on the test split).

The official *binary* version: one record an image, a label byte and 3 x 32 x 32 pixel bytes, colour by colour.
"""

import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from replication.core import paths
from replication.core.errors import UserError
from replication.core.files import write_bytes
from replication.data.download import fetch
from replication.data.images import ImageSet

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
FOLDER = "cifar-10-batches-bin"
FILES = {"train": [f"data_batch_{k}.bin" for k in range(1, 6)], "validation": ["test_batch.bin"]}
SHAPE = (3, 32, 32)
COUNTS = {"train": 50_000, "validation": 10_000}
# Of images whose training mean and standard deviation by colour are the known (0.49139968, 0.48215841, 0.44653091) and
# (0.24703223, 0.24348513, 0.26158784); the tests compute both.
CONTENT = {
    "train": "85873b872f38cafb7c6f99d016364dd8b372513d1215f9193d0b9b89a0375650",
    "validation": "6470cca17226483ffed24316d69a85df9d1fa3b1b854800df40814bd424738a0",
}


def read(raw: Path | None = None) -> ImageSet:
    """Read the official batches from `raw`/cifar-10-batches-bin; fetch the archive when one is missing.

    Raises:
        UserError: a file cannot be had, or the content is not CIFAR-10's.
    """
    raw = raw or paths.raw()
    folder = raw / FOLDER
    if not all((folder / name).exists() for names in FILES.values() for name in names):
        archive = fetch([URL], raw / URL.rsplit("/", 1)[-1], MD5, instead=f"the folder {FOLDER}")
        folder.mkdir(exist_ok=True)
        with tarfile.open(archive) as tar:
            for name in (name for names in FILES.values() for name in names):  # these and nothing else
                member = tar.extractfile(f"{FOLDER}/{name}")
                assert member is not None, name  # the archive has the official checksum
                write_bytes(folder / name, member.read())
    images = ImageSet(*_read_batches(folder, FILES["train"]), *_read_batches(folder, FILES["validation"]))
    images.check("CIFAR-10", folder, COUNTS, CONTENT)
    return images


def _read_batches(folder: Path, names: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Images (N, 3, 32, 32) and labels (N,) of some batch files, uint8."""
    length = 1 + int(np.prod(SHAPE))
    contents = [np.fromfile(folder / name, dtype=np.uint8) for name in names]
    for name, content in zip(names, contents, strict=True):
        if content.size % length:
            raise UserError(
                f"{folder / name} is damaged ({content.size} bytes): move it away, and the official one is fetched"
            )
    records = torch.from_numpy(np.concatenate(contents).reshape(-1, length))
    return records[:, 1:].reshape(-1, *SHAPE), records[:, 0]
