"""Writing a file so that it is either whole or not there, whenever the process is killed."""

import os
from collections.abc import Callable
from pathlib import Path

from replication.errors import UserError


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Have `write` write a temporary file beside `path`, then rename it into place.

    Raises:
        UserError: the disk is full, or the folder cannot be written.
    """
    temporary = path.with_suffix(f".tmp{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        temporary.replace(path)
    except (OSError, RuntimeError) as error:  # torch.save reports a full disk as a RuntimeError
        temporary.unlink(missing_ok=True)
        raise UserError(f"cannot write {path}: {error}. Free some space and start again") from None


def write_text(path: Path, text: str) -> None:
    """`write_whole` for a text."""
    write_whole(path, lambda temporary: temporary.write_text(text))
