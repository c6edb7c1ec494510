"""Verdicts on claims of the paper and on hypotheses of ours, with the numbers that a page shows beside them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

import msgspec

PLAIN = {  # what a verdict says in plain words,
    "reproduced": "the effect is there",
    "partly": "part of it is there",
    "not reproduced": "it is not there as claimed",
    "inconclusive": "too little has been run to tell",
    "not tested": "nothing has been run",
}
PLAIN_CONTROL = {  # and what that on its control adds; nothing where none was tested
    "survives": "; the explanation survives its control",
    "does not survive": "; the explanation fails its control",
    "inconclusive": "; its control does not tell yet",
}


@dataclass(frozen=True)
class Measure:
    """One number as a page shows it. What cannot be told honestly is None, an interval above all."""

    text: str  # in words, with its numbers: "35.4 epochs become 11.0"
    value: float | None = None  # the effect
    low: float | None = None  # its 95 % interval
    high: float | None = None
    unit: str = ""  # of all three
    n: int | None = None  # how many values the mean is of, and
    counted: str = ""  # what they are: "pairs"
    runs: int | None = None  # trainings behind it
    architectures: int | None = None  # networks behind it: widths of an autoencoder, for example

    def with_interval(self, low: float, high: float) -> "Measure":
        """The same with its interval, where there is one."""
        if not (isfinite(low) and isfinite(high)):
            return self
        return replace(self, low=float(low), high=float(high))


@dataclass(frozen=True)
class Effect:
    """A claim in numbers: as published, in our runs, and once more under its control."""

    published: Measure | None = None
    ours: Measure | None = None
    after_control: Measure | None = None
    near: str = ""  # what says so, where the verdict rests on a mean near its threshold


@dataclass(frozen=True)
class Verdict:
    """What the runs say of one claim, by the rule that claims.yaml states."""

    verdict: str  # reproduced, partly, not reproduced, inconclusive, not tested
    evidence: str
    control: str  # survives, does not survive, inconclusive, not tested
    control_evidence: str
    so_far: str = ""  # of an inconclusive verdict: what the cells that exist would say, and how many they are
    control_so_far: str = ""
    effect: Effect = Effect()

    @property
    def in_plain_words(self) -> str:
        return PLAIN[self.verdict] + PLAIN_CONTROL.get(self.control, "")


@dataclass(frozen=True)
class Hypothesis:
    """What the runs of one family say of one of hypotheses.yaml."""

    name: str
    family: str
    verdict: str  # supported, partly, refuted, undecided
    evidence: str
    ours: Measure | None = None
    control: str = ""  # as a claim's; nothing where hypotheses.yaml asks no control question
    control_evidence: str = ""
    n: int | None = None  # runs, pairs or seeds behind it, of one that the page's board shows


def from_facts(found: Mapping[str, Any]) -> Verdict:
    """A verdict as `dataclasses.asdict` and the file of the findings left it."""
    return msgspec.convert(found, Verdict)


def hypotheses_of(facts: Mapping[str, Any], family: str) -> list[Hypothesis]:
    """What a part's facts say: `hypotheses`, verdict and evidence by name, and `measures`, numbers by name."""
    measures = facts.get("measures", {})
    found = []
    for name, (verdict, evidence) in facts.get("hypotheses", {}).items():
        ours = msgspec.convert(measures[name], Measure) if name in measures else None
        found.append(Hypothesis(name, family, verdict, evidence, ours))
    return found
