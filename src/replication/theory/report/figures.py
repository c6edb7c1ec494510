"""Figures of the theory section: the losses of Figure 2, and the formulas against the exact changes."""

from typing import Literal

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from replication.report.figures import house_style, lambda_colours
from replication.theory.record import CORNERS

DRAWN_EPSILONS = (0.5, 0.2, 0.1)  # large enough to be seen on a linear axis, as the paper's is
EPSILONS = (1e-1, 1e-3, 1e-5, 1e-7)
DRAWN_FILTERS = 40

Array = NDArray[np.float64]
Form = Literal["log", "reciprocal"]
Quantity = Literal["loss", "slope by x", "slope by log x"]


@house_style()
def losses() -> Figure:
    """Both forms of the loss, lambda = 1, against x = |det W_sq| or |c11|, and their derivatives (Figure 2)."""
    half = np.geomspace(1e-4, 2, 400)
    linear, wide = np.concatenate([-half[::-1], half]), np.geomspace(1e-12, 0.9, 400)
    figure, ((value, slope), (log_value, log_slope)) = plt.subplots(2, 2, figsize=(11, 8), layout="constrained")
    _losses(value, linear, DRAWN_EPSILONS, "loss")
    _losses(slope, linear, DRAWN_EPSILONS, "slope by x")
    _losses(log_value, wide, EPSILONS, "loss")
    _losses(log_slope, wide, EPSILONS, "slope by log x")
    value.set(ylim=(-1, 10.5), xlabel="x", ylabel="loss", title="(a) both forms")
    slope.set(ylim=(0, 60), xlim=(-1, 1), xlabel="x", ylabel="|d loss / d x|", title="(b) their derivatives by x")
    log_value.set(xscale="log", yscale="log", xlabel="|x|", ylabel="loss", title="(c) as (a), practical epsilon")
    log_slope.set(xscale="log", yscale="log", xlabel="|x|", ylabel="|d loss / d log|x||", ylim=(1e-6, 1e7))
    log_slope.set_title("(d) their derivatives by the entropy change log|x|")
    return figure


def _losses(axes: Axes, x: Array, epsilons: tuple[float, ...], quantity: Quantity) -> None:
    axes.plot(x, _quantity(x, "log", 1.0, quantity), color="black", linestyle="--", label="-log|x|")
    for epsilon, colour in zip(epsilons, lambda_colours(epsilons), strict=True):
        label = f"1/(|x| + {epsilon:g})"
        axes.plot(x, _quantity(x, "reciprocal", epsilon, quantity), color=colour, label=label)
    axes.legend()


def _quantity(x: Array, form: Form, epsilon: float, quantity: Quantity) -> Array:
    """The library's penalty (a test compares them), and the absolute value of its derivative."""
    size = np.abs(x)
    loss: Array = -np.log(size) if form == "log" else 1 / (size + epsilon)
    if quantity == "loss":
        return loss
    by_x: Array = 1 / size if form == "log" else loss**2
    return by_x if quantity == "slope by x" else by_x * size


@house_style()
def formulas(layers: pd.DataFrame, filters: pd.DataFrame) -> Figure:
    """(a) dense layers, (b) convolutions: formula against exact change; (c) one layer, four corners."""
    size = layers[["outputs", "inputs"]].min(axis=1)
    scaled = layers.assign(exact=layers["exact"] / size, formula=layers["formula"] / size)
    dense = scaled["class"].str.startswith("dense")
    figure, axes = plt.subplots(1, 3, figsize=(15, 5.4), layout="constrained")
    _classes(axes[0], scaled[dense], "(a) dense layers")
    _classes(axes[1], scaled[~dense], "(b) convolutions")
    _corners(axes[2], filters.head(DRAWN_FILTERS))
    for panel in axes:
        panel.axline((0, 0), slope=1, color="black", linewidth=1, zorder=0)
        panel.legend(fontsize=8, title=None)
    return figure


def _classes(axes: Axes, layers: pd.DataFrame, title: str) -> None:
    import seaborn as sns

    named = layers.assign(kind=layers["class"].str.replace(r"^(dense|convolution), ", "", regex=True))
    sns.scatterplot(named, x="exact", y="formula", hue="kind", style="kind", s=22, alpha=0.7, rasterized=True, ax=axes)
    axes.set(title=title, xlabel="exact change, nats per dimension of the range")
    axes.set_ylabel("the paper's formula, nats per dimension")


def _corners(axes: Axes, filters: pd.DataFrame) -> None:
    values = filters[list(CORNERS)]
    axes.vlines(filters["exact"], values.min(axis=1), values.max(axis=1), color="lightgrey", linewidth=1)
    for name, marker in zip(CORNERS, "os^D", strict=True):
        axes.plot(filters["exact"], filters[name], marker, markersize=4, label=f"log|{name}|")
    axes.set(
        xlabel="exact change, nats per output pixel",
        ylabel="the formula of each corner's completion",
        title="(c) one 3 x 3 filter, four completions",
    )
