"""Writing a file so that it is either whole or not there, and reading one that may be damaged."""

import errno
import fcntl
import hashlib
import os
import platform
import re
import shutil
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain, count
from pathlib import Path
from pickle import UnpicklingError

from ruamel.yaml.error import YAMLError
from safetensors import SafetensorError

from replication.core.errors import Damaged, UserError

# What readers raise on bytes that are not what they should be, or lack what is looked for (RuntimeError: torch.load).
DECODING = (
    *(ValueError, LookupError, TypeError, AttributeError, AssertionError, EOFError, SyntaxError, RuntimeError),
    *(UnpicklingError, SafetensorError, YAMLError, zlib.error),
)
MISPLACED = (FileNotFoundError, IsADirectoryError, NotADirectoryError)  # what should be there is not
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # the disk, the user's share of it, or what a file may have
OURS = f".tmp{hashlib.sha256(platform.node().encode()).hexdigest()[:8]}-"  # of this machine; other ones share disks
READ_AT_ONCE = 1 << 16  # bytes: more than a record has, and less than would take time to make room for
NO_FILE = "it is no file, but a folder, a pipe or a device"
# So torch.save and safetensors say that a file could not be written to its end.
TORN = re.compile("file write failed|iostream error|unexpected pos|No space left|File too large")
NO_MEMORY = re.compile("out of memory|allocate memory|not enough memory", re.IGNORECASE)  # torch's RuntimeErrors say so


def write_whole(path: Path, write: Callable[[Path], object], needed: int | None = None) -> None:
    """Have `write` write a temporary file beside `path`, then rename it into place.

    Args:
        needed: bytes, for the message of a full disk.

    Raises:
        UserError: the disk is full, or the folder cannot be written.
    """
    temporary = own_name(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        temporary.replace(path)
    except (OSError, RuntimeError, SafetensorError) as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        full = is_full(error)
        if not isinstance(error, OSError):  # so torch.save and safetensors report a full disk
            full = TORN.search(str(error)) is not None
            if not full:
                raise
        advice = "Free some space" if full else "See that the path can be written"
        bytes_ = f" (it needs {needed:,} bytes)" if full and needed is not None else ""
        kept = "What was there before is kept" if path.exists() else "Nothing was left there"
        raise UserError(f"cannot write {path}{bytes_}: {error}. {kept}. {advice} and start again") from None


def is_full(error: Exception) -> bool:
    """Whether an error says that the disk is full, or that a file may not become so large."""
    return getattr(error, "errno", None) in FULL


@contextmanager
def reading(path: Path | str, remedy: str) -> Iterator[None]:
    """What reading a file raises becomes one message: of damage, with the remedy; of a refusal, without.

    Raises:
        Damaged: the file is not what it should be; of the error its first line alone is kept.
        UserError: it could not be read, for another reason.
    """
    try:
        refuse_waiting(path)
        yield
    except (*DECODING, OSError, MemoryError) as error:
        problem = f"{type(error).__name__}: {error}".splitlines()[0]
        if is_damage(error):
            raise Damaged(f"{path} is damaged ({problem}): {remedy}") from None
        advice = "See that it can be read" if isinstance(error, OSError) else "Free some memory"
        raise UserError(f"cannot read {path} ({problem}). It may be whole: keep it. {advice} and start again") from None


def refuse_waiting(path: Path | str) -> None:
    """To read what is neither file nor folder may last for ever.

    Raises:
        ValueError: it is a pipe or a device.
    """
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - of texts too
    except OSError:
        return  # whoever reads says so
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise ValueError(NO_FILE)


def is_damage(error: Exception) -> bool:
    """Whether an error of reading says that the file is not what it should be.

    It does not where the system refused the file or had no memory: then the file may be whole.
    """
    if isinstance(error, OSError):  # a decoder's has no number; safetensors gives the system's in its text
        if isinstance(error, MISPLACED) or error.errno == errno.EINVAL:  # torch seeks before the start of a torn file
            return True
        return error.errno is None and "os error" not in str(error)
    return isinstance(error, DECODING) and not NO_MEMORY.search(str(error))


def bytes_of(place: str) -> bytes:
    """A file's content, with a third of the system calls of `Path.read_bytes`.

    Raises:
        ValueError: it is no file: nobody waits for what a pipe may bring.
        OSError: it cannot be read.
    """
    descriptor = os.open(place, os.O_RDONLY | os.O_NONBLOCK)
    try:
        parts = [os.read(descriptor, READ_AT_ONCE)]
        if len(parts[0]) in (0, READ_AT_ONCE) and not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError(NO_FILE)
        while len(parts[-1]) == READ_AT_ONCE:
            parts.append(os.read(descriptor, READ_AT_ONCE))
    except (BlockingIOError, IsADirectoryError):
        raise ValueError(NO_FILE) from None
    finally:
        os.close(descriptor)
    return b"".join(parts)


def write_text(path: Path, text: str) -> None:
    """`write_whole` for a text."""
    write_whole(path, lambda temporary: temporary.write_text(text), len(text.encode()))


def write_bytes(path: Path, content: bytes) -> None:
    """`write_whole` for bytes."""
    write_whole(path, lambda temporary: temporary.write_bytes(content), len(content))


def own_name(path: Path) -> Path:
    """A name beside `path` for what this process has not finished, which no process on any machine has as well."""
    return path.with_name(f"{path.name}{OURS}{os.getpid()}")


def delete_leftovers(folder: Path) -> None:
    """Delete the files and folders of `own_name` whose process, on this machine, is gone."""
    for path in folder.glob(f"*{OURS}*"):
        pid = path.name.rpartition(OURS)[2]
        if pid.isdecimal() and not lives(int(pid)):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A folder of another name, to be written into; it is renamed to `folder` at the end, and deleted after an error.

    If another process has made `folder` in the meantime, that one stays.
    """
    delete_leftovers(folder.parent)
    building = own_name(folder)
    building.mkdir(parents=True)
    try:
        yield building
        if not folder.exists():
            building.replace(folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)


@contextmanager
def alone(path: Path, doing: str) -> Iterator[None]:
    """Within it no other process is inside `alone` of the same path; one that has to wait says so.

    On a disk without locks, which some networks have, nobody waits.

    Args:
        doing: for the message, what the other process does.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"another process {doing}: waiting for it", file=sys.stderr)
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:
            pass
        yield


def lives(pid: int) -> bool:
    """Whether there is such a process on this machine."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def set_aside(path: Path) -> Path:
    """Rename a damaged file to PATH.refused, or to PATH.refused2 and so on where that is taken; the new path."""
    names = (path.with_name(f"{path.name}.refused{number}") for number in count(2))
    aside = next(name for name in chain([path.with_name(f"{path.name}.refused")], names) if not name.exists())
    return path.rename(aside)
