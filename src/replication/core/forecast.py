"""How long missing runs would take on this machine: measured seconds of an epoch, times the epochs expected of a run.

One network of a family stands for all its runs. The number of epochs is fixed in some families. In others it is the
median of finished runs that are guided and watched alike; where there are none, the most that is allowed.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from replication.core.cores import workers
from replication.core.errors import UserError
from replication.core.family import Family
from replication.core.paces import Paces, network
from replication.core.run import Run
from replication.core.runs import Record
from replication.data import catalogue

if TYPE_CHECKING:
    import torch

# What decides when a run stops, nearest likeness first.
ALIKE = (("form", "lambda", "monitor", "width"), ("form", "lambda", "monitor"), ("monitor",))


@dataclass(frozen=True)
class Left:
    """What a family's missing runs would take."""

    hours: float | None  # on this machine, by the clock; None where no pace is known
    estimate: bool  # whether some of it is scaled up from small batches
    at_most: bool  # whether early stopping may end some of it sooner: no run like them has finished
    untimed: int  # missing runs that are not in it: their pace is not known, or they cannot be described yet


class Forecast:
    """Seconds of runs, from the paces that are known and the epochs of finished runs."""

    def __init__(self, paces: Paces, records: Iterable[Record]) -> None:
        """Args: records: finished runs, of any families."""
        self.paces = paces
        self._lasted: defaultdict[tuple[Any, ...], list[int]] = defaultdict(list)
        for record in records:
            if "stopping_epoch" in record["metrics"]:
                for names in ALIKE:
                    self._lasted[_likeness(record["family"], record["run"], names)].append(
                        record["metrics"]["stopping_epoch"]
                    )

    def epochs(self, run: Run) -> int:
        """How many are expected of a run."""
        return self._expected(run)[0]

    def _expected(self, run: Run) -> tuple[int, bool]:
        """How many, and whether it may well be fewer."""
        if "epochs" in run.settings:
            return int(run["epochs"]), False
        most = int(run["max_epochs"])
        if run["patience"] >= most:  # nothing stops it
            return most, False
        found = (self._lasted.get(_likeness(run.family, run.settings, names)) for names in ALIKE)
        lasted = next((epochs for epochs in found if epochs), None)
        return (most, True) if lasted is None else (min(most, round(median(lasted))), False)

    def epoch_seconds(self, run: Run) -> float | None:
        """Of one epoch; None where the pace is not known."""
        pace = self.paces.of(run)
        return None if pace is None else pace.epoch

    def seconds(self, run: Run) -> float | None:
        """Of the whole training, in the process that trains it; None where the pace is not known."""
        pace = self.paces.of(run)
        return None if pace is None else pace.once + pace.epoch * self.epochs(run)

    def clock_seconds(self, run: Run) -> float | None:
        """What the run adds to a sweep by the clock: small networks train in as many processes as there are."""
        pace, seconds = self.paces.of(run), self.seconds(run)
        if pace is None or seconds is None:
            return None
        return seconds if pace.alone else seconds / workers()

    def left(self, missing: Sequence[Run], undescribed: int = 0) -> Left:
        """Of a family's missing runs, and of so many more that cannot be described yet."""
        known = {run: seconds for run in missing if (seconds := self.clock_seconds(run)) is not None}
        untimed = len(missing) - len(known) + undescribed
        return Left(
            hours=None if untimed and not known else sum(known.values()) / 3600,
            estimate=any(pace.estimate for run in known if (pace := self.paces.of(run)) is not None),
            at_most=any(self._expected(run)[1] for run in known),
            untimed=untimed,
        )


def measure(
    paces: Paces, missing: Sequence[tuple[Family[Any], Sequence[Run]]], device: "torch.device", deadline: float
) -> Iterator[str]:
    """Measure every network among the missing runs whose pace is not known, as far as time goes; yields which is next.

    First one network of each family, those of small data sets first, then the others. What cannot be trained here stays
    without a pace.

    Args:
        deadline: seconds of time.monotonic().
    """
    from replication.core.executors import OutOfTime
    from replication.core.sweep import alarm
    from replication.core.timing import pace_of

    wanted = [(place, family, runs) for family, found in missing for place, runs in enumerate(_by_network(found))]
    for _, family, runs in sorted(wanted, key=lambda one: (one[0], _numbers(one[2][0]))):
        about = catalogue.known(runs[0]["dataset"])
        if about is None or paces.of(runs[0]) is not None:
            continue
        yield network(runs[0])
        with suppress(UserError):
            try:
                with alarm(deadline):
                    pace = pace_of(_typical(runs), family.trainer, about, device)
            except OutOfTime:
                return
            paces.keep(runs[0], pace)


def _by_network(runs: Sequence[Run]) -> list[list[Run]]:
    found: defaultdict[str, list[Run]] = defaultdict(list)
    for run in runs:
        found[network(run)].append(run)
    return list(found.values())


def _numbers(run: Run) -> int:
    """Of all training images."""
    about = catalogue.known(run["dataset"])
    return 0 if about is None else about.inputs * about.train


def _typical(runs: list[Run]) -> list[Run]:
    """Guided ones first, as most are, and of them those whose guidance does not depend on the images."""
    return sorted(runs, key=lambda run: ("inputs" in run.settings, run["lambda"] == 0))


def _likeness(family: str, settings: Any, names: Sequence[str]) -> tuple[Any, ...]:
    return (family, names, *(settings.get(name) for name in names))
