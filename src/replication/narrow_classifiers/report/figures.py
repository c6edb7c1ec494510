"""The figure of the narrow classifiers: every training's accuracy by lambda, and the paired differences."""

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from replication.narrow_classifiers.statistics.rule import BOTH
from replication.report.figures import BLACK, ORANGE, PUBLISHED, house_style

NAMES = {"resnet50": "ResNet-50", "vgg16": "VGG16", BOTH: "mean of both"}
COLOURS = {"resnet50": "tab:blue", "vgg16": ORANGE, BOTH: BLACK}
GAIN = (0.02, 0.03)  # "2-3 %"


@house_style()
def accuracies(runs: pd.DataFrame, means: pd.DataFrame, differences: pd.DataFrame) -> Figure:
    """A panel a network: a dot a training, a line a seed, a bar the mean; the last panel has differences of pairs.

    Args:
        runs: columns network, lambda, seed, best accuracy.
        means: network, lambda, mean.
        differences: network, lambda, n, difference, low, high; or empty.
    """
    networks = list(dict.fromkeys(means["network"]))
    panels = len(networks) + (not differences.empty)
    figure, axes = plt.subplots(1, panels, figsize=(3.6 * panels + 1, 4), squeeze=False, layout="constrained")
    for place, (network, panel) in enumerate(zip(networks, axes[0], strict=False)):
        own = runs["network"] == network, means["network"] == network
        _dots(panel, runs[own[0]], means[own[1]], COLOURS[network])
        panel.set_title(f"({'abc'[place]}) {NAMES[network]}")
    axes[0, 0].set_ylabel("best validation accuracy")
    if not differences.empty:
        _pairs(axes[0, -1], differences.reset_index(drop=True))
        axes[0, -1].set_title(f"({'abc'[len(networks)]}) guided less unguided")
    return figure


def _dots(axes: Axes, runs: pd.DataFrame, means: pd.DataFrame, colour: str) -> None:
    lambdas = sorted(means["lambda"])
    places = {lambda_: place for place, lambda_ in enumerate(lambdas)}
    for _, seed in runs.sort_values("lambda").groupby("seed"):
        axes.plot(seed["lambda"].map(places), seed["best accuracy"], "o-", color=colour, alpha=0.6, linewidth=0.8)
    for _, row in means.iterrows():
        place = places[row["lambda"]]
        axes.plot([place - 0.25, place + 0.25], [row["mean"], row["mean"]], color=BLACK, linewidth=2)
    axes.set_xticks(range(len(lambdas)), [f"{lambda_:g}" for lambda_ in lambdas])
    axes.set(xlabel="lambda", xlim=(-0.5, len(lambdas) - 0.5))


def _pairs(axes: Axes, differences: pd.DataFrame) -> None:
    """Differences with their intervals; behind them what the paper prints."""
    axes.axvspan(*GAIN, color=PUBLISHED, alpha=0.25, linewidth=0, zorder=0)
    for place, row in differences.iterrows():
        colour = COLOURS[row["network"]]
        axes.plot(row["difference"], place, "o", color=colour)
        axes.plot([row["low"], row["high"]], [place, place], color=colour, linewidth=1.5)
    labels = [f"{NAMES[row['network']]}, {row['lambda']:g} (n = {row['n']})" for _, row in differences.iterrows()]
    axes.set_yticks(range(len(differences)), labels, fontsize=8)
    axes.invert_yaxis()
    axes.axvline(0, color="grey", linewidth=1)
    axes.set_xlabel("difference in accuracy")
    axes.xaxis.set_major_locator(MaxNLocator(5))
