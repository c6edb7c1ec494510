"""What the rules R1 to R8 in data/published/hypotheses.yaml have in common."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from replication.statistics.t_tests import t_interval

SEEDS, FEW = 10, 5  # replicates that a verdict asks for: as a rule, and of larger networks


@dataclass(frozen=True)
class Ruling:
    """A verdict with its evidence, and what the control says."""

    verdict: str  # supported, refuted, undecided
    evidence: str
    n: int  # pairs, or seeds, of the comparison that has fewest
    control: str = ""  # survives, does not survive, not tested; nothing where no control is asked for
    control_evidence: str = ""


@dataclass(frozen=True)
class Interval:
    """A mean of differences over pairs, with its t-interval."""

    n: int
    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, differences: pd.Series, tests: int = 1) -> "Interval":
        """Args: tests, for Bonferroni's correction."""
        return cls(len(differences), float(differences.mean()), *t_interval(differences, tests))

    def below(self, value: float) -> bool:
        return self.high < value

    def above(self, value: float) -> bool:
        return self.low > value

    def within(self, margin: float) -> bool:
        return self.low > -margin and self.high < margin

    def outside(self, margin: float) -> bool:
        return self.low > margin or self.high < -margin

    def said(self, digits: int = 4) -> str:
        """For the evidence: `-0.0120 (-0.0150 to -0.0090, n = 10)`."""
        if not self.n:
            return "no pairs (n = 0)"
        if self.n == 1:
            return f"{self.mean:+.{digits}f} (n = 1, no interval)"
        return f"{self.mean:+.{digits}f} ({self.low:+.{digits}f} to {self.high:+.{digits}f}, n = {self.n})"


def fewest(intervals: Iterable[Interval]) -> int:
    return min((interval.n for interval in intervals), default=0)


def enough(intervals: Iterable[Interval], n: int = SEEDS) -> bool:
    """Whether there are some, and each has so many pairs."""
    return fewest(intervals) >= n


def by_lambda(said: Mapping[float, str]) -> str:
    return "; ".join(f"at {lambda_:g} {text}" for lambda_, text in said.items())


def survives(passed: bool, *, known: bool) -> str:
    """The control's word."""
    return ("survives" if passed else "does not survive") if known else "not tested"
