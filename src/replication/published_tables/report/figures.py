"""Figures of the published tables' audit."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from replication.report.figures import house_style, lambda_colours
from replication.statistics.t_tests import ALPHA


@house_style()
def table1(rows: pd.DataFrame, candidates: int) -> Figure:
    """Table 1: (a) gains with their intervals beside the gain by choice alone; (b) p-values before and after choice."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6), sharey=True, layout="constrained")
    y = np.arange(len(rows))
    bars = [rows["gain"] - rows["low"], rows["high"] - rows["gain"]]
    left.errorbar(rows["gain"], y, xerr=bars, fmt="o", capsize=3, color="tab:blue", label="printed, 95 % interval")
    left.plot(rows["gain_by_choice"], y, "x", color="firebrick", label=f"best of {candidates}, no effect")
    left.axvline(0, color="grey", linewidth=0.8)
    left.set(xlabel="gain in validation accuracy", title="(a) printed gains")
    left.set_yticks(y, [f"{r.blocks} block{'s' * (r.blocks > 1)}, {r.width}" for r in rows.itertuples()])
    left.invert_yaxis()
    left.locator_params(axis="x", nbins=5)
    left.legend(loc="lower right", fontsize=9)
    for name, marker, colour, label in (
        ("p_printed", "o", "tab:blue", "printed"),
        ("p_after_choice", "D", "firebrick", "after choice (exact)"),
        ("p_bonferroni", "|", "black", f"after choice (factor {candidates})"),
    ):
        right.plot(rows[name], y, marker, color=colour, label=label, markersize=9 if marker == "|" else 6)
    right.axvline(ALPHA, color="grey", linestyle="--", label=f"{ALPHA:g}")
    right.set(xscale="log", xlabel="one-tailed p", title="(b) p-values before and after the choice of lambda")
    right.legend(loc="lower left", fontsize=9)
    return figure


@house_style()
def table2(
    rows: pd.DataFrame,
    lambdas: Sequence[float],
    histogram: Mapping[str, Any],
    gain: Mapping[str, float],
    whose: str = "published",
) -> Figure:
    """Table 2: (a) guided cells minus their row's baseline; (b) the mean best gain under relabelling and as it is.

    Args:
        rows: model, training, guided_layers; accuracies and standard_errors, lists in the order of `lambdas`.
        whose: cells these are.
    """
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(13, max(4.0, 0.5 * len(rows))), width_ratios=[1.9, 1], layout="constrained"
    )
    _cells(left, rows, lambdas)
    edges, counts = np.array(histogram["edges"]), np.array(histogram["counts"])
    shares = counts / counts.sum() / np.diff(edges)
    right.stairs(shares, edges, fill=True, color="lightgrey", label="any column as baseline")
    right.axvline(gain["expected_relabelled"], color="black", linestyle="--", label="expected, no effect")
    right.axvline(gain["expected_normal"], color="black", linestyle=":", label="expected, normal noise")
    right.axvline(gain["observed"], color="firebrick", label=f"{whose} (p = {gain['p_relabelled']:.3f})")
    right.set(xlabel="best guided - baseline, mean over rows", ylabel="density")
    right.locator_params(axis="x", nbins=5)
    right.set_title(f"(b) mean gain of the best of {len(lambdas) - 1}")
    right.set_ylim(top=1.3 * shares.max())
    right.legend(loc="upper left", fontsize=9)
    return figure


def _cells(axes: Axes, rows: pd.DataFrame, lambdas: Sequence[float]) -> None:
    colours = lambda_colours(lambdas)[1:]
    offsets = np.linspace(-0.33, 0.33, len(lambdas) - 1)
    y = np.arange(len(rows))
    accuracy = np.array(rows["accuracies"].tolist())
    error = np.array(rows["standard_errors"].tolist())
    gains = accuracy[:, 1:] - accuracy[:, :1]
    for row, se in enumerate(error[:, 0]):
        axes.add_patch(Rectangle((-se, row - 0.45), 2 * se, 0.9, color="gainsboro", zorder=0.5))
    for k, colour in enumerate(colours):
        axes.errorbar(
            gains[:, k],
            y + offsets[k],
            xerr=error[:, k + 1],
            fmt="o",
            markersize=4,
            linewidth=0.9,
            color=colour,
            label=f"{lambdas[k + 1]:g}",
        )
    best = gains.argmax(axis=1)
    axes.plot(gains[y, best], y + offsets[best], "o", markersize=8, markerfacecolor="none", color="firebrick")
    axes.axvline(0, color="grey", linewidth=0.8)
    axes.set_yticks(
        y, [f"{r.model}, {r.training}, {r.guided_layers}".replace("augmentation", "aug.") for r in rows.itertuples()]
    )
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.set(xlabel="validation accuracy - baseline of the row")
    axes.set_title("(a) every guided cell, bars: one binomial standard error")
    axes.legend(title="lambda", loc="lower right", fontsize=9)
