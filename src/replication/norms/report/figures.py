"""The figure of guidance before a norm: the arms along training, and their paired differences."""

from typing import Any

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from replication.norms.statistics.findings import MARGIN
from replication.report.figures import ORANGE, count_epochs, house_style

COLOURS = {"unguided": "black", "guided": "tab:red", "scale": "tab:blue", "rate": ORANGE}
DASHES = ("--", "-", ":", "-.")  # of the lambda, the smallest first


@house_style()
def arms(along: pd.DataFrame, differences: pd.DataFrame) -> Figure:
    """(a) Accuracy, and (b) how much longer the guided filters are, after each epoch; (c) differences of pairs."""
    known = differences[differences["n"] > 0].reset_index(drop=True)
    panels = 2 if known.empty else 3
    figure, (left, middle, *others) = plt.subplots(1, panels, figsize=(4.5 * panels, 4.2), layout="constrained")
    values = sorted(set(along["lambda"]) - {0.0})
    for (arm, lambda_), rows in along.groupby(["arm", "lambda"], sort=False):
        dash = "-" if lambda_ == 0 else DASHES[values.index(lambda_) % len(DASHES)]
        label = str(arm) if lambda_ == 0 else f"{arm}, {lambda_:g}"
        style: dict[str, Any] = {"color": COLOURS[str(arm)], "linestyle": dash, "marker": ".", "label": label}
        left.plot(rows["epoch"], rows["accuracy"], **style)
        middle.plot(rows["epoch"], rows["growth"], **style)
    left.set(xlabel="epoch", ylabel="validation accuracy", title="(a) accuracy")
    left.legend(fontsize=7)
    middle.set(xlabel="epoch", ylabel="nats", title="(b) growth of the guided filters' lengths")
    for axes in (left, middle):
        count_epochs(axes.xaxis)
    for right in others:
        _pairs(right, known)
    return figure


def _pairs(right: Axes, known: pd.DataFrame) -> None:
    """Differences with their intervals, over the margin of the rule."""
    for place, row in known.iterrows():
        arm = row["difference"].partition(" ")[0]
        right.plot(row["mean"], place, "o", color=COLOURS[arm])
        right.plot([row["low"], row["high"]], [place, place], color=COLOURS[arm], linewidth=1.5)
    labels = [f"{row['difference']}, {row['lambda']:g} (n = {row['n']})" for _, row in known.iterrows()]
    right.set_yticks(range(len(known)), labels, fontsize=7)
    right.invert_yaxis()
    right.axvspan(-MARGIN, MARGIN, color="lightgrey", zorder=0)
    right.axvline(0, color="grey", linewidth=1)
    right.set(xlabel="difference in validation accuracy", title="(c) pairs")
    right.xaxis.set_major_locator(MaxNLocator(5))
