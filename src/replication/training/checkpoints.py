"""Checkpoints of unfinished runs: what a training needs to go on, whose it is, and the digest of all that."""

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from replication.core import measured
from replication.core.files import reading, write_whole
from replication.core.run import Run

INTERVAL = 180.0  # seconds of an epoch after which what it has done so far is kept
SHARE = 0.05  # of a training's time at most that goes into checkpoints: those of VGG16 are a gigabyte

WITHIN = "within"  # of a state: how far an unfinished epoch has come


class Clock:
    """Says when a checkpoint is due: after each epoch and every few minutes within one, if that takes little time."""

    def __init__(self) -> None:
        self.last, self.cost = time.monotonic(), 0.0

    def due(self, *, within_epoch: bool) -> bool:
        """Whether to save now."""
        return time.monotonic() - self.last >= max(INTERVAL if within_epoch else 0.0, self.cost / SHARE)

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Around the saving of one."""
        began = time.monotonic()
        yield
        self.last = time.monotonic()
        self.cost = self.last - began


def save(path: Path, run: Run, state: dict[str, Any]) -> None:
    """Write a run's state (nested mappings and lists of tensors, numbers and texts) atomically."""
    whole = {"key": run.key, **state}
    write_whole(path, lambda beside: torch.save(whole | {"digest": digest(whole)}, beside), _bytes(state))


def load(path: Path, run: Run) -> dict[str, Any]:
    """The state that `save` left, on the CPU: a full GPU is no damage. It has a `history`, or an epoch WITHIN, or both.

    One of before there were digests has neither key nor digest, and is believed.

    Raises:
        Damaged: the file is not what it was when it was written, or is another run's.
        UserError: it cannot be read, and may be whole.
    """
    with reading(path, "set it aside, and the run starts anew"):
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        carried = state.pop("digest", None)
        if carried is not None and carried != digest(state):
            raise ValueError("its content was changed")
        if state.pop("key", run.key) != run.key:
            raise ValueError("it is the checkpoint of another run")
        history = state["history"]
        if not history and WITHIN in state:  # in its first epoch
            return state
        if len({len(values) for values in history.values()}) != 1:
            raise ValueError("its histories differ in their epochs")
        measured.check_history(run.family, history)
        if not 0 < len(history["monitored"]) < run["max_epochs"]:
            raise ValueError(f"it has {len(history['monitored'])} epochs, and the run ends with {run['max_epochs']}")
    return state


def digest(state: Any) -> str:
    """SHA-256 of all that a nested state holds."""
    found = hashlib.sha256()
    _add(state, found)
    return found.hexdigest()


def _bytes(value: Any) -> int:
    """Of all tensors in a nested state."""
    if isinstance(value, dict):
        return sum(map(_bytes, value.values()))
    if isinstance(value, list | tuple):
        return sum(map(_bytes, value))
    return value.nbytes if isinstance(value, Tensor) else 0


def _add(value: Any, found: "hashlib._Hash") -> None:
    if isinstance(value, dict):
        found.update(b"{")
        for key, item in value.items():
            found.update(json.dumps(key).encode())
            _add(item, found)
    elif isinstance(value, list | tuple):
        found.update(b"[")
        for item in value:
            _add(item, found)
    elif isinstance(value, Tensor):
        found.update(f"{value.dtype} {tuple(value.shape)}".encode())
        found.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    else:
        found.update(repr(value).encode())
