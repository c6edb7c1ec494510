"""R3, R3c and R3d: the feedback of transfer entropy, its placebos, and what its accuracies are measured on."""

import pandas as pd

from replication.rivals.settings import UNGUIDED
from replication.rivals.statistics.frames import pairs, values
from replication.rivals.statistics.rules import SEEDS, Interval, Ruling, enough, survives
from replication.statistics.t_tests import t_interval

FEEDBACK, PERMUTED = "te", "te-permuted"  # arms
CONTROLS = (PERMUTED, "te-diagonal", "shrink")
ARMS = (FEEDBACK, "te-gradient", *CONTROLS)
SOONER = -1.0  # epochs
NOTHING, SAME = 0.07, 0.01  # shares of pairs and windows
BETTER = 0.05  # accuracy


def r3(runs: pd.DataFrame, arms: set[str]) -> Ruling:
    """Fewer epochs to the target. Args: arms, those that are planned."""
    epochs = values(runs, FEEDBACK, "epochs")
    found = Interval.of(pairs(epochs, values(runs, UNGUIDED, "epochs")))
    verdict = "undecided"
    if enough([found]):
        verdict = "supported" if found.below(0) else "refuted" if found.above(SOONER) else "undecided"
    controls = [name for name in CONTROLS if name in arms]
    against = {name: Interval.of(pairs(epochs, values(runs, name, "epochs")), len(controls)) for name in controls}
    said = "; ".join(f"{name} {interval.said(2)}" for name, interval in against.items())
    passed = all(interval.below(0) for interval in against.values())
    control = survives(passed, known=enough(against.values()) and enough([found]))
    return Ruling(
        verdict, f"epochs to the target, less unguided: {found.said(2)}", found.n, control, f"epochs less {said}"
    )


def r3c(runs: pd.DataFrame) -> Ruling:
    """The share of pairs and windows in which the chi-square test finds something."""
    shares = values(runs, FEEDBACK, "significant")
    if shares.empty:
        return Ruling("undecided", "no runs", 0, "not tested")
    evidence = f"p < 0.05 in {shares.mean():.2%} of pairs and windows (n = {len(shares)} runs)"
    verdict = ("supported" if shares.mean() <= NOTHING else "refuted") if len(shares) >= SEEDS else "undecided"
    against = Interval.of(pairs(shares, values(runs, PERMUTED, "significant")))
    control = survives(against.within(SAME), known=enough([against]))
    return Ruling(verdict, evidence, len(shares), control, f"less the share of {PERMUTED}: {against.said()}")


def r3d(runs: pd.DataFrame) -> Ruling:
    """The same networks on training images."""
    found = Interval.of(pairs(values(runs, FEEDBACK, "on_training_images"), values(runs, FEEDBACK, "accuracy")))
    evidence = f"accuracy on training images less that on validation images {found.said(3)}"
    verdict = "supported" if found.above(BETTER) else "refuted" if found.below(BETTER) else "undecided"
    return Ruling(verdict if enough([found]) else "undecided", evidence, found.n)


def compared(runs: pd.DataFrame) -> pd.DataFrame:
    """The feedback, its placebos and its control.

    Columns: arm, n, epochs, low, high (to the target, less the unguided run; 95 %), accuracy, on_training_images, lost
    (share of the last layer's weights, an epoch), significant: means.
    """
    rows = []
    for arm in ARMS:
        own = runs[runs["arm"] == arm]
        found = pairs(values(runs, arm, "epochs"), values(runs, UNGUIDED, "epochs"))
        if len(found):
            means = own[["accuracy", "on_training_images", "lost", "significant"]].mean()
            rows.append((arm, len(found), found.mean(), *t_interval(found), *means))
    columns = ["arm", "n", "epochs", "low", "high", "accuracy", "on_training_images", "lost", "significant"]
    return pd.DataFrame(rows, columns=columns)
