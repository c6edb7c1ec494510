"""Whether what is planned fits into memory and onto the disk, before anything is made of it."""

import os
import shutil
import tempfile
from pathlib import Path

from replication.core.errors import UserError
from replication.core.files import FULL

BLOCK = 1 << 24  # bytes written at once
RUN_MEMORY, RUN_DISK = 3_000, 8_000  # bytes of one run: described in memory; its record in the store and in a table


def check_runs(runs: int, where: str) -> None:
    """Refuse a grid that is too large.

    Raises:
        UserError: so many runs fit into no memory or onto no disk here; says the estimate.
    """
    memory = host_memory()
    disk = free_disk(Path())
    if runs * RUN_MEMORY > memory or runs * RUN_DISK > disk:
        raise UserError(
            f"params.yaml, {where} are at least {runs:,} runs, which need about {size(runs * RUN_MEMORY)} of memory "
            f"and {size(runs * RUN_DISK)} of disk. There are {size(memory)} and {size(disk)}: choose fewer"
        )


def check_disk(folder: Path, needed: int) -> None:
    """Refuse to begin a file for which the disk has no room: a memory-mapped one would end the process.

    Raises:
        UserError: says how much is needed and how much there is.
    """
    free = free_disk(existing(folder))
    if needed > free:
        raise UserError(
            f"cannot write {folder}: it needs {size(needed)}, and the disk has {size(free)} left. Nothing was changed. "
            "Free some space and start again"
        )


def reserve(path: Path) -> None:
    """Have the disk keep room for the whole of a file, whose content stays.

    A file that is made for a memory map is a hole at first, and to write into a hole of a full disk is a bus error.

    Raises:
        UserError: the disk is full.
    """
    needed = path.stat().st_size
    try:
        with path.open("r+b") as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, needed)
            else:  # macOS
                for first in range(0, needed, BLOCK):
                    os.pwrite(file.fileno(), os.pread(file.fileno(), BLOCK, first), first)
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise UserError(
            f"cannot write {path}: it needs {size(needed)}, and the disk is full. Free some space and start again"
        ) from None


def check_writable(folder: Path) -> None:
    """Refuse to begin what would end in a folder that cannot be written; leaves nothing there.

    Raises:
        UserError: the folder, or the first one above it that exists, takes no file.
    """
    try:
        with tempfile.TemporaryFile(dir=existing(folder)):
            pass
    except OSError as error:
        advice = "Free some space" if error.errno in FULL else "See that it can be written"
        raise UserError(f"cannot write into {folder}: {error.strerror}. {advice}; no run was trained") from None


def existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(path for path in [folder, *folder.absolute().parents] if path.exists())


def host_memory() -> int:
    """Bytes of this machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def free_disk(folder: Path) -> int:
    """Bytes that are left there."""
    return shutil.disk_usage(folder).free


def size(number: int) -> str:
    """Bytes, for the user."""
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if number < 1000 or unit == "TB":
            return f"{number:,.0f} {unit}" if unit == "bytes" else f"{number:,.1f} {unit}"
        number = number / 1000  # type: ignore[assignment]
    raise AssertionError
