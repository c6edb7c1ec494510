"""A stage ends when the `dvc` that started it was killed: nobody would take note of what it goes on to do."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SECONDS = 1.0  # between looks
PROC = Path("/proc")


@contextmanager
def end_with_dvc() -> Iterator[None]:
    """Within it, this process gets SIGTERM seconds after its `dvc` is gone. Only in a stage, and where /proc is."""
    dvc = starter() if "DVC_STAGE" in os.environ else None
    if dvc is None:
        yield
        return
    done = threading.Event()
    watch = threading.Thread(target=_watch, args=(dvc, _began(dvc), done), daemon=True)
    watch.start()
    try:
        yield
    finally:
        done.set()
        watch.join()


def starter() -> int | None:
    """Process id of the `dvc` above this process: the first one whose environment does not name a stage."""
    pid = os.getppid()
    while pid > 1:
        try:
            entries = (PROC / str(pid) / "environ").read_bytes().split(b"\0")
            if not any(entry.startswith(b"DVC_STAGE=") for entry in entries):
                return pid
            pid = int(_status(pid)[1])
        except (OSError, IndexError, ValueError):
            return None
    return None


def _watch(pid: int, began: str | None, done: threading.Event) -> None:
    while not done.wait(SECONDS):
        if _began(pid) != began:
            os.kill(os.getpid(), signal.SIGTERM)
            return


def _began(pid: int) -> str | None:
    """When a process began, so that another with its number is not taken for it; None if it is gone, or a zombie."""
    try:
        status = _status(pid)
    except OSError:
        return None
    return None if status[0] in "ZX" else status[19]


def _status(pid: int) -> list[str]:
    """What follows a process's name in /proc/PID/stat: state, parent ..."""
    return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
