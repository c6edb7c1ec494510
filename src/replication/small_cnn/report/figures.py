"""Figures on the small CNNs: gains against lambda, the choice of lambda, placebos, calibration."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from replication.core.runs import Record
from replication.report.figures import ORANGE, count_epochs, house_style
from replication.small_cnn.grid import ARCHITECTURE, Architecture
from replication.small_cnn.statistics.placebos import CORNER
from replication.statistics.t_tests import ALPHA

PLACEMENTS = {"first": ("tab:blue", "first layer"), "all": (ORANGE, "all layers")}
VARIANTS = {  # name: colour, label
    CORNER: ("tab:blue", "corner, c11"),
    "center": (ORANGE, "centre, c22"),
    "random": ("tab:green", "random position"),
    "decay": ("tab:red", "weight decay"),
    "exact": ("tab:purple", "exact change"),
    "unguided": ("black", "unguided, corner"),
}
COLUMNS = 3


@house_style()
def gain_curves(curves: Mapping[str, pd.DataFrame], published: pd.DataFrame | None) -> Figure:
    """Paired gain in validation accuracy against lambda, a panel an architecture, a curve a placement."""
    curves = {placement: frame for placement, frame in curves.items() if len(frame)}
    found = sorted({(r.blocks, r.width) for frame in curves.values() for r in frame.itertuples()})
    columns = min(COLUMNS, len(found))
    lines = -(-len(found) // columns)
    printed = {} if published is None else published.set_index(ARCHITECTURE)["delta_validation_accuracy"]
    lambdas = sorted({value for frame in curves.values() for value in frame["lambda"]})
    figure, panels = plt.subplots(
        lines,
        columns,
        figsize=(max(3.6, 0.6 * len(lambdas)) * columns + 1.4, 2.9 * lines + 0.6),
        squeeze=False,
        layout="constrained",
    )
    for panel, (blocks, width) in zip(panels.flat, found, strict=False):
        for k, (placement, frame) in enumerate(curves.items()):
            here = frame[(frame["blocks"] == blocks) & (frame["width"] == width)]
            x = [lambdas.index(value) + 0.12 * (k - (len(curves) - 1) / 2) for value in here["lambda"]]
            bars = [here["gain"] - here["low"], here["high"] - here["gain"]]
            colour, label = PLACEMENTS[placement]
            panel.errorbar(x, here["gain"], bars, fmt="o-", color=colour, capsize=3, markersize=4, label=label)
        if (blocks, width) in printed:
            panel.axhline(printed[blocks, width], color="firebrick", linestyle="--", label="published, best lambda")
        panel.axhline(0, color="grey", linewidth=0.8)
        panel.set_xticks(range(len(lambdas)), [f"{value:g}" for value in lambdas], fontsize=9)
        panel.set_title(_title((blocks, width)))
        panel.set_xlabel("lambda")
    for panel in panels.flat[len(found) :]:
        panel.set_visible(False)
    for line in panels:
        line[0].set_ylabel("gain in validation accuracy")
    _legend(panels[0][columns - 1])
    return figure


@house_style()
def choice(
    chosen: Mapping[str, Any], shuffled: pd.DataFrame, power: pd.DataFrame, printed_gain: float | None
) -> Figure:
    """(a) The best gain when labels of lambda are shuffled, and ours; (b) which gain how many replicates find.

    The latter by the printed test, and by a paired one.

    Args:
        chosen: the fact `choice` of the findings.
        shuffled: a row a bar, columns low, high and density.
        power: columns n, printed, corrected and paired.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    blocks, width, lambdas = chosen["blocks"], chosen["width"], chosen["lambdas"]
    edges = [*shuffled["low"], shuffled["high"].iloc[-1]]
    left.hist(shuffled["low"], edges, weights=shuffled["density"], color="lightgrey", label="shuffled labels of lambda")
    left.axvline(chosen["expected"], color="black", linestyle=":", label="their mean")
    left.axvline(chosen["by_choice_alone"], color=ORANGE, linestyle=":", label="mean if no lambda did anything")
    left.axvline(chosen["observed"], color="tab:blue", label=f"best lambda, p shuffled {chosen['p_shuffled']:.3f}")
    left.axvline(chosen["on_half"], color="tab:green", linestyle="-.", label="lambda chosen on the other half")
    if printed_gain is not None:
        left.axvline(printed_gain, color="firebrick", linestyle="--", label="published")
    left.set(xlabel="gain in validation accuracy", ylabel="density")
    left.xaxis.set_major_locator(mpl.ticker.MaxNLocator(5))
    left.set_title(f"(a) {blocks} block{'s' * (blocks > 1)}, {width} filters, {chosen['n']} replicates")
    left.set_ylim(top=1.45 * left.get_ylim()[1])
    left.legend(loc="upper left", fontsize=8, framealpha=1)
    for name, style, colour, label in (
        ("printed", "-", "black", f"at {ALPHA:g}"),
        ("corrected", "--", "black", f"at {ALPHA:g} / {lambdas}"),
        ("paired", ":", "tab:blue", f"of pairs, at {ALPHA:g} / {lambdas}"),
    ):
        right.plot(power["n"], power[name], style, color=colour, label=label)
    right.axhline(0.005, color="firebrick", linewidth=0.9, label="0.005")
    right.set(xscale="log", xlabel="replicates at each lambda", ylabel="gain found with 80 % probability")
    right.set_xticks([5, 10, 20, 50, 100], ["5", "10", "20", "50", "100"])
    right.xaxis.set_minor_formatter(mpl.ticker.NullFormatter())
    right.set_ylim(bottom=0)
    right.set_title("(b) power of the printed test, and of one of pairs")
    right.legend(fontsize=9)
    return figure


@house_style()
def placebos(table: pd.DataFrame, records: Mapping[str, Sequence[Record]]) -> Figure:
    """(a) Gain by variant and lambda; (b) mean |w| at the guided position along training, largest lambda.

    Args:
        records: variant -> its runs at the largest lambda, and "unguided".
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(11.5, 4.2), layout="constrained")
    lambdas = sorted(set(table["lambda"]))
    names = list(table["variant"].unique())
    for k, name in enumerate(names):
        here = table[table["variant"] == name]
        x = [lambdas.index(value) + 0.13 * (k - (len(names) - 1) / 2) for value in here["lambda"]]
        bars = [here["gain"] - here["low"], here["high"] - here["gain"]]
        colour, label = VARIANTS.get(name, ("grey", name))
        left.errorbar(x, here["gain"], bars, fmt="o", color=colour, capsize=3, markersize=5, label=label)
    left.axhline(0, color="grey", linewidth=0.8)
    left.set_xticks(range(len(lambdas)), [f"{value:g}" for value in lambdas])
    left.set_xlim(-0.5, len(lambdas) - 0.5)
    left.set(xlabel="lambda", ylabel="gain in validation accuracy", title="(a) gain over the unguided run")
    for name, own in records.items():
        if own:
            colour, label = VARIANTS.get(name, ("grey", name))
            length = min(len(record["history"]["anchor_weight"]) for record in own)
            mean = np.mean([record["history"]["anchor_weight"][:length] for record in own], axis=0)
            style = "o--" if name == CORNER else "o-"  # the placebos lie on it
            above = 3 if name == CORNER else 2
            right.plot(range(1, length + 1), mean, style, markersize=3, color=colour, label=label, zorder=above)
    right.set(xlabel="epoch", ylabel="mean |w| at the guided position")
    right.set_title(f"(b) first layer along training, lambda {max(lambdas):g}")
    right.set_ylim(bottom=0)
    count_epochs(right.xaxis)
    _legend(right)
    return figure


@house_style()
def calibration(
    curves: Mapping[Architecture, Mapping[str, pd.DataFrame]], printed: Mapping[Architecture, tuple[float, float]]
) -> Figure:
    """Training against validation accuracy along the training of each candidate's baseline, a panel an architecture.

    Args:
        curves: by label, columns train_accuracy and validation_accuracy, one row an epoch.
        printed: the published pairs.
    """
    figure, panels = plt.subplots(
        1, len(curves), figsize=(3.8 * len(curves) + 2.4, 4.2), squeeze=False, sharey=True, layout="constrained"
    )
    colours = {label: f"C{k}" for k, label in enumerate(sorted({label for by in curves.values() for label in by}))}
    for panel, (architecture, by_label) in zip(panels[0], curves.items(), strict=True):
        for label, frame in sorted(by_label.items()):
            accuracies = (frame["train_accuracy"], frame["validation_accuracy"])
            panel.plot(*accuracies, "o-", markersize=3, color=colours[label], label=label)
        if architecture in printed:
            panel.plot(*printed[architecture], "*", markersize=16, color="firebrick", label="published")
        panel.set_title(_title(architecture))
        panel.set_xlabel("training accuracy")
    panels[0][0].set_ylabel("validation accuracy")
    _legend(panels[0][-1])
    return figure


def _title(architecture: Architecture) -> str:
    blocks, width = architecture
    return f"{blocks} block{'s' * (blocks > 1)}, {width} filters"


def _legend(axes: Axes) -> None:
    axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=8)
