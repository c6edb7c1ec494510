"""What trainings need, estimated from their settings before the first one starts; refused where it is not there.

The estimates are lower bounds: what torch's libraries and the data take comes on top.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from replication.core.errors import UserError
from replication.core.room_for import RUN_DISK, existing, free_disk, size
from replication.core.run import Run
from replication.data.catalogue import Known, known

BYTES = {"float64": 8, "float32": 4, "bfloat16": 4, "tf32": 4}  # of a number; weights stay float32 beside bfloat16


@dataclass(frozen=True)
class TrainingSize:
    """One network: its parameters, and the numbers that a forward pass keeps of one image for the backward pass."""

    parameters: int
    activations: int
    moments: int = 2  # of the optimiser, for each parameter: Adam's


SizeOf = Callable[[Run, Known], TrainingSize | None]  # None: nobody knows


def check(runs: Sequence[Run], size_of: SizeOf, *, memory: int | None, store: Path, checkpoints: bool) -> None:
    """Refuse trainings that cannot end here.

    Args:
        runs: those to be trained.
        memory: bytes of the device; None is not known.
        store: folder of the records.
        checkpoints: whether the trainer keeps checkpoints, and the weights of unguided runs.

    Raises:
        UserError: a training does not fit into the memory, or what the runs leave not onto the disk; says the estimate.
    """
    sizes = [(run, found) for run in runs if (found := _size(run, size_of)) is not None]
    if sizes and memory is not None:
        run, largest = max(sizes, key=lambda pair: memory_of(*pair))
        if (needed := memory_of(run, largest)) > memory:
            raise UserError(
                f"{run.family}: a training with {_said(run)} needs about {size(needed)} of memory "
                f"({largest.parameters:,} parameters; batches of {run['batch_size']:,} images, "
                f"{largest.activations:,} activations each). There are {size(memory)}: choose smaller ones"
            )
    needed = disk_of(runs, sizes if checkpoints else [])
    free = free_disk(existing(store))
    if needed > free:
        raise UserError(
            f"{runs[0].family}: {len(runs):,} runs need about {size(needed)} of disk in {store}, and it has "
            f"{size(free)} left. Free some space, or choose fewer runs"
        )


def memory_of(run: Run, found: TrainingSize) -> int:
    """Bytes of one training, at least: parameters, their gradients and moments, and a batch's activations."""
    numbers = (2 + found.moments) * found.parameters + run["batch_size"] * found.activations
    return BYTES[run["precision"]] * numbers


def disk_of(runs: Sequence[Run], kept: Sequence[tuple[Run, TrainingSize]]) -> int:
    """Bytes that runs leave: records, weights of unguided ones, and a checkpoint beside the one that it replaces."""
    weights = sum(BYTES[run["precision"]] * found.parameters for run, found in kept if run["lambda"] == 0)
    states = (BYTES[run["precision"]] * (1 + found.moments) * found.parameters for run, found in kept)
    checkpoint = 2 * max(states, default=0)
    return len(runs) * RUN_DISK + weights + checkpoint


def _size(run: Run, size_of: SizeOf) -> TrainingSize | None:
    about = known(run["dataset"])
    return None if about is None else size_of(run, about)


def _said(run: Run) -> str:
    """The settings that make it large, where a run has them."""
    return ", ".join(
        f"{name} {run[name]}" for name in ("width", "widths", "blocks", "batch_size") if name in run.settings
    )
