"""Figures on the rivals: information plane, reliability, arms beside the unguided runs, width study, feedback, maps."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from replication.core.runs import Record
from replication.report.figures import count_epochs, house_style
from replication.rivals.record import RULES
from replication.rivals.statistics.frames import COMPARED

LABELS = {
    "accuracy": "accuracy",
    "nll": "NLL (nats)",
    "ece": "ECE",
    "epochs": "epochs to target",
    "seconds": "CPU seconds to target",
}
KINDS = {
    "about_input": "I(X;T) falls (R2)",
    "scaled": "the same, last block x 10",
    "about_labels": "I(T;Y) falls (R2c)",
    "errors": "errors (R2d)",
}
COLOURS = {"unguided": "black", "penalty": "tab:blue", "smoothing": "tab:orange", "bottleneck": "tab:green"}
UNTRAINED, TRAINED = "tab:grey", "tab:blue"


@house_style()
def plane(points: pd.DataFrame) -> Figure:
    """I(X;T) against I(T;Y), a line a layer through its epochs; a row a network, a column a width."""
    arms = list(dict.fromkeys(points["arm"]))
    figure, panels = plt.subplots(
        len(arms), len(RULES), figsize=(3.1 * len(RULES) + 1.2, 2.9 * len(arms)), squeeze=False, layout="constrained"
    )
    for arm, row in zip(arms, panels, strict=True):
        for rule, axes in zip(RULES, row, strict=True):
            own = points[(points["arm"] == arm) & (points["width"] == rule)]
            for number, (layer, line) in enumerate(own.groupby("layer", sort=False)):
                axes.plot(line["about_input"], line["about_labels"], color=f"C{number}", alpha=0.5, linewidth=1)
                sizes = np.linspace(12, 60, len(line))
                axes.scatter(line["about_input"], line["about_labels"], sizes, color=f"C{number}", label=layer)
            axes.set_title(f"{arm}, {rule}", fontsize=9)
            axes.xaxis.set_major_locator(MaxNLocator(4))
        row[0].set_ylabel("I(T;Y), bits")
        row[-1].legend(title="layer", loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=8)
    for axes in panels[-1]:
        axes.set_xlabel("I(X;T), bits")
    return figure


@house_style()
def reliability(bins: pd.DataFrame) -> Figure:
    """Accuracy against confidence, a curve an arm and lambda; a panel an arm, the unguided runs in each."""
    arms = [arm for arm in COLOURS if arm in set(bins["arm"]) - {"unguided"}] or ["unguided"]
    figure, panels = plt.subplots(
        1, len(arms), figsize=(3.7 * len(arms), 3.9), squeeze=False, sharey=True, layout="constrained"
    )
    base = bins[bins["arm"] == "unguided"]
    for arm, axes in zip(arms, panels[0], strict=True):
        axes.plot([0, 1], [0, 1], color="grey", linestyle=":", label="as sure as right")
        if len(base):
            axes.plot(
                base["confidence"], base["accuracy"], ".-", color="black", label=f"unguided, n = {base['n'].max()}"
            )
        own = bins[(bins["arm"] == arm) & (arm != "unguided")]
        groups = list(own.groupby("value"))
        for shade, (value, curve) in zip(np.linspace(0.95, 0.35, len(groups))[::-1], groups, strict=True):
            label = f"{value:g}, n = {curve['n'].max()}"
            axes.plot(curve["confidence"], curve["accuracy"], ".-", color=plt.get_cmap("Blues")(shade), label=label)
        axes.set(xlabel="confidence", title=arm, xlim=(0, 1), ylim=(0, 1))
        axes.legend(fontsize=8, loc="upper left")
    panels[0][0].set_ylabel("accuracy")
    return figure


@house_style()
def forest(cells: pd.DataFrame, without_lambda: Collection[str]) -> Figure:
    """Every arm less the unguided runs: means and intervals, a panel a measure.

    Args:
        without_lambda: arms that have none to be named.
    """
    rows = list(dict.fromkeys(zip(cells["arm"], cells["lambda"], strict=True)))
    measures = [measure for measure in COMPARED if measure in set(cells["measure"])]
    figure, panels = plt.subplots(
        1, len(measures), figsize=(2.3 * len(measures) + 1.8, 0.26 * len(rows) + 1.3), sharey=True, layout="constrained"
    )
    for measure, axes in zip(measures, np.atleast_1d(panels), strict=True):
        own = cells[cells["measure"] == measure]
        for row in own.itertuples(index=False):
            arm, lambda_, _, n, difference, low, high = row
            y = rows.index((arm, lambda_))
            colour = COLOURS.get(str(arm), "tab:purple")
            if n > 1:
                axes.plot([low, high], [y, y], color=colour, linewidth=1.2)
            axes.plot(difference, y, "o", color=colour, markersize=4, fillstyle="full" if n > 1 else "none")
        axes.axvline(0, color="black", linewidth=0.8)
        axes.set(title=LABELS[measure])
        axes.title.set_fontsize(9)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.tick_params(axis="x", labelsize=8)
        _zoom(axes, own)
    first = np.atleast_1d(panels)[0]
    first.set_yticks(
        range(len(rows)), [arm if arm in without_lambda else f"{arm} {lambda_:g}" for arm, lambda_ in rows], fontsize=8
    )
    first.invert_yaxis()
    return figure


def _zoom(axes: Axes, cells: pd.DataFrame) -> None:
    """The means and the narrower half of the intervals in view: single wide ones run out of the panel."""
    reach = (cells["high"] - cells["low"]).div(2).median()
    reach = 0 if np.isnan(reach) else 2 * reach
    low, high = min(cells["difference"].min() - reach, 0), max(cells["difference"].max() + reach, 0)
    margin = 0.08 * (high - low) or 1.0
    axes.set_xlim(low - margin, high + margin)


@house_style()
def width_study(shares: pd.DataFrame) -> Figure:
    """Shares of networks that keep each inequality, untrained and trained, by the rule for the width."""
    kinds = [kind for kind in KINDS if kind in set(shares["kind"])]
    figure, panels = plt.subplots(
        1, len(kinds), figsize=(3.2 * len(kinds), 3.4), squeeze=False, sharey=True, layout="constrained"
    )
    for kind, axes in zip(kinds, panels[0], strict=True):
        own = shares[shares["kind"] == kind]
        places = np.arange(len(own))
        for shift, name, colour in ((-0.2, "untrained", UNTRAINED), (0.2, "trained", TRAINED)):
            axes.bar(places + shift, own[name], 0.38, color=colour, label=f"{name}, n = {own[f'n_{name}'].max()}")
        axes.axhline(0.95, color="firebrick", linewidth=1, linestyle="--")
        axes.set_xticks(places, own["width"], rotation=20, fontsize=8)
        axes.set_title(KINDS[kind], fontsize=9)
        axes.set_ylim(0, 1.25)
        axes.legend(fontsize=7, loc="upper right")
    panels[0][0].set_ylabel("share that keeps it")
    panels[0][0].yaxis.set_major_formatter(PercentFormatter(1))
    panels[0][0].set_yticks([0, 0.25, 0.5, 0.75, 1])
    return figure


@house_style()
def feedback(cells: pd.DataFrame, named: Mapping[str, Sequence[Record]]) -> Figure:
    """(a) Epochs to the target less the unguided runs; (b) accuracies; (c) what the last layer loses in an epoch."""
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
    places = np.arange(len(cells))
    bars = (cells["epochs"] - cells["low"], cells["high"] - cells["epochs"])
    left.errorbar(cells["epochs"], places, xerr=np.nan_to_num(bars), fmt="o", color="black", capsize=3)
    left.axvline(0, color="grey", linewidth=0.8)
    left.set_yticks(places, [f"{arm}, n = {n}" for arm, n in zip(cells["arm"], cells["n"], strict=True)])
    left.invert_yaxis()
    left.set(xlabel="epochs to target, less unguided", title="(a)")
    middle.plot(cells["accuracy"], places, "o", color=TRAINED, label="validation images")
    middle.plot(cells["on_training_images"], places, "s", color="tab:red", label="training images")
    middle.set_yticks(places, cells["arm"])
    middle.invert_yaxis()
    middle.set(xlabel="accuracy in the end", title="(b)")
    middle.legend(fontsize=8)
    for number, (arm, records) in enumerate(named.items()):
        mean = np.mean([record["history"]["lost"] for record in records], axis=0)
        right.plot(range(1, len(mean) + 1), mean, ".-", color=f"C{number}", label=f"{arm}, n = {len(records)}")
    right.set(xlabel="epoch", ylabel="share of the weights", title="(c)", ylim=(0, None))
    count_epochs(right.xaxis)
    right.legend(fontsize=8)
    return figure


@house_style()
def maps(table: pd.DataFrame) -> Figure:
    """Redundancy less synergy against the number of maps, before and after training; a panel a width."""
    figure, panels = plt.subplots(1, len(RULES), figsize=(2.9 * len(RULES), 3.2), layout="constrained")
    for rule, axes in zip(RULES, panels, strict=True):
        own = table[table["width"] == rule].sort_values("maps")
        for name, colour in (("untrained", UNTRAINED), ("trained", TRAINED)):
            axes.plot(own["maps"], own[name], "o-", color=colour, label=name)
        axes.axhline(0, color="black", linewidth=0.8)
        axes.set_xticks(sorted(set(table["maps"])))
        axes.set(xlabel="maps", title=rule)
    panels[0].set_ylabel("redundancy - synergy, bits")
    panels[-1].legend(fontsize=8)
    return figure


@house_style()
def along(named: Mapping[str, Sequence[Record]]) -> Figure:
    """Accuracy, NLL, entropy and ECE on the validation images along training, means over runs; a curve an arm."""
    shown: dict[str, Any] = {"accuracy": "accuracy", "loss": "NLL (nats)", "entropy": "entropy (nats)", "ece": "ECE"}
    figure, panels = plt.subplots(1, len(shown), figsize=(3.1 * len(shown), 3.2), layout="constrained")
    for (name, label), axes in zip(shown.items(), panels, strict=True):
        for number, (arm, records) in enumerate(named.items()):
            mean = np.mean([record["history"][f"validation_{name}"] for record in records], axis=0)
            axes.plot(range(1, len(mean) + 1), mean, ".-", color=f"C{number}", label=f"{arm}, n = {len(records)}")
        axes.set(xlabel="epoch", title=label)
        count_epochs(axes.xaxis)
    panels[-1].legend(fontsize=8)
    return figure
