"""Dense autoencoders, paper section 5.2: the grids behind Figures 3 to 6."""

import math
from collections.abc import Iterable
from typing import Any

import pandas as pd

from replication.core import describe
from replication.core.runs import Record, Run, unique
from replication.core.settings import Settings
from replication.training.stopping import stopping_epoch

# The published baseline (paper, section 5.2) that calibration aims at. "Over 40" epochs is read as 40 to 60.
BASELINE_MSE = 0.003
BASELINE_EPOCHS = (40, 60)
LARGE_LAMBDA = 0.01  # the inferred border between the published groups of lambda
METRICS = ("stopping_epoch", "stopped_early", "validation_mse")  # what the report reads


def make_run(settings: Settings, family: str, width: int, lambda_: float, replicate: int, **changes: Any) -> Run:
    """One autoencoder."""
    grid, training = settings.autoencoder_grids[family], settings.autoencoder
    described = {
        "dataset": grid.dataset,
        "width": width,
        "lambda": lambda_,
        "replicate": replicate,
        **vars(training),
        "batch_size": grid.batch_size,
        "max_epochs": grid.max_epochs,
        **changes,
    }
    return Run(family, describe.blanked(described, monitor="base"))


def grid(settings: Settings, family: str) -> list[Run]:
    """Every run of a family: the paper's grid, its controls, and the variants of the protocol."""
    runs = paper_grid(settings, family) + control(settings, family) + unstopped(settings, family)
    for variant in variants(settings, family).values():
        runs += variant
    return unique(runs)


def paper_grid(settings: Settings, family: str) -> list[Run]:
    """The paper's grid under the published protocol."""
    chosen = settings.autoencoder_grids[family]
    return [
        make_run(settings, family, width, lambda_, replicate)
        for width in chosen.widths
        for lambda_ in settings.lambdas_of(chosen)
        for replicate in range(chosen.replicates)
    ]


def control(settings: Settings, family: str) -> list[Run]:
    """The same guidance with early stopping on the MSE alone, and the unguided runs beside it."""
    chosen = settings.autoencoder_grids[family]
    return [
        make_run(settings, family, width, lambda_, replicate, monitor="base")
        for width in chosen.variant_widths
        for lambda_ in settings.lambdas_of(chosen)
        for replicate in range(chosen.replicates)
    ]


def unstopped(settings: Settings, family: str) -> list[Run]:
    """Unguided runs to the epoch limit, where guided ones outlast those that early stopping ends."""
    chosen = settings.autoencoder_grids[family]
    return [
        make_run(settings, family, width, 0.0, replicate, patience=chosen.max_epochs)
        for width in chosen.unstopped_widths
        for replicate in range(chosen.replicates)
    ]


def variants(settings: Settings, family: str) -> dict[str, list[Run]]:
    """The runs of each named variant of the protocol, at those of its lambda that the grid has as well."""
    chosen = settings.autoencoder_grids[family]
    lambdas = settings.lambdas_of(chosen)
    return {
        name: [
            make_run(settings, family, width, lambda_, replicate, **variant.changes)
            for width in chosen.variant_widths
            for lambda_ in variant.lambdas
            if lambda_ in lambdas
            for replicate in range(chosen.variant_replicates)
        ]
        for name, variant in settings.variants.items()
    }


def calibration_grid(settings: Settings, family: str) -> list[Run]:
    """Unguided runs for each batch size, with a minimum improvement of 0. A larger one would have stopped them earlier,
    and the histories tell where.
    """
    wanted = settings.calibration
    changes = {"min_delta": 0.0, "max_epochs": wanted.max_epochs}
    return unique(
        make_run(settings, family, width, 0.0, replicate, batch_size=batch_size, **changes)
        for batch_size in wanted.batch_sizes
        for width in wanted.widths
        for replicate in range(wanted.replicates)
    )


def frame(records: Iterable[Record]) -> pd.DataFrame:
    """One row a run: see `describe.frame`."""
    return describe.frame(records, ["width", "lambda", "monitor", *METRICS])


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
