"""The report's section on hypotheses H1 and H4: what ends guided training early, and whether guidance helps."""

from pathlib import Path
from typing import Any

import pandas as pd

from replication import paths
from replication.experiments import (
    autoencoder,
    autoencoder_claims,
    square_part,
    stopping_artefact,
    stopping_claims,
)
from replication.experiments.stopping_artefact import Pair
from replication.report import figures, stopping_figures
from replication.report.section import (
    FigureEntry,
    Section,
    TableEntry,
    count_range,
    hypothesis,
    made_by,
    undecided_by,
    write_table,
)
from replication.runs import Record, of_grid, read_current
from replication.settings import AUTOENCODERS, Settings

EPSILONS = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9)  # from one that hides nothing to one where every lambda ends training

TABLES = {  # name -> title, note
    "stopping": (
        "Stopping by variant of the protocol",
        "Means over n pairs of a guided run and the unguided run of its seed. replayed_epoch: predicted from the "
        "unguided run. stopped_baseline: MSE of the unguided run at the guided run's stopping epoch, as far as it "
        "ran; difference_low and _high: 95 % t-interval of guided minus that. A run in float64 stands beside the "
        "unguided one in float32, which may end an epoch or two apart for rounding alone.",
    ),
    "threshold": (
        "Rounding threshold in lambda / epsilon",
        "From which lambda/epsilon on training ends in at most half the unguided epochs. Predicted: rounding = "
        "2^23 times the typical (median) improvement of the MSE in an epoch, where rounding begins to hide it; "
        "replay = smallest power of two at which the replayed unguided runs are halved. Observed: between not_yet "
        "and halved. n unguided runs.",
    ),
    "determinant": (
        "Does guidance move the determinant?",
        "log|det W_sq| in nats, means over n pairs: at the start, and after the last epoch that both runs have; "
        "low, high: 95 % t-interval of guided minus unguided.",
    ),
    "time-to-quality": (
        "Epochs to a given MSE",
        "Target: the best MSE that the unguided run had reached after two thirds of its epochs, to 0.1 %. "
        "reached: guided runs that got there before early stopping ended them. Where all did: mean epochs, and "
        "low, high, the 95 % t-interval of the paired difference. common_mse: after the last epoch that both have.",
    ),
    "replay": (
        "Stopping epochs told from unguided runs, every width",
        "The published protocol. replayed_epoch: where early stopping would have ended the unguided run of the seed, "
        "had lambda/epsilon been added to its recorded MSE in float32; its own last epoch where that would not have "
        "ended it, so that guided runs which outlast it are missed. Means over n pairs; exact, within_one: shares of "
        "the pairs told to the epoch, and to one; largest: difference in epochs.",
    ),
    "any-epsilon": (
        "What any epsilon would show, told from unguided runs",
        "Stopping epoch (and MSE at it) by lambda, were the penalty the constant lambda/epsilon: unguided runs of "
        f"widths above {autoencoder_claims.WIDE}, replayed as above; widths weigh alike. The paper's epsilon is lost. "
        "Published: 8 to 10 epochs for large lambda, over 40 for none (MNIST), and two groups of lambda with nothing "
        "between them.",
    ),
    "equal-epochs": (
        "Guided and unguided training at equal epochs",
        "Each guided run after its last epoch beside the unguided run of its seed, trained without early stopping, "
        "after as many, at the widths that params.yaml names for it (unstopped_widths): of the paper's, the one at "
        "which guided runs on MNIST outlast those that early stopping ends. Means over n pairs; low, high: 95 % "
        "t-interval of guided minus unguided MSE; change: log|det W_sq| in nats. Planned after MNIST's guided runs "
        "had been seen: no rule was written before.",
    ),
    square_part.NAME: (
        "What the guided square part sees of the images",
        "The square part of the first layer has as many inputs as the layer has units: the image's first ones, row by "
        "row. lit: those that are above zero in some training image; images: share of the training images that "
        "light any of them; variance: their share of the variance of all inputs. Weights of inputs that are always "
        "zero belong to the determinant, and to nothing else.",
    ),
}


def section(settings: Settings, folder: Path, note: str) -> Section:
    """Write figures and tables for every family of autoencoders under `folder`. Needs the run tables alone."""
    decided: dict[str, list[str]] = {"H1": [], "H4": []}
    drawn, tables, frames = [], [], []
    metrics: dict[str, Any] = {}
    plans = {family: stopping_artefact.plan(settings, family) for family in AUTOENCODERS}
    exist = planned = 0
    for family in AUTOENCODERS:
        records = read_current(paths.table(settings.scale, family))
        found = stopping_artefact.pairs(records, settings, family)
        runs = stopping_artefact.pair_frame(found)
        frames.append(runs.assign(family=family))
        for name, decide in (("H1", stopping_claims.h1), ("H4", stopping_claims.h4)):
            verdict, evidence = decide(runs, plans[family])
            metrics[f"{name}-{family}"] = undecided_by(note, verdict)
            decided[name].append(f"**{metrics[f'{name}-{family}'].capitalize()}** on `{family}`: {evidence}.")
        for variant in autoencoder.variants(settings, family).values():
            exist, planned = exist + len(of_grid(records, variant)), planned + len(variant)
        made: dict[str, pd.DataFrame] = {}
        if found:
            drawn += _figures(found, runs, family, folder, note)
            made |= {
                "stopping": stopping_artefact.summary(runs),
                "threshold": stopping_artefact.thresholds(found),
                "determinant": stopping_artefact.determinants(found),
                "time-to-quality": stopping_artefact.time_to_quality(runs),
            }
        everywhere = stopping_artefact.pair_frame(stopping_artefact.published_pairs(records, settings, family))
        if len(told := stopping_artefact.replays(everywhere)):
            made["replay"] = told
        if len(replayed := _any_epsilon(settings, family, records)):
            made["any-epsilon"] = replayed
        if unstopped := stopping_artefact.unstopped_pairs(records, settings, family):
            made["equal-epochs"] = stopping_artefact.equal_epochs(stopping_artefact.pair_frame(unstopped))
            drawn.append(_along_training(unstopped, made["equal-epochs"]["n"], family, folder, note))
        if len(seen := square_part.read(settings.scale, family)):
            made[square_part.NAME] = seen
        tables += [_table(name, table, family, folder, settings.scale) for name, table in made.items()]
    paragraphs = [hypothesis(name, found) for name, found in decided.items()]
    paragraphs.append(f"{exist} of the {planned} runs of the variants exist; `params.yaml`, variants, defines them.")
    return Section(
        title="What ends guided training early (H1), and whether guidance helps (H4)",
        about="\n\n".join(paragraphs),
        note=note,
        figures=drawn,
        tables=tables,
        verdicts={"C12": stopping_claims.c12(pd.concat(frames, ignore_index=True), plans)},
        metrics={"hypotheses": metrics},
    )


def _any_epsilon(settings: Settings, family: str, records: list[Record]) -> pd.DataFrame:
    """A row an epsilon, a column a lambda."""
    planned = autoencoder.published(settings, family)
    wide = [run for run in planned if run["lambda"] == 0 and run["width"] > autoencoder_claims.WIDE]
    lambdas = settings.lambdas_of(settings.autoencoder_grids[family])
    if not (unguided := of_grid(records, wide)):
        return pd.DataFrame()
    table = stopping_artefact.replayed_grid(unguided, lambdas, EPSILONS)
    cells = [f"{row.stopping_epoch:.1f} ({row.mse:.4f})" for row in table.itertuples()]
    wanted = table.assign(cell=cells, lambda_=[f"lambda {value:g}" for value in table["lambda"]])
    shown = wanted.pivot(index="epsilon", columns="lambda_", values="cell")[list(dict.fromkeys(wanted["lambda_"]))]
    return shown.loc[list(EPSILONS)].rename_axis(columns=None).reset_index().assign(n=len(unguided))


def _figures(found: list[Pair], runs: pd.DataFrame, family: str, folder: Path, note: str) -> list[FigureEntry]:
    points = runs[runs["epsilon"] > 0].groupby([*stopping_artefact.CELL, "epsilon"])  # the reciprocal form's
    curves = runs[runs["variant"].isin(stopping_artefact.WATCHING_MSE)].groupby(stopping_artefact.CELL)
    unguided = len({pair.unguided["key"] for pair in found})
    replicates = f"n = {count_range(curves.size())} replicates a guided curve ({unguided} unguided runs in all)"
    wanted = {
        "stopping-epochs": (
            "Stopping epoch against lambda / epsilon",
            stopping_figures.stopping_epochs(found, stopping_artefact.thresholds(found)),
            f"Points: means over n = {count_range(points.size())} guided runs, bars: smallest and largest. Line: mean "
            "stopping epoch of the unguided runs if the constant lambda/epsilon is added to their recorded MSE in "
            "float32; no guided run enters it.",
        ),
        "determinants": (
            "log|det W_sq| along training",
            stopping_figures.determinants(found),
            f"Means over {replicates}, early stopping on the MSE alone. The modified form lies on the unguided curve "
            "where its gradient is zero.",
        ),
        "time-to-quality": (
            "Epochs to reach a given MSE",
            stopping_figures.time_to_quality(found),
            f"Means over {replicates}, as far as all of them get; early stopping on the MSE alone.",
        ),
    }
    return [
        FigureEntry(f"{title}, `{family}`", figures.save(figure, folder, f"{name}-{family}", note), caption)
        for name, (title, figure, caption) in wanted.items()
    ]


def _along_training(found: list[Pair], counts: pd.Series, family: str, folder: Path, note: str) -> FigureEntry:
    path = figures.save(stopping_figures.along_training(found), folder, f"along-training-{family}", note)
    caption = (
        f"Means over n = {count_range(counts)} replicates, as far as all of them get. The unguided runs have no early "
        "stopping here; that of the guided ones watches the total, as published."
    )
    return FigureEntry(f"Guided and unguided training at equal epochs, `{family}`", path, caption)


def _table(name: str, table: pd.DataFrame, family: str, folder: Path, scale: str) -> TableEntry:
    title, text = TABLES[name]
    made = made_by(scale, family)
    if name == square_part.NAME:
        made = f"Made by `python -m replication {name} --scale {scale}`."
    return write_table(folder, f"{family}-{name}", f"{title}, `{family}`", table, f"{text} {made}")
