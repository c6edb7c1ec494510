"""Stopping epochs told from unguided runs, as if the penalty were the constant lambda/epsilon (hypothesis H1).

Pure functions on the records of unguided runs: no guided run enters them.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from replication.core.runs import Record
from replication.training.stopping import stopping_epoch

VALIDATION_IMAGES = {"mnist": 10_000, "cifar10": 10_000, "digits": 297, "shapes": 250}

FloatArray = NDArray[np.floating[Any]]
Watched = Callable[[FloatArray, np.float32], FloatArray]  # MSE by epoch and the penalty's constant -> watched values


def plain_sum(mse: FloatArray, constant: np.float32) -> FloatArray:
    """The watched values as the runs here have them: float32(MSE) + float32(constant)."""
    return mse.astype(np.float32) + constant


def keras_mean(run: Mapping[str, Any]) -> Watched:
    """The watched values as Keras makes them: each batch's loss times its images, summed up in float32, then divided.

    The sum grows to the constant times the validation images, and rounds accordingly. All batches are taken to have the
    epoch's MSE. Equal to keras.metrics.Mean, which Keras's own training loop uses for the loss (2 and 3).

    Args:
        run: settings of a run with the data set and batch size in question.
    """
    images, batch = VALIDATION_IMAGES[run["dataset"]], run["batch_size"]
    sizes = [np.float32(min(batch, images - first)) for first in range(0, images, batch)]

    def watched(mse: FloatArray, constant: np.float32) -> FloatArray:
        loss, total = plain_sum(mse, constant), np.zeros(len(mse), np.float32)
        for size in sizes:
            total += loss * size
        return total / np.float32(images)

    return watched


def replayed_epoch(unguided: Record, lambda_: float, epsilon: float, watched: Watched = plain_sum) -> int:
    """Where early stopping would have ended an unguided run, had the constant lambda/epsilon been added in float32.

    A prediction without any guided run. The unguided run's own last epoch where the rule would not have ended it.
    """
    constant = np.float32(lambda_) / np.float32(epsilon)
    history = np.array(unguided["history"]["validation_mse"])
    run = unguided["run"]
    monitored = [float(value) for value in watched(history, constant)]
    return stopping_epoch(monitored, run["patience"], run["min_delta"]) or len(history)


def replays_of(
    unguided: Iterable[Record], lambdas: Sequence[float], epsilon: float, watched: Watched = plain_sum
) -> pd.DataFrame:
    """What each unguided run says of a guided one, were the penalty a constant: one row a run and lambda.

    Columns: width, batch_size, lambda, unguided_epoch (its own), stopping_epoch (`replayed_epoch`), mse
    at the latter.
    """
    rows = []
    for record, lambda_ in product(unguided, lambdas):
        run, history = record["run"], record["history"]["validation_mse"]
        epoch = replayed_epoch(record, lambda_, epsilon, watched)
        rows.append((run["width"], run["batch_size"], lambda_, len(history), epoch, history[epoch - 1]))
    return pd.DataFrame(rows, columns=["width", "batch_size", "lambda", "unguided_epoch", "stopping_epoch", "mse"])


def replayed_grid(
    unguided: Sequence[Record], lambdas: Sequence[float], epsilons: Sequence[float], watched: Watched = plain_sum
) -> pd.DataFrame:
    """What unguided runs say guided ones would show at any epsilon.

    Columns: epsilon, lambda, n (unguided runs); stopping_epoch and mse at it, means over widths of the mean over seeds.
    """
    parts = [replays_of(unguided, lambdas, epsilon, watched).assign(epsilon=epsilon) for epsilon in epsilons]
    cells = pd.concat(parts).groupby(["epsilon", "lambda", "width"])[["stopping_epoch", "mse"]].mean()
    table = cells.groupby(["epsilon", "lambda"]).mean().reset_index()
    table.insert(2, "n", len(unguided))
    return table


def other_protocols(
    unguided: Iterable[Record], min_deltas: Iterable[float], lambdas: Sequence[float], epsilon: float
) -> pd.DataFrame:
    """Replayed stopping epochs of unguided runs with other batch sizes, and of each minimum improvement.

    Columns: batch_size, min_delta, lambda, n; stopping_epoch and mse at it (means); capped (runs that went on to their
    last epoch, which may be the limit).
    """
    records, parts = list(unguided), []
    for min_delta in min_deltas:
        changed: list[Record] = [{**record, "run": record["run"] | {"min_delta": min_delta}} for record in records]
        parts.append(replays_of(changed, lambdas, epsilon).assign(min_delta=min_delta))
    runs = pd.concat(parts).assign(capped=lambda r: r["stopping_epoch"] == r["unguided_epoch"])
    cells = runs.groupby(["batch_size", "min_delta", "lambda"])
    table = cells[["stopping_epoch", "mse"]].mean().assign(capped=cells["capped"].sum())
    table.insert(0, "n", cells.size())
    return table.reset_index()


def by_rounding(unguided: Sequence[Record], lambdas: Sequence[float], epsilon: float) -> pd.DataFrame:
    """Replayed stopping epochs with the plain sum and with Keras's mean.

    Columns: width, lambda, n; unguided_epoch, plain_sum and keras_mean (mean epochs); keras_mse (mean MSE at the last).
    """
    if not unguided:
        return pd.DataFrame()
    runs = replays_of(unguided, lambdas, epsilon).rename(columns={"stopping_epoch": "plain_sum"})
    keras = replays_of(unguided, lambdas, epsilon, keras_mean(unguided[0]["run"]))
    runs = runs.assign(keras_mean=keras["stopping_epoch"], keras_mse=keras["mse"])
    cells = runs.groupby(["width", "lambda"])
    table = cells[["unguided_epoch", "plain_sum", "keras_mean", "keras_mse"]].mean()
    table.insert(0, "n", cells.size())
    return table.reset_index()


def replay_threshold(unguided: Sequence[Record]) -> float:
    """The smallest power of two for lambda/epsilon at which the replayed stopping epoch is halved on average."""
    own = np.mean([len(record["history"]["validation_mse"]) for record in unguided])
    for exponent in range(41):
        if np.mean([replayed_epoch(record, 2.0**exponent, 1.0) for record in unguided]) <= own / 2:
            return 2.0**exponent
    return math.nan


def typical_improvement(unguided: Iterable[Record]) -> float:
    """Median fall of the validation MSE from one epoch to the next, over all epochs of some unguided runs."""
    falls = [-np.diff(record["history"]["validation_mse"]) for record in unguided]
    return float(np.median(np.concatenate(falls)))


def rounding_threshold(improvement: float) -> float:
    """lambda/epsilon from which on float32's spacing of numbers exceeds an improvement of the MSE: 2^23 times it.

    Exact to a factor of two: the spacing is constant between powers of two.
    """
    return improvement * 2.0**23
