"""Figures of entropy profiles: boxes layer by layer, and the profile beside the scale of the weights."""

import math

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from entropy_guidance.plots import box_plot
from replication.profiles.statistics import claims
from replication.report.figures import house_style

WEIGHTS = {
    "imagenet": "trained on ImageNet",
    "edges": "fine-tuned for edges",
    "trained": "trained here",
    "sample": "trained on a sample, fewer filters",
    "random": "random (Glorot uniform)",
}
# E[log|c|] - log sigma of weights drawn from one law: what a profile shows when it is nothing but weight scale.
NORMAL, UNIFORM = claims.MEAN_LOG_NORMAL, math.log(math.sqrt(3)) - 1


def named(weights: str) -> str:
    """A kind of weights in words; a file by its own name."""
    return WEIGHTS.get(weights, weights)


@house_style()
def boxes(layers: pd.DataFrame, kinds: list[str], *, printed: bool) -> Figure:
    """One panel a kind of weights. Args: printed, whether to draw the two numbers that the text prints."""
    width = max(4.2, 0.16 * layers["layer"].max())  # inches a panel
    figure, panels = plt.subplots(
        1, len(kinds), figsize=(max(5.2, width * len(kinds)), 4.4), sharey=True, squeeze=False, layout="constrained"
    )
    for axes, kind in zip(panels[0], kinds, strict=True):
        rows = layers[layers["weights"] == kind]
        box_plot(rows, axes)
        axes.set_title(named(kind))
        if kind == "random":
            axes.plot(rows["layer"], rows["log_sigma"] + UNIFORM, color="black", linewidth=1, zorder=4)
        elif printed:
            for value in (claims.FIRST, claims.LAST):
                axes.axhline(value, color="firebrick", linestyle="dashed", linewidth=1)
    for axes in panels[0][1:]:
        axes.set_ylabel("")
    # A zero-ish weight may reach to -25; the boxes are what matters.
    low, high = layers["whisker_low"].min(), layers["max"].max()
    panels[0][0].set_ylim(low - 0.35 * (high - low), high + 0.05 * (high - low))
    return figure


@house_style()
def weight_scale(everything: pd.DataFrame, vgg16: pd.DataFrame) -> Figure:
    """(a) layer means against log sigma; (b) what is left without it; (c) the profile with each filter position."""
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13, 4.4), layout="constrained")
    for (network, kind), rows in everything.groupby(["network", "weights"], sort=False):
        label = f"{network}, {kind}"
        left.plot(rows["log_sigma"], rows["mean"], "o", markersize=4, label=label, alpha=0.8)
        depth = (rows["layer"] - 1) / (len(rows) - 1)
        middle.plot(depth, rows["residual"], "o-", markersize=3, linewidth=1, label=label)
    ends = np.array(left.get_xlim())
    left.plot(ends, ends + NORMAL, color="black", linewidth=1, label="normal weights")
    left.plot(ends, ends + UNIFORM, color="grey", linewidth=1, label="uniform weights")
    left.set(xlabel="log sigma of the layer's weights", ylabel="mean entropy change (nats)")
    left.set_title("(a) layer mean against weight scale")
    left.legend(fontsize=7)
    for value, colour in ((NORMAL, "black"), (UNIFORM, "grey")):
        middle.axhline(value, color=colour, linewidth=1)
    middle.set(xlabel="depth (first to last convolution)", ylabel="mean - log sigma (nats)")
    middle.set_title("(b) what is left")
    # The same range as the profile itself, so that what is left is seen in proportion.
    centre, half = everything["residual"].mean(), (everything["mean"].max() - everything["mean"].min()) / 2
    middle.set_ylim(centre - half, centre + half)
    _positions(right, vgg16)
    return figure


def _positions(axes: Axes, vgg16: pd.DataFrame) -> None:
    axes.set(xlabel="layer", ylabel="mean entropy change (nats)", title="(c) all filter positions")
    if vgg16.empty:
        axes.text(0.5, 0.5, "no profile yet", ha="center", va="center", transform=axes.transAxes)
        return
    kind = vgg16["weights"].iloc[0]
    rows = vgg16[vgg16["weights"] == kind]
    means = np.array(rows["positions"].tolist())  # layers, p, q
    for row in range(means.shape[1]):
        for column in range(means.shape[2]):
            corner = (row, column) == (0, 0)
            label = "corner" if corner else ("other positions" if (row, column) == (0, 1) else None)
            axes.plot(
                rows["layer"],
                means[:, row, column],
                label=label,
                color="firebrick" if corner else "grey",
                linewidth=2 if corner else 1,
                zorder=3 if corner else 2,
            )
    axes.legend(title=f"{rows['network'].iloc[0]}, {kind}", fontsize=8)
