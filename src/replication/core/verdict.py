"""Verdicts on claims of the paper and on hypotheses of ours."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    """What the runs say of one claim, by the rule that claims.yaml states."""

    verdict: str  # reproduced, partly, not reproduced, inconclusive, not tested
    evidence: str
    control: str  # survives, does not survive, inconclusive, not tested
    control_evidence: str


@dataclass(frozen=True)
class Hypothesis:
    """What the runs of one family say of one of hypotheses.yaml."""

    name: str
    family: str
    verdict: str  # supported, partly, refuted, undecided
    evidence: str
    control: str = ""  # as a claim's; nothing where hypotheses.yaml asks no control question
    control_evidence: str = ""
    n: int | None = None  # runs, pairs or seeds behind it, of one that the page's board shows
