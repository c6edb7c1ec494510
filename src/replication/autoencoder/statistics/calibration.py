"""Which batch size and minimum improvement the autoencoders have: unguided runs against the published baseline."""

import math
from collections.abc import Iterable

import pandas as pd

from replication.autoencoder.settings import AutoencoderSettings
from replication.core.runs import Record
from replication.training.stopping import stopping_epoch

# The published baseline (paper, section 5.2) that calibration aims at. "Over 40" epochs is read as 40 to 60.
BASELINE_MSE = 0.003
BASELINE_EPOCHS = (40, 60)


def calibration_table(records: Iterable[Record], min_deltas: Iterable[float]) -> pd.DataFrame:
    """Baselines by batch size and minimum improvement, nearest to the published baseline first.

    Settings with a run that the epoch limit ended come last: where they would stop, and at which MSE, is not known.

    Columns: batch_size, min_delta, n (runs), stopping_epoch and validation_mse (means), capped (runs that the epoch
    limit ended), distance: |log(MSE / 0.003)| plus the log distance of the stopping epoch from 40 to 60.
    """
    rows = []
    for record in records:
        history = record["history"]["validation_mse"]
        for min_delta in min_deltas:
            epoch = stopping_epoch(history, record["run"]["patience"], min_delta)
            rows.append(
                {
                    "batch_size": record["run"]["batch_size"],
                    "min_delta": min_delta,
                    "stopping_epoch": epoch or len(history),
                    "validation_mse": history[(epoch or len(history)) - 1],
                    "capped": epoch is None,
                }
            )
    if not rows:
        return pd.DataFrame()
    table = (
        pd.DataFrame(rows)
        .groupby(["batch_size", "min_delta"], as_index=False)
        .agg(
            n=("capped", "size"),
            stopping_epoch=("stopping_epoch", "mean"),
            validation_mse=("validation_mse", "mean"),
            capped=("capped", "sum"),
        )
    )
    table["distance"] = [baseline_distance(row.validation_mse, row.stopping_epoch) for row in table.itertuples()]
    return table.sort_values(
        ["capped", "distance"], key=lambda c: c > 0 if c.name == "capped" else c, ignore_index=True
    )


def baseline_distance(mse: float, epochs: float) -> float:
    """How far a baseline is from the published one: a sum of log ratios, 0 for MSE 0.003 within 40 to 60 epochs."""
    low, high = BASELINE_EPOCHS
    return abs(math.log(mse / BASELINE_MSE)) + abs(math.log(epochs / min(max(epochs, low), high)))


def beside_published(settings: AutoencoderSettings, records: Iterable[Record]) -> pd.DataFrame:
    """`calibration_table` at the minimum improvements that params.yaml names."""
    return calibration_table(records, settings.calibration.min_deltas)
