"""Pairs of runs that were not made alike: a difference between them may be one of machines."""

from collections.abc import Iterable
from dataclasses import dataclass

from replication.core.provenance import NOT_RECORDED, recorded
from replication.core.run import PAIRED_SETTINGS
from replication.core.runs import Record

ALIKE = ("processor", "threads", "torch")  # with any of these else, sums are rounded in another order


@dataclass(frozen=True)
class Pairs:
    """How many pairs there are, how many were made apart, and of how many others that is not recorded."""

    number: int
    apart: int
    not_recorded: int

    def __str__(self) -> str:
        """A sentence for the report."""
        return (
            f"{self.number:,} guided runs stand beside the unguided run of their seed; {self.apart:,} of these pairs "
            "are known to come from different processors, numbers of threads or torch versions (not recorded: "
            f"{self.not_recorded:,})."
        )


def made_apart(records: Iterable[Record]) -> Pairs:
    """Each guided run beside the unguided run of its seed and precision, where there is one."""
    found = list(records)
    unguided = {seed_of(record): record for record in found if record["run"]["lambda"] == 0}
    pairs = [
        (record, unguided[seed_of(record)])
        for record in found
        if record["run"]["lambda"] != 0 and seed_of(record) in unguided
    ]
    apart, not_recorded = 0, 0
    for pair in pairs:
        values = [[recorded(record["environment"], name) for record in pair] for name in ALIKE]
        differ = any(one != other and NOT_RECORDED not in (one, other) for one, other in values)
        apart += differ
        not_recorded += not differ and any(NOT_RECORDED in both for both in values)
    return Pairs(len(pairs), apart, not_recorded)


def seed_of(record: Record) -> tuple[object, ...]:
    """What a pair has in common."""
    settings = [(name, value) for name, value in sorted(record["run"].items()) if name not in PAIRED_SETTINGS]
    return (record["family"], record["run"].get("precision"), *settings)
