"""What a worker of a Ray cluster does: it says who it is, then trains one stack.
The task is a generator: first an `Identity`, then the epochs as they end, or `Failed` with a message for the user.
"""

import platform
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from replication import data as datasets
from replication.core import code, provenance
from replication.core.errors import UserError
from replication.core.executors import Failed, keep_freed_memory, no_memory
from replication.core.run import TRAINING_VERSION, Run
from replication.data.images import ImageSet
from replication.training.trainer import Epoch, find

Arrays = Mapping[str, Any]  # of an ImageSet, by field, as numpy has them


@dataclass(frozen=True)
class Identity:
    """What a worker's records depend on."""

    host: str
    python: str
    torch: str
    commit: str
    code: str  # digest
    version: int  # of the training code
    sees: bool  # the files that the sweep wants it to share
    node: str = ""  # Ray's name of the machine

    def against(self, ours: "Identity") -> str | None:
        """Why it may not train beside the machine where the sweep was started; None where it may."""
        differing = {
            "torch": (self.torch.partition("+")[0], ours.torch.partition("+")[0]),
            "the commit": (self.commit, ours.commit) if self.code != ours.code else ("", ""),
            "the training code's version": (str(self.version), str(ours.version)),
        }
        said = [f"{name} {theirs}, here {here}" for name, (theirs, here) in differing.items() if theirs != here]
        if self.code != ours.code and self.commit == ours.commit:
            said.append(f"code that differs from ours, though both say commit {ours.commit}")
        if not self.sees:
            said.append("no sight of the run store and the prepared data here: they have to lie on a shared disk")
        return f"{self.host} has {', and '.join(said)}" if said else None


def identity(shared: Sequence[str] = ()) -> Identity:
    """Of this process. Args: shared: files and folders that it should see."""
    return Identity(
        host=platform.node(),
        python=platform.python_version(),
        torch=torch.__version__,
        commit=provenance.commit(code.SRC.parent),
        code=code.digest(),
        version=TRAINING_VERSION,
        sees=all(Path(path).exists() for path in shared),
    )


def train(
    stack: Sequence[Run], trainer: str, *, device: str, threads: int, arrays: Arrays | None, shared: Sequence[str]
) -> Iterator[Identity | Epoch | Failed]:
    """Train a stack.

    Args:
        threads: of torch, on a CPU.
        arrays: the data; None where they are read from the prepared files.
        shared: as in `identity`.
    """
    ray: Any = import_module("ray")  # it is installed, for this process is one of its workers
    ours = replace(identity(shared), node=ray.get_runtime_context().get_node_id())
    yield ours
    torch.set_num_threads(threads)
    keep_freed_memory()
    try:
        data = datasets.load(stack[0]["dataset"]) if arrays is None else images(arrays)
        yield from find(trainer).train(stack, data, torch.device(device))
    except UserError as error:
        yield Failed(f"{ours.host}: {error}")
    except torch.OutOfMemoryError:
        yield Failed(f"{ours.host}: {no_memory(stack)}")
    except Exception as error:  # where the sweep was started somebody reads it
        yield Failed(f"{ours.host}: training failed: {type(error).__name__}: {error}\n\n{traceback.format_exc()}")


def stack_size(run: Run, trainer: str, device: str, arrays: Arrays | None) -> int:
    """How many such runs train together on this worker's device."""
    data = datasets.load(run["dataset"]) if arrays is None else images(arrays)
    return find(trainer).stack_size(run, data, torch.device(device))


def images(arrays: Arrays) -> ImageSet:
    """A copy: what the object store holds can be read only, and torch takes no such array."""
    return ImageSet(**{name: torch.from_numpy(array.copy()) for name, array in arrays.items()})


def arrays_of(data: ImageSet) -> Arrays:
    return {name: tensor.numpy() for name, tensor in vars(data).items()}
