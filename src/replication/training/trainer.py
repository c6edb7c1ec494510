"""What a module that trains a family of runs offers.

A trainer knows nothing of the sweep: it gets runs and their data, and yields epochs with finished records. That of
large models keeps checkpoints and weights beside the store's records.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol

import torch
from torch import Tensor

from replication.core.errors import UserError
from replication.core.run import Run
from replication.core.runs import Record
from replication.training import precision

COMPILED = "COMPILED"  # of a module with a trainer: the name of its compiled one
GPU_MEMORY_SHARE = 0.5  # of what is free, for one stack


@dataclass(frozen=True)
class Epoch:
    """What one epoch of a stack of runs left."""

    number: int
    training: int  # models that go on
    progress: str  # for the user, for example "mse 0.0031"
    finished: list[Record]
    curves: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # by key: what it left of each run in it


def latest(history: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """The last value of each."""
    return {name: values[-1] for name, values in history.items()}


class Trainer(Protocol):
    """A room's module `train`, or an object of it. `data` is what `datasets.load` gives for the runs' data set."""

    def stack_key(self, run: Run) -> Hashable:
        """Runs with equal keys can be trained as one stack."""

    def stack_size(self, run: Run, data: Any, device: torch.device) -> int:
        """How many runs like this one train together."""

    def one_thread(self, run: Run) -> bool:
        """Whether a CPU trains such models fastest with one thread each, several at a time; else one with all cores."""

    def cost(self, run: Run) -> float:
        """Longer trainings first: any number that grows with the seconds of an epoch."""

    def train(self, runs: Sequence[Run], data: Any, device: torch.device) -> Iterator[Epoch]:
        """Train one stack until all its runs have finished."""


def find(place: str) -> Trainer:
    """Import a trainer: a module, or MODULE:NAME."""
    module, _, name = place.partition(":")
    found: Any = import_module(module)
    trainer: Trainer = getattr(found, name) if name else found
    return trainer


def compiled(place: str, device: torch.device) -> str:
    """Where the trainer is that does the same through torch.compile.

    Raises:
        UserError: there is none, or the device is a CPU.
    """
    module, _, name = place.partition(":")
    if not name or not hasattr(import_module(module), COMPILED):
        raise UserError("--compile is for the large networks: VGG16, ResNet-50 and the U-Nets. The others gain nothing")
    if device.type == "cpu":
        raise UserError("--compile is for a GPU: on a CPU it makes steps slower. Leave it out, or choose --device cuda")
    return f"{module}:{COMPILED}"


def checkpoints(place: str) -> bool:
    """Whether a trainer goes on with unfinished runs from a checkpoint: it says so by CHECKPOINTS = True."""
    return bool(getattr(find(place), "CHECKPOINTS", False))


def prepare(device: torch.device, run: Run) -> None:
    """Tell a GPU's libraries what a trainer needs for a run; once for each stack.

    Raises:
        UserError: the device does not have the run's precision.
    """
    precision.check([run], device)
    if device.type == "cuda":
        # The other choice, MAGMA, waits for the device in the LU of a batch, which no CUDA graph can capture.
        torch.backends.cuda.preferred_linalg_library("cusolver")
        torch.backends.cudnn.benchmark = True
        precision.choose_products(run)


def shared_settings(run: Run, own: Set[str]) -> Hashable:
    """Key of a stack: all settings but those that each of its models may have of its own."""
    return (run.family, *((name, value) for name, value in sorted(run.settings.items()) if name not in own))


def fitting(numbers: int, run: Run, device: torch.device) -> int:
    """How many models fit on a GPU, one at least, if each needs so many numbers in the run's precision."""
    return max(1, int(GPU_MEMORY_SHARE * free_memory(device) / (numbers * precision.dtype_of(run).itemsize)))


def free_memory(device: torch.device) -> int:
    """Bytes that this process can still use on a GPU: what nobody has, and what torch keeps of earlier runs."""
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + kept


class Orders:
    """In which order each run sees the training images. Paired runs see the same batches: one generator for them."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self._generators = {seed: torch.Generator().manual_seed(seed) for seed in {run.seed("order") for run in runs}}

    def draw(self, runs: Sequence[Run], images: int) -> Tensor:
        """The next epoch's order for each of the runs, (M, N). Runs that have ended draw along."""
        drawn = {seed: torch.randperm(images, generator=generator) for seed, generator in self._generators.items()}
        return torch.stack([drawn[run.seed("order")] for run in runs])
