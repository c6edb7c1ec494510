"""Measured paces of trainings, by network, kept in the store: one file for each machine and state of the code."""

import hashlib
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from replication.core import code, provenance, strict_json
from replication.core.cores import cores
from replication.core.files import bytes_of, write_text
from replication.core.missing import SIZE
from replication.core.run import Run
from replication.core.store import Store

if TYPE_CHECKING:
    import torch

NETWORK = (*SIZE, "batch_size")  # settings that decide the seconds of a step


@dataclass(frozen=True)
class Pace:
    """Of one run, in a stack like the one measured."""

    epoch: float  # seconds of an epoch over all its images, validation included
    once: float  # seconds before the first
    estimate: bool  # scaled up from small batches
    alone: bool  # whether a sweep trains one such stack at a time; else one a core


@dataclass(frozen=True)
class _Kept:
    where: dict[str, str]
    paces: dict[str, Pace]


class Paces:
    """Those that are known, of one machine and device."""

    def __init__(self, store: Store, device: "torch.device") -> None:
        self.where = _where(device)
        name = hashlib.sha256(strict_json.dumps(self.where, sort_keys=True).encode()).hexdigest()[:16]
        self.path = store.folder / "timings" / f"{name}.json"
        self.known = _read(self.path)

    def of(self, run: Run) -> Pace | None:
        return self.known.get(network(run))

    def keep(self, run: Run, pace: Pace) -> None:
        """Write down what was measured of a network.

        Raises:
            UserError: the store cannot be written.
        """
        self.known = _read(self.path) | self.known | {network(run): pace}  # another process may have added some
        write_text(self.path, strict_json.dumps(asdict(_Kept(self.where, self.known)), indent=1, sort_keys=True))


def network(run: Run) -> str:
    """What runs of equal pace have in common, as text: the family, and the settings that shape a step."""
    said = [f"{name} {run[name]}" for name in NETWORK if name in run.settings]
    return ", ".join([run.family, *said])


def _read(path: Path) -> dict[str, Pace]:
    """A file that cannot be read counts as none: it holds nothing that cannot be measured again."""
    try:
        return msgspec.json.decode(bytes_of(str(path)), type=_Kept).paces
    except (OSError, msgspec.DecodeError):
        return {}


def _where(device: "torch.device") -> dict[str, str]:
    """What a pace depends on beside the network."""
    import torch  # takes seconds, which readers of records need not wait

    about = provenance.environment(device, 1)
    names = ("device", "processor", "capability", "torch", "commit")
    return {
        "machine": platform.node(),
        **{name: about[name] for name in names},
        "cores": str(cores()),
        "threads": str(torch.get_num_threads()),
        "code": code.digest(),
    }
