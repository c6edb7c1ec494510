"""Figures of the U-Nets: masks beside the images, and how the error falls."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from replication.coco_unet.training.masks import decode_image, decode_mask
from replication.core.runs import Record
from replication.report.figures import STYLE, house_style, lambda_colours


@mpl.rc_context(STYLE)
def masks(unguided: Record, guided: Sequence[Record]) -> Figure:
    """Figure 10: a row an image; its true mask, the unguided prediction, and one at each lambda."""
    shown = unguided["shown"]
    titles = ["image", "true mask", "no guidance", *(f"lambda {record['run']['lambda']:g}" for record in guided)]
    figure, panels = plt.subplots(
        len(shown),
        len(titles),
        figsize=(1.35 * len(titles) + 0.2, 1.35 * len(shown) + 0.7),
        squeeze=False,
        layout="constrained",
    )
    for row, entry in enumerate(shown):
        picture = decode_image(entry["image"])
        panels[row, 0].imshow(picture)
        found = [entry["truth"], entry["prediction"], *(record["shown"][row]["prediction"] for record in guided)]
        true = decode_mask(entry["truth"], *picture.shape[:2])
        for axes, text in zip(panels[row, 1:], found, strict=True):
            mask = decode_mask(text, *picture.shape[:2])
            axes.imshow(mask, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            if text is not entry["truth"]:
                axes.set_xlabel(f"IoU {_iou(mask, true):.2f}", fontsize=8)
    for axes, title in zip(panels[0], titles, strict=True):
        axes.set_title(title, fontsize=9)
    for axes in panels.flat:
        axes.set_xticks([])
        axes.set_yticks([])
    return figure


def _iou(mask: np.ndarray, true: np.ndarray) -> float:
    union = (mask | true).sum()
    return float((mask & true).sum() / union) if union else 1.0


@house_style()
def histories(curves: dict[str, dict[float, Record]], published: pd.DataFrame) -> Figure:
    """Validation MSE after every epoch, a panel for each quantity that early stopping watches.

    Args:
        curves: panel title -> lambda -> record.
    """
    lambdas = sorted({lambda_ for records in curves.values() for lambda_ in records})
    colours = dict(zip(lambdas, lambda_colours(lambdas), strict=True))
    figure, panels = plt.subplots(
        1, len(curves), figsize=(5.2 * len(curves), 3.8), sharey=True, squeeze=False, layout="constrained"
    )
    for axes, (title, records) in zip(panels[0], curves.items(), strict=True):
        for lambda_, record in sorted(records.items()):
            mse = record["history"]["validation_loss"]
            colour = "black" if lambda_ == 0 else colours[lambda_]
            axes.plot(range(1, len(mse) + 1), mse, color=colour, label=f"{lambda_:g}", linewidth=1.4)
            filled = colour if record["metrics"]["stopped_early"] else "white"
            axes.plot(len(mse), mse[-1], "o", color=colour, markerfacecolor=filled, markersize=5)
        _published_ticks(axes, published)
        axes.set(xlabel="epoch", title=title)
        axes.legend(title="lambda", fontsize=8)
    panels[0, 0].set_ylabel("validation MSE, without penalty")
    return figure


def _published_ticks(axes: Axes, published: pd.DataFrame) -> None:
    """Where the paper's runs stopped, as marks on the axis."""
    for row in published.itertuples():
        colour = "black" if row.epochs == published["epochs"][0] else "firebrick"
        axes.axvline(row.epochs, ymax=0.03, color=colour, linewidth=1.5)
