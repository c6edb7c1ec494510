"""Figures on what ends guided training early: one panel a latent width in each."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from replication.autoencoder.statistics import pairs
from replication.autoencoder.statistics.comparisons import WATCHING_MSE
from replication.autoencoder.statistics.pairs import BASE, EXACT_BASE, FLOAT64, KERAS_MEAN, PUBLISHED, SCALE_BASE, Pair
from replication.autoencoder.statistics.replay import keras_mean, plain_sum, replayed_epoch
from replication.core.runs import Record
from replication.report.figures import ORANGE, count_epochs, house_style, lambda_colours

MARKERS: dict[str, dict[str, Any]] = {  # of a variant; float64 lies on others, so it comes last and hollow
    PUBLISHED: {"fmt": "o", "color": "tab:red", "label": "published protocol"},
    "epsilon": {"fmt": "s", "color": ORANGE, "label": "lambda 1, other epsilon"},
    KERAS_MEAN: {"fmt": "v", "color": "tab:purple", "label": "Keras's mean watched"},
    BASE: {"fmt": "D", "color": "tab:green", "label": "MSE alone watched"},
    FLOAT64: {"fmt": "^", "color": "tab:blue", "label": "float64", "markersize": 9, "markerfacecolor": "none"},
}
LINES = {  # of a variant: its form for the reader, and a colour
    BASE: ("modified", "tab:green"),
    "log-base": ("log", "tab:purple"),
    EXACT_BASE: ("exact", "tab:blue"),
    SCALE_BASE: ("norm alone", ORANGE),
}
DASHES = ["-", "--", ":", "-."]


def stopping_epochs(found: Sequence[Pair], thresholds: pd.DataFrame) -> Figure:
    """Stopping epoch against lambda/epsilon: guided runs, and what replaying the unguided ones in float32 predicts."""
    runs = pairs.frame(found)
    figure, panels = _panels(runs["width"].unique())
    for width, axes in panels.items():
        unguided = pairs.baselines(found, width)
        ratios = np.logspace(-1, 8.5, 120)
        for colour, linewidth, watched, label in (
            ("tab:purple", 0.6, keras_mean(unguided[0]["run"]), "predicted: Keras's mean"),
            ("black", 1.2, plain_sum, "predicted: unguided MSE\n+ constant in float32"),
        ):
            epochs = [np.mean([replayed_epoch(record, ratio, 1.0, watched) for record in unguided]) for ratio in ratios]
            axes.plot(ratios, epochs, color=colour, linewidth=linewidth, label=label)
        threshold = thresholds[thresholds["width"] == width]["rounding"]
        for value in threshold:
            axes.axvline(value, color="grey", linestyle=":", label="rounding step =\ntypical improvement")
        here = runs[(runs["width"] == width) & (runs["epsilon"] > 0)]  # the reciprocal form's
        kinds = here["variant"].str.replace(r"^epsilon-.*", "epsilon", regex=True)
        for kind, style in MARKERS.items():
            cells = here[kinds == kind].assign(ratio=lambda r: r["lambda"] / r["epsilon"])
            means = cells.groupby("ratio")["epoch"].agg(["mean", "min", "max"])
            if len(means):
                spread = (means["mean"] - means["min"], means["max"] - means["mean"])
                axes.errorbar(means.index, means["mean"], spread, capsize=2, **style)
        axes.set(xscale="log", xlabel="lambda / epsilon", title=f"width {width}")
        axes.set_ylim(bottom=0)
        count_epochs(axes.yaxis)
    _finish(panels, "stopping epoch")
    return figure


def determinants(found: Sequence[Pair]) -> Figure:
    """log|det W_sq| after each epoch, means over replicates, by form and lambda where the MSE alone is watched."""
    figure, panels = _panels([pair.guided["run"]["width"] for pair in found])
    epsilons = sorted({pair.guided["run"]["epsilon"] for pair in found if pair.variant in (PUBLISHED, BASE)} - {0.0})
    for width, axes in panels.items():
        for label, (style, records) in _curves(found, width).items():
            axes.plot(*_mean_history(records, "entropy_change"), label=label, color=style[0], linestyle=style[1])
        for epsilon in epsilons:
            axes.axhline(np.log(epsilon), color="grey", linewidth=0.8, label=f"log epsilon = log {epsilon:g}")
        axes.set(xlabel="epoch", title=f"width {width}")
        count_epochs(axes.xaxis)
    _finish(panels, "log|det W_sq| (nats)")
    return figure


def time_to_quality(found: Sequence[Pair]) -> Figure:
    """Epochs to reach a given validation MSE, means over the replicates if all of them reach it."""
    figure, panels = _panels([pair.guided["run"]["width"] for pair in found])
    for width, axes in panels.items():
        curves = _curves(found, width)
        best = min(min(r["history"]["validation_mse"]) for _, records in curves.values() for r in records)
        first = max(r["history"]["validation_mse"][0] for r in pairs.baselines(found, width))
        levels = np.geomspace(first, best, 80)
        for label, (style, records) in curves.items():
            epochs = [
                [pairs.epochs_to_reach(r["history"]["validation_mse"], level) or np.nan for r in records]
                for level in levels
            ]
            axes.plot(levels, np.mean(epochs, axis=1), label=label, color=style[0], linestyle=style[1])
        axes.set(xscale="log", xlabel="validation MSE to reach", title=f"width {width}")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xticks([tick for tick in (0.002, 0.005, 0.01, 0.02, 0.05, 0.1) if best <= tick <= first])
        axes.invert_xaxis()
        axes.set_ylim(bottom=0)
        count_epochs(axes.yaxis)
    _finish(panels, "epochs")
    return figure


@house_style()
def along_training(found: Sequence[Pair]) -> Figure:
    """Validation MSE and log|det W_sq| after each epoch: a row a width, a curve a lambda, means over replicates."""
    lambdas = sorted({pair.guided["run"]["lambda"] for pair in found})
    # Curves that coincide are seen beneath one another: the larger lambda the thinner, unguided dashed on top
    styles = {
        lambda_: {"color": colour, "linewidth": linewidth, "label": f"lambda {lambda_:g}"}
        for lambda_, colour, linewidth in zip(
            lambdas, lambda_colours(lambdas), np.linspace(6, 2, len(lambdas)), strict=True
        )
    }
    widths = sorted({pair.guided["run"]["width"] for pair in found})
    figure, rows = plt.subplots(len(widths), 2, figsize=(10, 3.8 * len(widths)), squeeze=False, layout="constrained")
    for width, row in zip(widths, rows, strict=True):
        here = [pair.guided for pair in found if pair.guided["run"]["width"] == width]
        for axes, name in zip(row, ("validation_mse", "entropy_change"), strict=True):
            for lambda_, style in styles.items():
                if guided := [record for record in here if record["run"]["lambda"] == lambda_]:
                    axes.plot(*_mean_history(guided, name), **style)
            axes.plot(
                *_mean_history(pairs.baselines(found, width), name), color="black", linestyle="--", label="unguided"
            )
            axes.set(xlabel="epoch", title=f"width {width}")
            count_epochs(axes.xaxis)
        row[0].set_ylabel("validation MSE")
        row[1].set_ylabel("log|det W_sq| (nats)")
        row[1].legend(loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=8)
    return figure


@house_style()
def _panels(widths: Sequence[int] | np.ndarray) -> tuple[Figure, dict[int, Axes]]:
    wanted = sorted(set(widths))
    figure, panels = plt.subplots(
        1, len(wanted), figsize=(3.4 * len(wanted) + 2.6, 3.8), squeeze=False, layout="constrained"
    )
    return figure, dict(zip(wanted, panels[0], strict=True))


def _finish(panels: Mapping[int, Axes], label: str) -> None:
    """One label and one legend for all panels, beside the last."""
    axes = list(panels.values())
    axes[0].set_ylabel(label)
    entries: dict[str, Artist] = {}
    for panel in axes:
        entries |= {name: handle for handle, name in zip(*panel.get_legend_handles_labels(), strict=True)}
    axes[-1].legend(entries.values(), entries.keys(), loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=8)


def _curves(found: Sequence[Pair], width: int) -> dict[str, tuple[tuple[str, str], list[Record]]]:
    """Label -> (colour, dashes) and records: the guided runs that watch the MSE alone, and their unguided ones.

    Of the modified form only the largest lambda: its curves coincide.
    """
    beside = [p for p in found if p.variant in WATCHING_MSE]  # other seeds would shift the mean
    curves = {"unguided": (("black", "-"), pairs.baselines(beside, width) or pairs.baselines(found, width))}
    for variant in WATCHING_MSE:
        here = [p.guided for p in found if p.variant == variant]
        lambdas = sorted({record["run"]["lambda"] for record in here})  # of all widths: a lambda has one style
        for k, lambda_ in enumerate(lambdas[-1:] if variant == BASE else lambdas):
            form, colour = LINES[variant]
            records = [r for r in here if r["run"]["lambda"] == lambda_ and r["run"]["width"] == width]
            style = (colour, DASHES[(k + (variant == BASE)) % len(DASHES)])
            if records:
                curves[f"{form}, lambda {lambda_:g}"] = (style, records)
    return curves


def _mean_history(records: Sequence[Record], name: str) -> tuple[range, np.ndarray]:
    """Epochs and the mean of the recorded values, up to the last epoch that all of the records have."""
    epochs = min(len(record["history"][name]) for record in records)
    return range(1, epochs + 1), np.mean([record["history"][name][:epochs] for record in records], axis=0)
