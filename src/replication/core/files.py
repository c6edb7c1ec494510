"""Writing a file so that it is either whole or not there, and reading one that may be damaged."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from safetensors import SafetensorError

from replication.core.errors import UserError


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
    except (OSError, RuntimeError, SafetensorError) as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
        if not isinstance(error, OSError):  # so torch.save and safetensors report a full disk
            full = "file write failed" in str(error) or "No space left" in str(error)
            if not full:
                raise
        advice = "Free some space" if full else "See that the path can be written"
        raise UserError(f"cannot write {path}: {error}. {advice} and start again") from None


@contextmanager
def reading(path: Path, remedy: str) -> Iterator[None]:
    """Whatever reading a file raises becomes one message that ends with the remedy.

    Raises:
        UserError: instead of the error; its own first line alone is kept.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # readers raise what they like on damaged bytes
        problem = f"{type(error).__name__}: {error}".splitlines()[0]
        raise UserError(f"{path} is damaged ({problem}): {remedy}") from None


def write_text(path: Path, text: str) -> None:
    """`write_whole` for a text."""
    write_whole(path, lambda temporary: temporary.write_text(text))
