"""Unpacking an archive: whole or not at all, and nothing beside the folder that it is unpacked into."""

import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from replication.core import room_for
from replication.core.errors import UserError
from replication.core.files import is_full, reading


def unpack(archive: Path, inner: str, folder: Path) -> None:
    """Unpack a .zip, .tar.gz or .tgz and make `inner`, a folder in it, become `folder`. Files alone: no links.

    Raises:
        UserError: the archive is damaged, a member would lie outside of the folder, or the disk has no room.
    """
    building = folder.with_name(f"{folder.name}.tmp")
    shutil.rmtree(building, ignore_errors=True)
    with reading(archive, "delete it, and it is fetched again"):
        with _opened(archive) as file:
            sizes = _sizes(file)
            for name in sizes:
                check_member(name)
            room_for.check_disk(building, sum(sizes.values()))
            for name, content in _contents(file):
                _write(content, building / name)
        if not (building / inner).is_dir():
            raise ValueError(f"it has no folder {inner}")
    (building / inner).replace(folder)
    shutil.rmtree(building)


def check_member(name: str) -> None:
    """Raise ValueError unless a member of this name lies in the folder that its archive is unpacked into."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or not path.parts:
        raise ValueError(f"its member {name[:60]!r} would leave the folder")


@contextmanager
def _opened(archive: Path) -> Iterator[zipfile.ZipFile | tarfile.TarFile]:
    try:
        with zipfile.ZipFile(archive) if archive.suffix == ".zip" else tarfile.open(archive) as file:
            yield file
    except (zipfile.BadZipFile, tarfile.TarError) as error:
        raise ValueError(error) from None


def _write(content: IO[bytes], path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with content, path.open("wb") as written:
            shutil.copyfileobj(content, written)
    except OSError as error:
        if is_full(error):
            raise UserError(f"cannot write {path}: the disk is full. The archive is kept. Free some space") from None
        raise


def _sizes(file: zipfile.ZipFile | tarfile.TarFile) -> dict[str, int]:
    """Bytes of each member that is a file, and of none that is not."""
    if isinstance(file, zipfile.ZipFile):
        return {info.filename: info.file_size for info in file.infolist()}
    return {member.name: member.size if member.isfile() else 0 for member in file}


def _contents(file: zipfile.ZipFile | tarfile.TarFile) -> Iterator[tuple[str, IO[bytes]]]:
    if isinstance(file, zipfile.ZipFile):
        yield from ((info.filename, file.open(info)) for info in file.infolist() if not info.is_dir())
        return
    for member in file:
        if member.isfile() and (content := file.extractfile(member)) is not None:
            yield member.name, content
