"""The verdict on one claim."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    """What the runs say of one claim, by the rule that claims.yaml states."""

    verdict: str  # reproduced, partly, not reproduced, inconclusive, not tested
    evidence: str
    control: str  # survives, does not survive, inconclusive, not tested
    control_evidence: str
