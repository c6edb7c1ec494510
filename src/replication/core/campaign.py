"""The order in which a campaign spends its minutes: a pure function of what is missing and how long it would take.

Missing runs are taken row by row. A row is one replicate of one network: the runs that share initial weights and
batches, and differ in lambda and in how they are guided or watched. RULE says which row comes first.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import groupby
from statistics import mean
from typing import Any

from replication.core.run import PAIRED_SETTINGS, Run

RULE = (
    "Runs of a claim without a verdict come first, then those of families whose hypotheses have none, then those of "
    "claims that have a verdict, then the others.",
    "What can be finished in the minutes comes before what can only be brought further; what can be neither is left.",
    "Replicates that were begun are completed across lambda before another replicate is begun; low ones come first.",
    "Cheap families come before dear ones, and within a family cheap networks before dear ones.",
)
MARGIN = 1.25  # a run is begun if so many times its expected seconds are left
WITHOUT = ("not tested", "inconclusive", "undecided")  # how a verdict that decides nothing begins


class Need(IntEnum):
    """What a run would move; the lower, the more."""

    CLAIM_WITHOUT_VERDICT = 0
    HYPOTHESIS_WITHOUT_VERDICT = 1
    CLAIM = 2
    NONE = 3


WORDS = {
    Need.CLAIM_WITHOUT_VERDICT: "without a verdict",
    Need.HYPOTHESIS_WITHOUT_VERDICT: "without a verdict",
    Need.CLAIM: "with a verdict",
    Need.NONE: "no claim needs them",
}


@dataclass(frozen=True)
class Wanted:
    """Why a run is wanted."""

    need: Need
    by: tuple[str, ...] = ()  # claims or hypotheses


@dataclass(frozen=True)
class Row:
    """Missing runs of one replicate of one network that are wanted for the same reason."""

    family: str
    wanted: Wanted
    replicate: int
    runs: tuple[Run, ...]  # in the grid's order
    begun: bool  # whether other runs of it have finished
    startable: bool  # whether some of its runs can be finished, or at least be brought further
    finishable: bool
    seconds: float | None  # by the clock; None where it is not known


@dataclass(frozen=True)
class Block:
    """Rows of one family in a row."""

    family: str
    rows: tuple[Row, ...]

    @property
    def wanted(self) -> Wanted:
        names = {name for row in self.rows for name in row.wanted.by}
        return Wanted(self.rows[0].wanted.need, tuple(sorted(names, key=_number)))

    @property
    def runs(self) -> list[Run]:
        return [run for row in self.rows for run in row.runs]

    @property
    def seconds(self) -> float | None:
        known = [row.seconds for row in self.rows if row.seconds is not None]
        return sum(known) if known else None


@dataclass(frozen=True)
class Times:
    """What is known of how long runs take here; None where nothing is."""

    whole: Callable[[Run], float | None]  # seconds of a training
    clock: Callable[[Run], float | None]  # by which it lengthens a sweep of several processes
    epoch: Callable[[Run], float | None]  # of an epoch
    resumes: Callable[[Run], bool]  # whether it can go on from its last checkpoint

    def finishes(self, runs: Sequence[Run], left: float) -> bool:
        """Whether a stack, which ends together, can be expected to end within so many seconds."""
        found = [self.whole(run) for run in runs]
        return None not in found and MARGIN * sum(filter(None, found)) <= left

    def fits(self, runs: Sequence[Run], left: float) -> bool:
        """Whether a stack is worth beginning: it finishes, or it resumes and an epoch of it ends in time."""
        if self.finishes(runs, left):
            return True
        epochs = [self.epoch(run) for run in runs]
        return None not in epochs and all(map(self.resumes, runs)) and MARGIN * sum(filter(None, epochs)) <= left


def wanted(
    run: Run,
    needed: Mapping[str, set[str]],
    verdicts: Mapping[str, str],
    hypotheses: Mapping[str, Iterable[str]],
) -> Wanted:
    """Why a run is wanted.

    Args:
        needed: by claim, the keys of the runs that it rests on.
        verdicts: by claim; a claim that is not there has none.
        hypotheses: by family, the names of those without a verdict.
    """
    claims = [claim for claim, keys in needed.items() if run.key in keys]
    if open_ := tuple(claim for claim in claims if verdicts.get(claim, WITHOUT[0]).startswith(WITHOUT)):
        return Wanted(Need.CLAIM_WITHOUT_VERDICT, open_)
    if undecided := tuple(hypotheses.get(run.family, ())):
        return Wanted(Need.HYPOTHESIS_WITHOUT_VERDICT, undecided)
    return Wanted(Need.CLAIM, tuple(claims)) if claims else Wanted(Need.NONE)


def rows(
    grid: Sequence[Run], missing: set[str], why: Callable[[Run], Wanted], times: Times, seconds: float
) -> list[Row]:
    """The rows of a family that miss something, in no particular order.

    Args:
        missing: keys of the runs that nobody has trained.
        seconds: that the campaign lasts.
    """
    together: defaultdict[Any, list[Run]] = defaultdict(list)
    for run in grid:
        identity = tuple((name, value) for name, value in run.settings.items() if name not in PAIRED_SETTINGS)
        together[why(run).need, identity].append(run)
    found = []
    for (need, _), runs in together.items():
        left = tuple(run for run in runs if run.key in missing)
        if not left:
            continue
        clock = [times.clock(run) for run in left]
        found.append(
            Row(
                family=left[0].family,
                wanted=Wanted(need, tuple(sorted({name for run in left for name in why(run).by}, key=_number))),
                replicate=int(left[0]["replicate"]),
                runs=left,
                begun=len(left) < len(runs),
                startable=any(times.fits([run], seconds) for run in left),
                finishable=any(times.finishes([run], seconds) for run in left),
                seconds=None if None in clock else sum(filter(None, clock)),
            )
        )
    return found


def blocks(found: Sequence[Row]) -> list[Block]:
    """The rows that can be begun, by RULE; those of one family that follow each other are one block."""
    startable = [row for row in found if row.startable]
    families: defaultdict[Any, list[float]] = defaultdict(list)
    for row in startable:
        families[row.wanted.need, row.family].append(row.seconds or 0.0)

    def place(row: Row) -> tuple[Any, ...]:
        dear = mean(families[row.wanted.need, row.family])
        return (
            *(row.wanted.need, not row.finishable, not row.begun, row.replicate),
            *(dear, row.family, row.seconds or 0.0),
        )

    grouped = groupby(sorted(startable, key=place), key=lambda row: (row.family, row.wanted.need, row.finishable))
    return [Block(family, tuple(rows_)) for (family, *_), rows_ in grouped]


def _number(name: str) -> tuple[str, int, str]:
    """C7 before C10."""
    digits = "".join(filter(str.isdigit, name))
    return name[:1], int(digits or 0), name
