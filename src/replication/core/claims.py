"""Claims: two sweeps of the same runs share them, on machines that share a store as well.

A claim is a file named after a run. Its sweep touches it again and again. One that was not touched for a while, or
whose process is gone, is nobody's.
"""

import os
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from replication.core.files import OURS, lives
from replication.core.run import Run
from replication.core.store import Store

BEAT = 10.0  # seconds between touches
STALE = 60.0  # seconds after which a claim that is not touched is nobody's


class Claims:
    """The runs of a store that this process trains. Within `with`, they are touched; at its end they are given up."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.folder = store.folder / "claims"
        self.owner = f"{OURS}{os.getpid()}"  # of which machine, and which process
        self.held: set[str] = set()
        self.finished: set[str] = set()  # by this process
        self.ended = threading.Event()
        self.beating = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> "Claims":
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in self.folder.iterdir():
            if not self._is_held(path):
                path.unlink(missing_ok=True)
        self.beating.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.ended.set()
        self.beating.join()
        for key in list(self.held):
            self.release(key)

    def take(self, runs: Iterable[Run]) -> list[Run]:
        """Claim those that nobody trains and nobody has finished."""
        return [run for run in runs if self._take(run.key)]

    def release(self, key: str) -> None:
        """Give a run up."""
        self.held.discard(key)
        (self.folder / key).unlink(missing_ok=True)

    def finish(self, key: str) -> None:
        """A run is trained: nothing is to be done again, whatever becomes of its record."""
        self.finished.add(key)
        self.release(key)

    def elsewhere(self, runs: Iterable[Run]) -> list[Run]:
        """Those that another process trains."""
        return [run for run in runs if run.key not in self.held and self._is_held(self.folder / run.key)]

    def _take(self, key: str) -> bool:
        if key in self.held:
            return True
        if key in self.finished:
            return False
        path = self.folder / key
        if self.store.path(key).exists() or self._is_held(path):
            return False
        path.unlink(missing_ok=True)
        try:
            with path.open("x") as file:
                file.write(self.owner)
        except FileExistsError:  # somebody was faster
            return False
        self.held.add(key)
        if self.store.path(key).exists():  # finished, and given up, between the two looks
            self.release(key)
            return False
        return True

    def _is_held(self, path: Path) -> bool:
        try:
            owner, age = path.read_text(), time.time() - path.stat().st_mtime
        except FileNotFoundError:
            return False
        machine, _, pid = owner.rpartition("-")
        here = f"{machine}-" == OURS and pid.isdecimal()
        return age < STALE and (not here or lives(int(pid)))

    def _beat(self) -> None:
        while not self.ended.wait(BEAT):
            for key in list(self.held):
                try:
                    os.utime(self.folder / key)
                except OSError:  # given up meanwhile, or a disk that is away for the moment
                    continue
