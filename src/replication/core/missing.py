"""What is missing of a family's grid, and how long it would take, from finished runs of the same networks."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from replication.core.family import Family
from replication.core.run import Run

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


def coverage(family: Family[Any], runs: Sequence[Run] | None = None) -> Coverage:
    """Of a family's grid, or of some of its runs.

    A missing run takes the median seconds of the family's finished runs of the same network.
    """
    grid, planned = (family.grid, family.planned) if runs is None else (runs, len(runs))
    keys = {run.key for run in grid}
    seconds: dict[tuple[Any, ...], list[float]] = defaultdict(list)
    for record in family.records:
        seconds[_size(record["run"])].append(record["seconds"])
    records = [record for record in family.records if record["key"] in keys]
    finished = {record["key"] for record in records}
    sizes = [_size(run.settings) for run in grid if run.key not in finished]
    known = [median(seconds[size]) for size in sizes if size in seconds]
    return Coverage(
        family=family.name,
        runs=len(records),
        planned=planned,
        hours=round(sum(record["seconds"] for record in records) / 3600, 3),
        hours_missing=round(sum(known) / 3600, 1),
        without_estimate=planned - len(records) - len(known),
    )


def _size(run: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(run.get(name) for name in SIZE)
