"""Runs beside the unguided run of the same seed: what hypotheses H9 and H10 are about."""

from collections.abc import Collection, Mapping, Sequence

import pandas as pd

from replication.autoencoder.statistics.pairs import epochs_to_reach
from replication.core.run import Run
from replication.core.runs import Record

UNGUIDED, LEADING, VARIABLE, NORM, EXACT = "unguided", "leading", "most-variable", "norm", "exact"  # as params.yaml
RATES, WEIGHTS = "rate-", "weights-"  # names the arms; those of unguided controls begin so

Arms = Mapping[str, Collection[Run]]  # by name
COLUMNS = ["arm", "width", "lambda", "replicate", "value", "epoch", "mse", "unguided", "difference", "to_target"]


def frame(arms: Arms, records: Sequence[Record]) -> pd.DataFrame:
    """Three rows a run that has the unguided run of its seed: after a quarter, a half and all of its epochs.

    Columns: arm, width, lambda, replicate, value (what differs within an arm or a group of them: lambda, or the factor
    of the learning rate or of the initial weights), epoch, mse (on the validation images), unguided (that of the
    unguided run), difference (in percent of the latter), to_target (epochs to the MSE that the unguided run has at half
    of them; one more than there are if it is not reached).
    """
    by_key = {record["key"]: record for record in records}
    unguided = {_seed(run): by_key[run.key] for run in arms.get(UNGUIDED, ()) if run.key in by_key}
    rows = [
        row
        for arm, runs in arms.items()
        for run in runs
        if run.key in by_key and _seed(run) in unguided
        for row in _rows(arm, by_key[run.key], unguided[_seed(run)])
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _seed(run: Run) -> tuple[int, int]:
    return run["width"], run["replicate"]


def _rows(arm: str, record: Record, baseline: Record) -> list[dict[str, float | int | str]]:
    run = record["run"]
    mse, unguided = record["history"]["validation_mse"], baseline["history"]["validation_mse"]
    epochs = len(unguided)
    shared = {
        "arm": arm,
        **{name: run[name] for name in ("width", "lambda", "replicate")},
        "value": run["lambda"] or run.get("rate_factor", run.get("weight_factor", 1.0)),
        "to_target": epochs_to_reach(mse, unguided[epochs // 2 - 1]) or epochs + 1,
    }
    return [
        shared
        | {
            "epoch": epoch,
            "mse": mse[epoch - 1],
            "unguided": unguided[epoch - 1],
            "difference": 100 * (mse[epoch - 1] / unguided[epoch - 1] - 1),
        }
        for epoch in (epochs // 4, epochs // 2, epochs)
    ]


def at_the_end(runs: pd.DataFrame) -> pd.DataFrame:
    """One row a run, after its last epoch."""
    return runs[runs["epoch"] == runs.groupby("width")["epoch"].transform("max")]
