"""What ends guided training early (hypothesis H1), and whether guidance reaches a given MSE sooner (H4, claim C12).

Pure functions on run records. Every guided run is set beside the unguided run of the same seed: a pair.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from replication.analysis.statistics import t_interval
from replication.experiments import autoencoder
from replication.runs import Record, Run
from replication.settings import Settings
from replication.training.stopping import stopping_epoch

PUBLISHED, BASE = "published", "base"  # names of the paper's protocol and of its control among the variants
KERAS_MEAN = "keras-mean"  # the variant that params.yaml names so
WATCHING_MSE = (BASE, "log-base", "exact-base")  # variants whose early stopping the penalty has no part in
TARGET = 2 / 3  # of the unguided run's epochs: the MSE reached by then is the one to reach,
ROUNDING_ROOM = 1.001  # but for this, so that rounding does not decide
EARLY_TARGETS = (0.1, 0.2, 1 / 3, 0.5)  # shares as TARGET, for which no rule was written
VALIDATION_IMAGES = {"mnist": 10_000, "cifar10": 10_000, "digits": 297, "photographs": 380, "shapes": 500}
CELL = ["variant", "width", "lambda"]
PAIR_COLUMNS = [*CELL, "epsilon", "replicate", "epoch", "unguided_epoch", "mse", "unguided_mse", "replayed_epoch"]
PAIR_COLUMNS += ["target", "epochs_to_target", "unguided_to_target", "common_mse", "unguided_common_mse"]
PAIR_COLUMNS += ["change", "unguided_change"]

FloatArray = NDArray[np.floating[Any]]
Watched = Callable[[FloatArray, np.float32], FloatArray]  # MSE by epoch and the penalty's constant -> watched values
Cells = Mapping[int, Set[float]]  # width -> lambda
Plan = Mapping[str, Cells]  # by variant


@dataclass(frozen=True)
class Pair:
    """A guided run and the unguided run of the same seed."""

    variant: str
    guided: Record
    unguided: Record


def pairs(records: Sequence[Record], settings: Settings, family: str) -> list[Pair]:
    """All pairs at the variant widths. Unguided: the baseline of the published protocol, also for float64."""
    planned = _planned(settings, family)
    return [pair for variant, runs in planned.items() for pair in pair_up(variant, runs, records, settings)]


def plan(settings: Settings, family: str) -> Plan:
    """Which lambda above 0 are to be run, by variant and width."""
    cells: dict[str, dict[int, set[float]]] = {}
    for variant, runs in _planned(settings, family).items():
        widths = cells.setdefault(variant, {})
        for run in runs:
            if run["lambda"] != 0:
                widths.setdefault(run["width"], set()).add(run["lambda"])
    return cells


def _planned(settings: Settings, family: str) -> dict[str, list[Run]]:
    """The runs of every variant at the variant widths."""
    widths = settings.autoencoder_grids[family].variant_widths
    variants = {
        PUBLISHED: autoencoder.published(settings, family),
        BASE: autoencoder.control(settings, family),
        **autoencoder.variants(settings, family),
    }
    return {name: [run for run in runs if run["width"] in widths] for name, runs in variants.items()}


def published_pairs(records: Sequence[Record], settings: Settings, family: str) -> list[Pair]:
    """Those of the published protocol, at every width of the grid."""
    return pair_up(PUBLISHED, autoencoder.published(settings, family), records, settings)


def unstopped_pairs(records: Sequence[Record], settings: Settings, family: str) -> list[Pair]:
    """The published protocol's guided runs beside unguided ones without early stopping, where these are planned."""
    grid = settings.autoencoder_grids[family]
    guided = [run for run in autoencoder.published(settings, family) if run["width"] in grid.unstopped_widths]
    return pair_up(PUBLISHED, guided, records, settings, patience=grid.max_epochs)


def pair_up(
    variant: str, runs: Iterable[Run], records: Iterable[Record], settings: Settings, **unguided: int
) -> list[Pair]:
    """The guided ones among some runs, each beside its unguided run, where both are recorded.

    Args:
        unguided: changed settings of the unguided runs.
    """
    by_key = {record["key"]: record for record in records}
    found = []
    for run in runs:
        if run["lambda"] == 0:
            continue
        baseline = autoencoder.make_run(settings, run.family, run["width"], 0.0, run["replicate"], **unguided)
        if run.key in by_key and baseline.key in by_key:
            found.append(Pair(variant, by_key[run.key], by_key[baseline.key]))
    return found


def pair_frame(found: Iterable[Pair], target: float = TARGET) -> pd.DataFrame:
    """One row a pair.

    Args:
        target: share of the unguided run's epochs; the best MSE that it has had by then is the one to reach.

    Columns: variant, width, lambda, epsilon, replicate; epoch and unguided_epoch (stopping epochs); mse (last) and
    unguided_mse (at the guided run's stopping epoch: the stopped baseline); replayed_epoch (see `replayed_epoch`, only
    where the reciprocal penalty is in a watched float32 sum); target (MSE), epochs_to_target (missing where early
    stopping came first) and unguided_to_target (see `epochs_to_reach`); after the last epoch that both have, common_mse
    and unguided_common_mse, change and unguided_change (log|det W_sq| in nats).
    """
    return pd.DataFrame([_row(pair, target) for pair in found], columns=PAIR_COLUMNS)


def _row(pair: Pair, share: float) -> dict[str, float | int | str | bool]:
    run, unguided = pair.guided["run"], pair.unguided["history"]
    mse, baseline = pair.guided["history"]["validation_mse"], unguided["validation_mse"]
    target = ROUNDING_ROOM * min(baseline[: math.ceil(share * len(baseline))])
    hidden = run["form"] == "reciprocal" and run["monitor"] != "base" and run["precision"] == "float32"
    watched = keras_mean(run) if run["monitor"] == "keras" else plain_sum
    common = min(len(mse), len(baseline))
    return {
        "variant": pair.variant,
        **{name: run[name] for name in ("width", "lambda", "epsilon", "replicate")},
        "epoch": len(mse),
        "unguided_epoch": len(baseline),
        "mse": mse[-1],
        "unguided_mse": baseline[len(mse) - 1] if len(mse) <= len(baseline) else math.nan,
        "replayed_epoch": replayed_epoch(pair.unguided, run["lambda"], run["epsilon"], watched) if hidden else math.nan,
        "target": target,
        "epochs_to_target": epochs_to_reach(mse, target) or math.nan,
        "unguided_to_target": epochs_to_reach(baseline, target) or math.nan,
        "common_mse": mse[common - 1],
        "unguided_common_mse": baseline[common - 1],
        "change": pair.guided["history"]["entropy_change"][common - 1],
        "unguided_change": unguided["entropy_change"][common - 1],
    }


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


def epochs_to_reach(history: Sequence[float], mse: float) -> int | None:
    """The first epoch, from 1, whose validation MSE is at most `mse`."""
    return next((epoch for epoch, value in enumerate(history, 1) if value <= mse), None)


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


def typical_improvement(unguided: Iterable[Record]) -> float:
    """Median fall of the validation MSE from one epoch to the next, over all epochs of some unguided runs."""
    falls = [-np.diff(record["history"]["validation_mse"]) for record in unguided]
    return float(np.median(np.concatenate(falls)))


def rounding_threshold(improvement: float) -> float:
    """lambda/epsilon from which on float32's spacing of numbers exceeds an improvement of the MSE: 2^23 times it.

    Exact to a factor of two: the spacing is constant between powers of two.
    """
    return improvement * 2.0**23


def thresholds(found: Sequence[Pair]) -> pd.DataFrame:
    """Where lambda/epsilon begins to end training in at most half the unguided epochs: predicted and observed.

    Columns: width; n (unguided runs); improvement (typical, an epoch); rounding (predicted by `rounding_threshold`);
    replay (predicted by replaying the unguided runs, on powers of two); not_yet and halved (observed over all epsilon,
    total watched in float32: the largest ratio at which the mean stopping epoch is not halved, the smallest at which
    it is).
    """
    rows = []
    runs = pair_frame(found)
    hidden = runs[runs["replayed_epoch"].notna() & (runs["variant"] != KERAS_MEAN)]
    hidden = hidden.assign(ratio=lambda r: (r["lambda"] / r["epsilon"]).round(6))
    for width in sorted(hidden["width"].unique()):
        unguided = list({p.unguided["key"]: p.unguided for p in found if p.guided["run"]["width"] == width}.values())
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


def replay_threshold(unguided: Sequence[Record]) -> float:
    """The smallest power of two for lambda/epsilon at which the replayed stopping epoch is halved on average."""
    own = np.mean([len(record["history"]["validation_mse"]) for record in unguided])
    for exponent in range(41):
        if np.mean([replayed_epoch(record, 2.0**exponent, 1.0) for record in unguided]) <= own / 2:
            return 2.0**exponent
    return math.nan


def _by_cell(runs: pd.DataFrame, describe: Callable[[pd.DataFrame], dict[str, float]]) -> pd.DataFrame:
    """One row a variant, width and lambda: n pairs, and what `describe` says of them."""
    rows = [
        dict(zip(CELL, key, strict=True)) | {"n": len(cell)} | describe(cell)
        for key, cell in runs.groupby(CELL, sort=False)
    ]
    return pd.DataFrame(rows)


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
    border = autoencoder.LARGE_LAMBDA
    group = np.where(runs["lambda"] < border, f"below {border:g}", f"{border:g} and more")
    rows = []
    for (width, lambda_), cell in runs.groupby([runs["width"], group]):
        difference = (cell["replayed_epoch"] - cell["epoch"]).abs()
        means = cell[["epoch", "replayed_epoch"]].mean()
        within = (difference == 0).mean(), (difference <= 1).mean()
        rows.append((width, lambda_, len(cell), *means, *within, int(difference.max())))
    columns = ["width", "lambda", "n", "stopping_epoch", "replayed_epoch", "exact", "within_one", "largest"]
    return pd.DataFrame(rows, columns=columns)


def time_to_quality(runs: pd.DataFrame, tests: int = 1) -> pd.DataFrame:
    """Epochs to the target MSE where the MSE alone is watched.

    Args:
        tests: of so many, any of which may decide, for the intervals (Bonferroni).

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

    return _by_cell(runs[runs["variant"].isin(WATCHING_MSE)], describe)


def time_to_early_quality(found: Sequence[Pair]) -> pd.DataFrame:
    """The same for the exact form and targets that the unguided run has reached early: column `share` of its epochs."""
    exact = [pair for pair in found if pair.variant == "exact-base"]
    parts = [time_to_quality(pair_frame(exact, share)).assign(share=share) for share in EARLY_TARGETS]
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
    return _by_cell(pair_frame(found).assign(initial=initial), describe)


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
