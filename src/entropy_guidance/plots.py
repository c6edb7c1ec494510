"""Plots of profiles. Their summaries are enough: neither torch nor a model is needed."""

from typing import TYPE_CHECKING

from entropy_guidance.extras import extra

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def box_plot(summary: "pd.DataFrame", axes: "Axes | None" = None) -> "Axes":
    """Draw `Profile.summary()`: a box a layer (quartiles, median, Tukey's whiskers), a dot at its mean.

    Dotted lines reach to the farthest outliers. Their number would be hundreds of thousands of points in a wide layer.
    """
    if summary.empty:
        raise ValueError("no layer has a profile to be drawn")
    if axes is None:
        with extra("plot", "a plot of a profile"):
            from matplotlib import pyplot as plt
        axes = plt.figure(figsize=(max(5.0, 0.3 * len(summary)), 4), layout="constrained").add_subplot()
    boxes = [
        {"med": row.median, "q1": row.q1, "q3": row.q3, "whislo": row.whisker_low, "whishi": row.whisker_high}
        | {"mean": row.mean, "fliers": []}
        for row in summary.itertuples(index=False, name="Row")
    ]
    positions = list(summary["layer"])
    axes.vlines(positions, summary["min"], summary["max"], linestyles="dotted", colors="grey", linewidth=1)
    axes.bxp(
        boxes,
        positions=positions,
        widths=0.6,
        showmeans=True,
        patch_artist=True,
        boxprops={"facecolor": "#9ecae1"},
        medianprops={"color": "black"},
        meanprops={"marker": "o", "markersize": 3, "markerfacecolor": "firebrick", "markeredgecolor": "firebrick"},
    )
    step = max(1, round(len(positions) / 15))
    axes.set_xticks(positions[::step], [str(position) for position in positions[::step]])
    axes.set(xlabel="layer", ylabel="entropy change (nats)")
    return axes
