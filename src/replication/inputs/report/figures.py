"""Figures on what the penalty touches: the guided inputs on the images, what guidance does, and what else does it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from numpy.typing import NDArray

from replication.core.runs import Record
from replication.inputs.statistics.pairs import EXACT, LEADING, NORM, RATES, UNGUIDED, VARIABLE, WEIGHTS
from replication.report.figures import ORANGE, count_epochs, house_style

PAPERS, OURS = "tab:red", "tab:blue"  # the leading block, and the most variable inputs
STYLES: dict[str, dict[str, Any]] = {  # of an arm
    UNGUIDED: {"color": "black", "linestyle": "--", "label": "unguided"},
    LEADING: {"color": PAPERS, "label": "paper's block"},
    VARIABLE: {"color": OURS, "label": "most variable"},
    NORM: {"color": ORANGE, "label": "norm alone"},
    "dead-only": {"color": "tab:grey", "label": "always zero"},
    "rarest": {"color": "tab:brown", "label": "rarest"},
    EXACT: {"color": "tab:green", "label": "exact form"},
}
MSE_TICKS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
PERCENT_TICKS = (-100, -50, -20, -10, -5, -1, 0, 1, 5, 10, 20, 50, 100)
DASHES = {0.0001: ":", 0.01: "-", 1.0: "--"}  # of a lambda


@dataclass(frozen=True)
class View:
    """What a data set's images are, and which of their inputs are guided at one latent width."""

    title: str
    mean: NDArray[np.float64]  # (H, W) or (H, W, C), bytes
    variance: NDArray[np.float64]  # (H, W), of the bytes, over colours
    leading: NDArray[np.bool_]  # (H, W): pixels of the paper's block
    variable: NDArray[np.bool_]  # (H, W): of the block of the most variable inputs


def view(title: str, recorded: Mapping[str, Any], width: int) -> View:
    """Of one family's record (see `measure.described`)."""
    channels, height, columns = recorded["shape"]
    shape = (height, columns, channels)
    variance = np.array(recorded["variance"])
    masks = np.zeros((2, variance.size), bool)
    masks[0, :width] = True
    masks[1, np.argsort(-variance, kind="stable")[:width]] = True
    leading, variable = masks.reshape(2, *shape).max(-1)
    mean = np.array(recorded["mean"]).reshape(shape)
    return View(
        title,
        mean=mean[..., 0] if channels == 1 else mean,
        variance=variance.reshape(shape).mean(-1),
        leading=leading,
        variable=variable,
    )


@house_style()
def touched(views: Sequence[View], curves: Mapping[str, Mapping[str, Sequence[Record]]]) -> Figure:
    """The guided inputs over the mean image and over the variance of the pixels; beside them training curves.

    Args:
        curves: of the panels beside (two at most): title -> arm -> its records.
    """
    columns = len(views)
    ratios = [1.0] * columns + [2.4] * bool(curves)
    figure = plt.figure(figsize=(2.1 * columns + 4.6 * bool(curves), 4.7), layout="constrained")
    grid = figure.add_gridspec(2, len(ratios), width_ratios=ratios)
    for column, shown in enumerate(views):
        for row, image in enumerate((shown.mean, shown.variance)):
            axes = figure.add_subplot(grid[row, column])
            axes.imshow(image / 255 if image.ndim == 3 else image, cmap="gray", vmin=0)
            _shade(axes, shown.leading, PAPERS)
            if row:
                _shade(axes, shown.variable, OURS)
            axes.set(xticks=[], yticks=[])
            axes.grid(visible=False)
            axes.set_title("pixel variance" if row else shown.title, fontsize=9)
    for row, (title, by_arm) in enumerate(curves.items()):
        axes = figure.add_subplot(grid[row, columns])
        for arm, records in by_arm.items():
            axes.plot(*_mean_history(records), **STYLES[arm])
        axes.set(yscale="log", ylabel="validation MSE", xlabel="epoch" if row == len(curves) - 1 else "")
        low, high = axes.get_ylim()
        axes.set_yticks([tick for tick in MSE_TICKS if low <= tick <= high])
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
        count_epochs(axes.xaxis)
        axes.set_title(title, fontsize=9)
        if row == 0:
            axes.legend(fontsize=8)
    return figure


def _shade(axes: Axes, mask: NDArray[np.bool_], colour: str) -> None:
    height, width = mask.shape
    layer = np.zeros((height, width, 4))
    layer[mask] = to_rgba(colour, 0.45)
    axes.imshow(layer)


def _mean_history(records: Sequence[Record]) -> tuple[range, NDArray[np.float64]]:
    """Epochs and the mean validation MSE."""
    mean = np.mean([record["history"]["validation_mse"] for record in records], axis=0)
    return range(1, len(mean) + 1), mean


def of_blocks(cells: pd.DataFrame) -> pd.DataFrame:
    """The cells of arms that act on a block, which are drawn; others change the rate or the weights."""
    return cells[cells["arm"].isin([LEADING, VARIABLE, NORM, "dead-only", "rarest"])]


@house_style()
def differences(cells: pd.DataFrame) -> Figure:
    """The difference in MSE to the unguided run at the epochs of H9, percent, with its intervals; a panel a width."""
    shown = of_blocks(cells)
    widths = sorted(shown["width"].unique())
    figure, panels = plt.subplots(
        1, len(widths), figsize=(3.6 * len(widths) + 2.4, 4.2), squeeze=False, layout="constrained"
    )
    for width, axes in zip(widths, panels[0], strict=True):
        here = shown[shown["width"] == width]
        groups = list(here.groupby(["arm", "lambda"], sort=False))
        for k, ((arm, lambda_), cell) in enumerate(groups):
            style = STYLES[arm] | {
                "linestyle": DASHES.get(lambda_, "-."),
                "label": f"{STYLES[arm]['label']}, {lambda_:g}",
            }
            bars = (cell["difference"] - cell["low"], cell["high"] - cell["difference"])
            shift = 0.7 * (k - (len(groups) - 1) / 2)  # intervals beside one another
            axes.errorbar(cell["epoch"] + shift, cell["difference"], bars, capsize=2, marker="o", markersize=3, **style)
        axes.axhspan(-1, 1, color="black", alpha=0.12)
        low, high = axes.get_ylim()
        axes.set_yscale("symlog", linthresh=5)
        axes.set_yticks([tick for tick in PERCENT_TICKS if low <= tick <= high])
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_formatter("{x:g}")
        axes.set(xlabel="epoch", title=f"width {width}", xticks=sorted(here["epoch"].unique()))
    panels[0][0].set_ylabel("MSE against the unguided run (%)")
    handles, labels = max((axes.get_legend_handles_labels() for axes in panels[0]), key=lambda found: len(found[1]))
    panels[0][-1].legend(
        handles, labels, title="block, lambda", loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=8
    )
    return figure


@house_style()
def trade(means: pd.DataFrame) -> Figure:
    """Epochs to the target against the MSE in the end: every arm's means; a panel a width."""
    widths = sorted(means["width"].unique())
    figure, panels = plt.subplots(
        1, len(widths), figsize=(4.2 * len(widths) + 2.2, 4.2), squeeze=False, layout="constrained"
    )
    controls = {RATES: ("tab:purple", "learning rate x"), WEIGHTS: ("tab:pink", "initial weights x")}
    for width, axes in zip(widths, panels[0], strict=True):
        for arm, cell in means[means["width"] == width].groupby("arm", sort=False):
            group = next((name for name in controls if str(arm).startswith(name)), None)
            colour, label = controls[group] if group else (STYLES[str(arm)]["color"], STYLES[str(arm)]["label"])
            marker = "s" if group else "*" if arm == UNGUIDED else "o"
            axes.plot(cell["to_target"], cell["mse"], marker, color=colour, label=label)
            for row in cell.itertuples() if arm != UNGUIDED else ():
                axes.annotate(
                    f"{row.value:g}", (row.to_target, row.mse), (4, 3), textcoords="offset points", fontsize=7
                )
        axes.set(yscale="log", xlabel="epochs to the unguided run's MSE at half of its epochs", title=f"width {width}")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("{x:g}")
        axes.tick_params(axis="y", which="minor", labelsize=7)
        count_epochs(axes.xaxis)
    panels[0][0].set_ylabel("MSE in the end")
    entries: dict[str, Any] = {}
    for axes in panels[0]:
        entries |= dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    panels[0][-1].legend(entries.values(), entries.keys(), loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=8)
    return figure
