"""What a run is: a frozen description of one training, everything that changes its numbers and nothing else; its key
and its seeds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from replication.core.records import hashed, key_of

# Raise by hand when a change to the code changes the numbers of a training by more than rounding: every record is then
# stale.
TRAINING_VERSION = 1

# Settings that say how a run is guided, watched or stopped, not which random numbers it starts from. Runs that differ
# only in these share initial weights and batches: paired comparisons.
PAIRED_SETTINGS = frozenset(
    {"lambda", "form", "epsilon", "anchor", "inputs", "placement", "layers", "reduction"}
    | {"monitor", "precision", "patience", "min_delta", "max_epochs", "epochs"}
    | {"adam"}  # whose epsilon: the same draws, another optimiser
    | {"rate_factor", "weight_factor"}  # controls: the same draws of initial weights, multiplied
    | {"window", "bottleneck_width"}  # of rivals; behind a bottleneck only the convolutions are the same
)


@dataclass(frozen=True, eq=False)
class Run:
    """One training. `settings` are flat: numbers and texts. Runs are equal if their keys are: 1 is not 1.0."""

    family: str
    settings: Mapping[str, float | int | str]

    def __getitem__(self, name: str) -> Any:
        return self.settings[name]

    @cached_property
    def key(self) -> str:
        """16 hexadecimal digits: a hash of the description and of TRAINING_VERSION."""
        return key_of(self.family, TRAINING_VERSION, self.settings)

    def seed(self, purpose: str) -> int:
        """Seed of the random generator for one purpose (`weights`, `order`), the same whatever the guidance.

        Of its 60 bits torch's generators on the CPU use the lower 32, which no two runs of the paper's grids share
        unless they share all.
        """
        identity = {name: value for name, value in self.settings.items() if name not in PAIRED_SETTINGS}
        return int(hashed({"family": self.family, "purpose": purpose, **identity})[:15], 16)

    def __eq__(self, other: object) -> bool:
        return self.key == other.key if isinstance(other, Run) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.key)


def without_unused(described: Mapping[str, Any], **unguided: Any) -> dict[str, Any]:
    """Settings of a run without what it does not use, so that every variant of the guidance has the same unguided runs.

    That is an epsilon where the form has none, and of an unguided run all guidance.

    Args:
        unguided: what else an unguided run says in place of a setting.
    """
    settings = dict(described)
    if settings["form"] != "reciprocal":
        settings |= {"epsilon": 0.0}
    if settings["lambda"] == 0:
        settings |= {"form": "none", "epsilon": 0.0, **unguided}
    return settings


def unique(runs: Iterable[Run]) -> list[Run]:
    """The runs without repetitions, in their order: parts of a grid may share some."""
    return list({run.key: run for run in runs}.values())
