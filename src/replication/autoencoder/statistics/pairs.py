"""Guided runs beside the unguided run of the same seed: the pairs that hypotheses H1 and H4 and claim C12 are about."""

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

import pandas as pd

from replication.autoencoder import grid
from replication.autoencoder.settings import AutoencoderSettings
from replication.autoencoder.statistics.replay import keras_mean, plain_sum, replayed_epoch
from replication.core.run import Run
from replication.core.runs import Record
from replication.training.stopping import best_epoch

PUBLISHED, BASE = "published", "base"  # names of the paper's protocol and of its control among the variants
FLOAT64, KERAS_MEAN = "float64", "keras-mean"  # variants that params.yaml names so,
SCALE_BASE, EXACT_BASE = "scale-base", "exact-base"  # as these
TARGET = 2 / 3  # of the unguided run's epochs: the MSE reached by then is the one to reach,
ROUNDING_ROOM = 1.001  # but for this, so that rounding does not decide
CELL = ["variant", "width", "lambda"]
COLUMNS = [*CELL, "epsilon", "replicate", "epoch", "unguided_epoch", "mse", "unguided_mse", "replayed_epoch"]
COLUMNS += ["target", "epochs_to_target", "unguided_to_target", "common_mse", "unguided_common_mse"]
COLUMNS += ["change", "unguided_change"]

Cells = Mapping[int, Set[float]]  # width -> lambda
Plan = Mapping[str, Cells]  # by variant


@dataclass(frozen=True)
class Pair:
    """A guided run and the unguided run of the same seed and precision."""

    variant: str
    guided: Record
    unguided: Record


def of_variants(records: Sequence[Record], settings: AutoencoderSettings) -> list[Pair]:
    """All pairs at the variant widths. Unguided: the published protocol's, in the guided run's precision."""
    planned = _planned(settings)
    return [pair for variant, runs in planned.items() for pair in pair_up(variant, runs, records, settings)]


def plan(settings: AutoencoderSettings) -> Plan:
    """Which lambda above 0 are to be run, by variant and width."""
    cells: dict[str, dict[int, set[float]]] = {}
    for variant, runs in _planned(settings).items():
        widths = cells.setdefault(variant, {})
        for run in runs:
            if run["lambda"] != 0:
                widths.setdefault(run["width"], set()).add(run["lambda"])
    return cells


def _planned(settings: AutoencoderSettings) -> dict[str, list[Run]]:
    """The runs of every variant at the variant widths; one that names widths of its own is compared elsewhere."""
    widths = settings.grid.variant_widths
    of_the_grid = {name for name, variant in settings.variants.items() if variant.widths is None}
    variants = {
        PUBLISHED: grid.paper_grid(settings),
        BASE: grid.control(settings),
        **{name: runs for name, runs in grid.variants(settings).items() if name in of_the_grid},
    }
    return {name: [run for run in runs if run["width"] in widths] for name, runs in variants.items()}


def of_published(records: Sequence[Record], settings: AutoencoderSettings) -> list[Pair]:
    """Those of the published protocol, at every width of the grid."""
    return pair_up(PUBLISHED, grid.paper_grid(settings), records, settings)


def unstopped(records: Sequence[Record], settings: AutoencoderSettings) -> list[Pair]:
    """The published protocol's guided runs beside unguided ones without early stopping, where these are planned."""
    widths, patience = settings.grid.unstopped_widths, settings.grid.max_epochs
    guided = [run for run in grid.paper_grid(settings) if run["width"] in widths]
    return pair_up(PUBLISHED, guided, records, settings, patience=patience)


def pair_up(
    variant: str, runs: Iterable[Run], records: Iterable[Record], settings: AutoencoderSettings, **unguided: int
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
        changes = {"precision": run["precision"], **unguided}
        baseline = grid.make_run(settings, run["width"], 0.0, run["replicate"], **changes)
        if run.key in by_key and baseline.key in by_key:
            found.append(Pair(variant, by_key[run.key], by_key[baseline.key]))
    return found


def baselines(found: Iterable[Pair], width: int) -> list[Record]:
    """The unguided runs at one width, each once; those of variant float64 only if there are no others."""
    here = [pair for pair in found if pair.guided["run"]["width"] == width]
    others = [pair for pair in here if pair.variant != FLOAT64]
    return list({pair.unguided["key"]: pair.unguided for pair in others or here}.values())


def frame(found: Iterable[Pair], target: float = TARGET) -> pd.DataFrame:
    """One row a pair.

    Args:
        target: share of the unguided run's epochs; the best MSE that it has had by then is the one to reach.

    Columns: variant, width, lambda, epsilon, replicate; epoch and unguided_epoch (stopping epochs); mse (last) and
    unguided_mse (at the guided run's stopping epoch: the stopped baseline); replayed_epoch (see `replayed_epoch`, only
    where the reciprocal penalty is in a watched float32 sum); target (MSE), epochs_to_target (missing where early
    stopping came first) and unguided_to_target (see `epochs_to_reach`); after the last epoch that both have, common_mse
    and unguided_common_mse, change and unguided_change (log|det W_sq| in nats).
    """
    return pd.DataFrame([_row(pair, target) for pair in found], columns=COLUMNS)


def _row(pair: Pair, share: float) -> dict[str, float | int | str | bool]:
    run, unguided = pair.guided["run"], pair.unguided["history"]
    mse, baseline = pair.guided["history"]["validation_mse"], unguided["validation_mse"]
    target = ROUNDING_ROOM * best_epoch(baseline[: math.ceil(share * len(baseline))])[1]
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


def epochs_to_reach(history: Sequence[float], mse: float) -> int | None:
    """The first epoch, from 1, whose validation MSE is at most `mse`."""
    return next((epoch for epoch, value in enumerate(history, 1) if value <= mse), None)
