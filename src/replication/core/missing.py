"""What is missing of a family's grid, and how long it would take, from finished runs of the same networks."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from replication.core.family import Family

SIZE = ("dataset", "network", "blocks", "width", "widths", "divisor")  # settings that tell networks apart


@dataclass(frozen=True)
class Coverage:
    """How much of a family's grid exists."""

    family: str
    runs: int
    planned: int
    hours: float  # that the finished runs took
    hours_missing: float  # that the missing ones would take on the same machine, where a run of their network exists
    without_estimate: int  # missing runs of networks that have none


def coverage(family: Family[Any]) -> Coverage:
    """Of one family: for each missing run the median seconds of the finished runs of its network."""
    records = family.records
    seconds: dict[tuple[Any, ...], list[float]] = defaultdict(list)
    for record in records:
        seconds[_size(record["run"])].append(record["seconds"])
    finished = {record["key"] for record in records}
    sizes = [_size(run.settings) for run in family.grid if run.key not in finished]
    known = [median(seconds[size]) for size in sizes if size in seconds]
    return Coverage(
        family=family.name,
        runs=len(records),
        planned=family.planned,
        hours=round(sum(record["seconds"] for record in records) / 3600, 3),
        hours_missing=round(sum(known) / 3600, 1),
        without_estimate=family.planned - len(records) - len(known),
    )


def _size(run: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(run.get(name) for name in SIZE)
