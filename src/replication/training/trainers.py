"""What a module that trains a family of runs offers.

A trainer knows neither store nor sweep: it gets runs and their data, and yields epochs with finished records.
"""

import platform
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from replication.runs import Record, Run


@dataclass(frozen=True)
class Epoch:
    """What one epoch of a stack of runs left."""

    number: int
    training: int  # models that go on
    progress: str  # for the user, for example "mse 0.0031"
    finished: list[Record]


class Trainer(Protocol):
    """A module under replication.training. `data` is what `datasets.load` gives for the runs' data set."""

    # On a CPU: several processes of one thread each (many small models), or one process with all cores (large ones)
    MANY_SMALL: bool

    def stack_key(self, run: Run) -> Hashable:
        """Runs with equal keys can be trained as one stack."""

    def stack_size(self, run: Run, data: Any, device: torch.device) -> int:
        """How many runs like this one train together."""

    def cost(self, run: Run) -> float:
        """Longer trainings first: any number that grows with the seconds of an epoch."""

    def train(self, runs: Sequence[Run], data: Any, device: torch.device) -> Iterator[Epoch]:
        """Train one stack until all its runs have finished."""


def environment(device: torch.device, models: int) -> dict[str, str]:
    """Where a stack of models was trained, for their records."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return {"device": f"{device.type} {name}", "torch": torch.__version__, "stack": str(models)}
