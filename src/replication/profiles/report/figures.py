"""Figures of entropy profiles: boxes layer by layer, and the profile beside the scale of the weights."""

import math

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from entropy_guidance.plots import box_plot
from replication.profiles.statistics import claims
from replication.report.figures import house_style

WEIGHTS = {
    "imagenet": "trained on ImageNet",
    "edges": "fine-tuned for edges",
    "trained": "trained here",
    "sample": "trained on a sample, fewer filters",
    "random": "random (Glorot uniform)",
    "open-nsfw": "half width, trained for moderation, norms folded",
    "open-nsfw-random": "half width, random (Glorot uniform)",
    "platelet-unet": "3-D, trained on platelets",
    "platelet-unet-random": "3-D, random (Glorot uniform)",
    "imagenet-rescaled": "ImageNet's, one factor a layer",
    "imagenet-pixels": "ImageNet's, for pixels of 0 to 1",
    "open-nsfw-rescaled": "half width, one factor a layer",
    "open-nsfw-pixels": "half width, for pixels of 0 to 1",
    "platelet-unet-folded": "3-D, norms folded",
    "platelet-unet-rescaled": "3-D, one factor a layer",
}
# E[log|c|] - log sigma of weights drawn from one law: what a profile shows when it is nothing but weight scale.
NORMAL, UNIFORM = claims.MEAN_LOG_NORMAL, math.log(math.sqrt(3)) - 1


def named(weights: str) -> str:
    """A kind of weights in words; a file by its own name."""
    return WEIGHTS.get(weights, weights)


@house_style()
def boxes(layers: pd.DataFrame, kinds: list[str], *, printed: bool, scale: bool = False) -> Figure:
    """One panel a kind of weights.

    Args:
        printed: whether to draw the two numbers that the text prints.
        scale: whether to draw log sigma beside each profile, and to mark the convolutions before skips.
    """
    width = max(4.2, 0.16 * layers["layer"].max())  # inches a panel
    figure, panels = plt.subplots(
        1, len(kinds), figsize=(max(5.2, width * len(kinds)), 4.4), sharey=True, squeeze=False, layout="constrained"
    )
    for axes, kind in zip(panels[0], kinds, strict=True):
        rows = layers[layers["weights"] == kind]
        box_plot(rows, axes)
        axes.set_title(named(kind))
        if scale:
            axes.plot(rows["layer"], rows["log_sigma"], color="black", linewidth=1, zorder=4, label="log sigma")
            before = rows[rows["pre_skip"].astype(bool)]
            if len(before):
                marks = axes.get_xaxis_transform(), np.full(len(before), 0.02)
                axes.plot(before["layer"], marks[1], "^", color="darkgreen", transform=marks[0], label="before a skip")
            axes.legend(fontsize=7, loc="lower right", bbox_to_anchor=(1, 0.06))
        elif kind == "random":
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
def same_function(layers: pd.DataFrame, groups: list[tuple[str, list[str]]]) -> Figure:
    """A panel a network: layer means of kinds of weights that compute the same, and below relative to each output.

    Args:
        groups: title of a panel, and its kinds, the network's own first.
    """
    figure, panels = plt.subplots(
        2, len(groups), figsize=(4.4 * len(groups), 6), sharex="col", squeeze=False, layout="constrained"
    )
    for (title, kinds), (above, below) in zip(groups, panels.T, strict=True):
        for number, kind in enumerate(kinds):
            rows = layers[layers["weights"] == kind]
            style = {"linewidth": 2.5 if number == 0 else 1.2, "marker": "o", "markersize": 2.5, "alpha": 0.85}
            above.plot(rows["layer"], rows["mean"], label=named(kind), **style)
            below.plot(rows["layer"], rows["relative"], **style)
        above.set_title(title)
        above.legend(fontsize=6)
        below.set_xlabel("layer")
        below.xaxis.set_major_locator(MaxNLocator(integer=True))
        for value, colour in ((NORMAL, "black"), (UNIFORM, "grey")):
            below.axhline(value, color=colour, linewidth=1)
    panels[0][0].set_ylabel("mean entropy change (nats)")
    panels[1][0].set_ylabel("relative to each output (nats)")
    return figure


@house_style()
def weight_scale(everything: pd.DataFrame, vgg16: pd.DataFrame) -> Figure:
    """(a) layer means against log sigma; (b) what is left without it; (c) the profile with each filter position."""
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13, 4.4), layout="constrained")
    for (network, kind), rows in everything.groupby(["network", "weights"], sort=False):
        label = str(kind) if str(kind).startswith(str(network)) else f"{network}, {kind}"
        left.plot(rows["log_sigma"], rows["mean"], "o", markersize=4, label=label, alpha=0.8)
        depth = (rows["layer"] - 1) / (len(rows) - 1)
        middle.plot(depth, rows["residual"], "o-", markersize=3, linewidth=1, label=label)
    ends = np.array(left.get_xlim())
    left.plot(ends, ends + NORMAL, color="black", linewidth=1, label="normal weights")
    left.plot(ends, ends + UNIFORM, color="grey", linewidth=1, label="uniform weights")
    left.set(xlabel="log sigma of the layer's weights", ylabel="mean entropy change (nats)")
    left.set_title("(a) layer mean against weight scale")
    left.legend(fontsize=6, loc="upper left")
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
