"""What ends guided training early (H1), and whether guidance reaches a given MSE sooner (H4, C12): tables of pairs."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from replication.autoencoder.grid import LARGE_LAMBDA
from replication.autoencoder.statistics import pairs
from replication.autoencoder.statistics.pairs import BASE, CELL, EXACT_BASE, KERAS_MEAN, SCALE_BASE, Pair
from replication.autoencoder.statistics.replay import replay_threshold, rounding_threshold, typical_improvement
from replication.statistics.t_tests import t_interval

WATCHING_MSE = (BASE, "log-base", EXACT_BASE, SCALE_BASE)  # variants whose early stopping the penalty has no part in
EARLY_TARGETS = (0.1, 0.2, 1 / 3, 0.5)  # shares of the unguided epochs as pairs.TARGET, for which no rule was written


def summary(runs: pd.DataFrame) -> pd.DataFrame:
    """Stopping by variant, width and lambda: means over n pairs and paired differences with 95 % t-intervals.

    MSE and stopped baseline are means over the pairs that can be compared: the unguided run lasts as long.
    """

    def describe(cell: pd.DataFrame) -> dict[str, float]:
        both = cell[["mse", "unguided_mse"]].dropna()
        low, high = t_interval(both["mse"] - both["unguided_mse"])
        return {
            "stopping_epoch": cell["epoch"].mean(),
            "unguided_epoch": cell["unguided_epoch"].mean(),
            "replayed_epoch": cell["replayed_epoch"].mean(),
            "compared": len(both),
            "mse": both["mse"].mean(),
            "stopped_baseline": both["unguided_mse"].mean(),
            "difference_low": low,
            "difference_high": high,
        }

    return _by_cell(runs, describe)


def replays(runs: pd.DataFrame) -> pd.DataFrame:
    """How well the replayed unguided runs tell the stopping epochs of guided ones, where a replay says anything.

    Columns: width; lambda (below the border between the published groups, or from there on); n pairs; stopping_epoch
    and replayed_epoch (means); exact and within_one (shares of the pairs); largest, the largest difference in epochs.
    """
    runs = runs[runs["replayed_epoch"].notna()]
    border = LARGE_LAMBDA
    group = np.where(runs["lambda"] < border, f"below {border:g}", f"{border:g} and more")
    rows = []
    for (width, lambda_), cell in runs.groupby([runs["width"], group]):
        difference = (cell["replayed_epoch"] - cell["epoch"]).abs()
        means = cell[["epoch", "replayed_epoch"]].mean()
        within = (difference == 0).mean(), (difference <= 1).mean()
        rows.append((width, lambda_, len(cell), *means, *within, int(difference.max())))
    columns = ["width", "lambda", "n", "stopping_epoch", "replayed_epoch", "exact", "within_one", "largest"]
    return pd.DataFrame(rows, columns=columns)


def thresholds(found: Sequence[Pair]) -> pd.DataFrame:
    """Where lambda/epsilon begins to end training in at most half the unguided epochs: predicted and observed.

    Columns: width; n (unguided runs); improvement (typical, an epoch); rounding (predicted by `rounding_threshold`);
    replay (predicted by replaying the unguided runs, on powers of two); not_yet and halved (observed over all epsilon,
    total watched in float32: the largest ratio at which the mean stopping epoch is not halved, the smallest at which
    it is).
    """
    rows = []
    runs = pairs.frame(found)
    hidden = runs[runs["replayed_epoch"].notna() & (runs["variant"] != KERAS_MEAN)]
    hidden = hidden.assign(ratio=lambda r: (r["lambda"] / r["epsilon"]).round(6))
    for width in sorted(hidden["width"].unique()):
        unguided = pairs.baselines(found, width)
        improvement = typical_improvement(unguided)
        cells = hidden[hidden["width"] == width].groupby("ratio")[["epoch", "unguided_epoch"]].mean()
        halved = cells["epoch"] <= cells["unguided_epoch"] / 2
        rows.append(
            {
                "width": width,
                "n": len(unguided),
                "improvement": improvement,
                "rounding": rounding_threshold(improvement),
                "replay": replay_threshold(unguided),
                "not_yet": max(cells.index[~halved], default=math.nan),
                "halved": min(cells.index[halved], default=math.nan),
            }
        )
    return pd.DataFrame(rows, columns=["width", "n", "improvement", "rounding", "replay", "not_yet", "halved"])


def time_to_quality(runs: pd.DataFrame, tests: int = 1) -> pd.DataFrame:
    """`epochs_to_quality` of the variants that watch the MSE alone."""
    return epochs_to_quality(runs[runs["variant"].isin(WATCHING_MSE)], tests)


def epochs_to_quality(runs: pd.DataFrame, tests: int = 1) -> pd.DataFrame:
    """Epochs to the target MSE, by variant, width and lambda.

    Args:
        tests: how many intervals there are of which any one may decide; each is wider for it (Bonferroni).

    Columns: variant, width, lambda, n; target_mse; reached, the guided runs that got there; epochs and unguided_epochs,
    with low and high, the 95 % t-interval of their paired difference: missing where early stopping ended some guided
    run before, since nobody knows when it would have got there; common_mse and unguided_common_mse after the last epoch
    that both runs of a pair have. All but n and reached are means.
    """

    def describe(cell: pd.DataFrame) -> dict[str, float]:
        difference = cell["epochs_to_target"] - cell["unguided_to_target"]
        low, high = t_interval(difference, tests) if difference.notna().all() else (math.nan, math.nan)
        return {
            "target_mse": cell["target"].mean(),
            "reached": int(cell["epochs_to_target"].count()),
            "epochs": cell["epochs_to_target"].mean(skipna=False),
            "unguided_epochs": cell["unguided_to_target"].mean(),
            "low": low,
            "high": high,
            "common_mse": cell["common_mse"].mean(),
            "unguided_common_mse": cell["unguided_common_mse"].mean(),
        }

    return _by_cell(runs, describe)


def time_to_early_quality(found: Sequence[Pair]) -> pd.DataFrame:
    """The same for the exact form and targets that the unguided run has reached early: column `share` of its epochs."""
    exact = [pair for pair in found if pair.variant == EXACT_BASE]
    parts = [time_to_quality(pairs.frame(exact, share)).assign(share=share) for share in EARLY_TARGETS]
    table = pd.concat(parts, ignore_index=True)
    if table.empty:
        return table
    columns = ["width", "lambda", "share", "n", "target_mse", "reached", "epochs", "unguided_epochs", "low", "high"]
    return table[columns].sort_values(columns[:3], ignore_index=True)


def determinants(found: Sequence[Pair]) -> pd.DataFrame:
    """log|det W_sq| in nats: at the start, and after the last epoch that both runs of a pair have.

    Columns: variant, width, lambda, n, initial, unguided, guided (means), low, high (95 % t-interval of the paired
    difference guided minus unguided).
    """

    def describe(cell: pd.DataFrame) -> dict[str, float]:
        low, high = t_interval(cell["change"] - cell["unguided_change"])
        return {
            "initial": cell["initial"].mean(),
            "unguided": cell["unguided_change"].mean(),
            "guided": cell["change"].mean(),
            "low": low,
            "high": high,
        }

    initial = [pair.guided["metrics"]["initial_entropy_change"] for pair in found]
    return _by_cell(pairs.frame(found).assign(initial=initial), describe)


def equal_epochs(runs: pd.DataFrame) -> pd.DataFrame:
    """Guided runs after their last epoch beside unguided ones after as many.

    Columns: width, lambda, n; epochs, mse, unguided_mse (means); low, high (95 % t-interval of the paired difference in
    MSE, guided minus unguided); change and unguided_change (log|det W_sq| in nats, means).
    """

    def describe(cell: pd.DataFrame) -> dict[str, float]:
        means = cell[["epoch", "mse", "unguided_mse", "change", "unguided_change"]].mean()
        low, high = t_interval(cell["mse"] - cell["unguided_mse"])
        return means.to_dict() | {"low": low, "high": high}

    columns = ["width", "lambda", "n", "epoch", "mse", "unguided_mse", "low", "high", "change", "unguided_change"]
    return _by_cell(runs, describe).reindex(columns=columns).rename(columns={"epoch": "epochs"})


def _by_cell(runs: pd.DataFrame, describe: Callable[[pd.DataFrame], dict[str, float]]) -> pd.DataFrame:
    """One row a variant, width and lambda: n pairs, and what `describe` says of them."""
    rows = [
        dict(zip(CELL, key, strict=True)) | {"n": len(cell)} | describe(cell)
        for key, cell in runs.groupby(CELL, sort=False)
    ]
    return pd.DataFrame(rows)
