"""Records as tables: a row a run, and a row a measurement; differences to the unguided run of the seed."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from replication.core.run import Run
from replication.core.runs import Record
from replication.rivals.record import PER_NAT
from replication.rivals.settings import UNGUIDED
from replication.statistics.t_tests import t_interval

FIRST = 10  # epochs of the unguided run within which the target is its best accuracy
METRICS = {  # column -> metric
    "accuracy": "validation_accuracy",
    "nll": "validation_loss",
    "ece": "validation_ece",
    "brier": "validation_brier",
    "entropy": "validation_entropy",
    "train_seconds": "train_seconds",
    "on_training_images": "accuracy_on_training_images",
    "temperature": "temperature",
    "held_nll": "held_loss",
    "held_ece": "held_ece",
    "scaled_nll": "scaled_loss",
    "scaled_ece": "scaled_ece",
    "kl": "kl",
}
SETTINGS = ("lambda", "blocks", "width", "replicate")
MEANS = ("lost", "significant")  # of histories that some forms have
COMPARED = ("accuracy", "nll", "ece", "epochs", "seconds")  # with the unguided run
COLUMNS = ["arm", *SETTINGS, *METRICS, *MEANS, "epochs", "seconds"]

Arms = Mapping[str, Collection[Run]]


def by_arm(arms: Arms, records: Iterable[Record]) -> dict[str, list[Record]]:
    """The records of each arm, in the order of its runs."""
    known = {record["key"]: record for record in records}
    return {name: [known[run.key] for run in runs if run.key in known] for name, runs in arms.items()}


def frame(named: Mapping[str, Sequence[Record]]) -> pd.DataFrame:
    """One row a run.

    Columns: arm, settings, METRICS at the last epoch, MEANS over the epochs, epochs (to the best accuracy that the
    unguided run of the seed has within its first ten, one more than there are if it is not reached; none without that
    run, or of another network) and seconds (CPU seconds of the steps, to the same).
    """
    targets = {_network(record): max(record["history"]["validation_accuracy"][:FIRST]) for record in named[UNGUIDED]}
    rows = []
    for arm, records in named.items():
        for record in records:
            history, metrics = record["history"], record["metrics"]
            epochs = epochs_to(history["validation_accuracy"], targets.get(_network(record)))
            each = metrics["train_seconds"] / len(history["validation_accuracy"])
            rows.append(
                {"arm": arm}
                | {name: record["run"][name] for name in SETTINGS}
                | {column: metrics.get(metric, np.nan) for column, metric in METRICS.items()}
                | {name: float(np.mean(history[name])) if name in history else np.nan for name in MEANS}
                | {"epochs": epochs, "seconds": epochs * each}
            )
    return pd.DataFrame(rows, columns=COLUMNS)


def _network(record: Record) -> tuple[int, int, int]:
    run = record["run"]
    return run["blocks"], run["width"], run["replicate"]


def epochs_to(accuracy: Sequence[float], target: float | None) -> float:
    """The first epoch with at least this accuracy; one more than there are if none has it, NaN without a target.

    >>> epochs_to([0.1, 0.5, 0.4], 0.4), epochs_to([0.1], 0.4)
    (2.0, 2.0)
    """
    if target is None:
        return float("nan")
    return float(next((epoch for epoch, value in enumerate(accuracy, 1) if value >= target), len(accuracy) + 1))


def values(runs: pd.DataFrame, arm: str, measure: str, lambda_: float | None = None) -> pd.Series:
    """A measure of an arm by replicate; where the arm has several lambda, of one of them."""
    own = runs[(runs["arm"] == arm) & (True if lambda_ is None else runs["lambda"] == lambda_)]
    return own.set_index("replicate")[measure].astype(float)


def pairs(ours: pd.Series, theirs: pd.Series) -> pd.Series:
    """Differences of the replicates that both have."""
    return (ours - theirs).dropna()


def against_unguided(runs: pd.DataFrame) -> pd.DataFrame:
    """Columns: arm, lambda, measure (COMPARED), n (pairs), difference (mean), low, high (95 %, no correction)."""
    rows = []
    for (arm, lambda_), group in runs[runs["arm"] != UNGUIDED].groupby(["arm", "lambda"], sort=False):
        for measure in COMPARED:
            found = pairs(group.set_index("replicate")[measure].astype(float), values(runs, UNGUIDED, measure))
            if group["epochs"].notna().any() and len(found):
                rows.append((arm, lambda_, measure, len(found), found.mean(), *t_interval(found)))
    return pd.DataFrame(rows, columns=["arm", "lambda", "measure", "n", "difference", "low", "high"])


def measured(named: Mapping[str, Sequence[Record]], what: str) -> pd.DataFrame:
    """The rows of `layers`, `errors` or `maps` of all records, with arm, maps (of a block) and replicate."""
    parts = []
    for arm, records in named.items():
        for record in records:
            columns: dict[str, list[Any]] | None = record["measured"].get(what)
            if columns:
                run = record["run"]
                about = {"arm": arm, "maps": run["width"], "replicate": run["replicate"]}
                parts.append(pd.DataFrame(columns).assign(**about))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def probabilities(record: Record) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Predictions that an unguided run's record keeps: (images, K), and labels (images,)."""
    kept = record["measured"]["predictions"]
    q = np.exp(-np.array(kept["nats"], dtype=float) / PER_NAT)
    return q / q.sum(axis=1, keepdims=True), np.array(kept["labels"])
