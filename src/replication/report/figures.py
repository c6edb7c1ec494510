"""Figures in the paper's layout: a curve for each lambda, and the table of pairwise tests beside it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from PIL import Image

from replication.core import crew
from replication.core.files import write_whole
from replication.report.drawing import Drawing, forget_old, keep, kept
from replication.report.effects import EDGES, KINDS, Row
from replication.statistics.t_tests import NO_VARIANCE, t_interval

BLACK, PUBLISHED = "#111111", "#8a5a00"
ORANGE = "#b85400"  # with a contrast above 3 : 1 on white, which matplotlib's has not
FOREST = {"ours": ("s", "#0b57b0", "#0b57b0"), "after_control": ("o", "#a12a14", "white")}  # marker, colour, face
BESIDE: dict[str, Any] = {"textcoords": "offset points", "ha": "right", "va": "center", "fontsize": 9}
STYLE: Any = {"svg.hashsalt": "replication", "figure.dpi": 100, "savefig.dpi": 130, "font.size": 10}


@contextmanager
def house_style() -> Iterator[None]:
    """The look of the report's figures; a decorator too."""
    import seaborn as sns  # with scipy.stats, most of a second: where figures are kept, nothing waits for it

    with mpl.rc_context(STYLE), sns.axes_style("whitegrid"):
        yield


def count_epochs(axis: Axis) -> None:
    """Ticks at whole epochs."""
    axis.set_major_locator(mpl.ticker.MaxNLocator(6, integer=True))


def lambda_colours(lambdas: Sequence[float]) -> list[Any]:
    """Black for none, then from pink to navy: all of them with a contrast above 3 : 1 on white."""
    guided = sum(lambda_ != 0 for lambda_ in lambdas)
    colours = iter(mpl.colormaps["plasma"](np.linspace(0.6, 0, max(guided, 1))))
    return [BLACK if lambda_ == 0 else tuple(next(colours)[:3]) for lambda_ in lambdas]


@house_style()
def forest(rows: Sequence[Row]) -> Figure:
    """Each claim's effect as a share of the published one: a square for ours, a ring after the control."""
    figure, axes = plt.subplots(figsize=(8, 0.9 + 0.42 * len(rows)), layout="constrained")
    for place, row in enumerate(rows):
        for kind, (marker, colour, face) in FOREST.items():
            if kind not in row.shares:
                continue
            share, ends = row.shares[kind], row.ends(kind)
            at = min(max(share, EDGES[0]), EDGES[1])
            if ends is not None and at == share:
                axes.plot(np.clip(ends, *EDGES), [place, place], color=colour, linewidth=2.5, zorder=2)
            axes.plot(
                at, place, marker=marker, color=colour, markerfacecolor=face, markersize=9, zorder=3, linestyle=""
            )
            if at != share:
                axes.annotate(f"{share:.1f} times →", (at, place), (-8, 0), **BESIDE)
    axes.axvline(0, color=BLACK, linewidth=1.2)
    axes.axvline(1, color=PUBLISHED, linewidth=1.5, linestyle="--")
    axes.set_yticks(range(len(rows)), [f"{row.claim['id']} {row.claim['title']}" for row in rows])
    axes.set(xlim=(EDGES[0] - 0.05, EDGES[1] + 0.05), ylim=(len(rows) - 0.5, -0.5))
    axes.set_xlabel("share of the published effect (0: none, 1: as published)")
    handles = [
        Line2D([], [], marker=marker, color=colour, markerfacecolor=face, linestyle="", markersize=9, label=KINDS[kind])
        for kind, (marker, colour, face) in FOREST.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
    return figure


@house_style()
def curves_and_tests(
    runs: pd.DataFrame,
    tests: pd.DataFrame,
    *,
    value: str,
    label: str,
    test_width: int,
    published: Sequence[tuple[float, float]] = (),
) -> Figure:
    """(a) mean of `value` against latent width, a curve a lambda, 95 % t-intervals; (b) tests at one width.

    Args:
        published: ranges of `value` that the paper prints, drawn behind the curves.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6), width_ratios=[1.5, 1], layout="constrained")
    for k, (low, high) in enumerate(published):
        left.axhspan(low, high, color=PUBLISHED, alpha=0.25, linewidth=0)
        left.axhline(
            (low + high) / 2, color=PUBLISHED, linestyle="--", linewidth=1.2, label="published" if k == 0 else None
        )
    _curves(left, runs, value, label)
    _test_table(right, tests, test_width)
    return figure


def _curves(axes: Axes, runs: pd.DataFrame, value: str, label: str) -> None:
    import seaborn as sns

    lambdas = sorted(runs["lambda"].unique())
    order = [f"{lambda_:g}" for lambda_ in lambdas]
    # Curves that coincide would hide one another: each is drawn a little beside its width.
    shift = {lambda_: 1.2 * (k - (len(lambdas) - 1) / 2) for k, lambda_ in enumerate(lambdas)}
    data = runs.assign(
        lambda_=[f"{lambda_:g}" for lambda_ in runs["lambda"]], width=runs["width"] + runs["lambda"].map(shift)
    )
    sns.lineplot(
        data,
        x="width",
        y=value,
        hue="lambda_",
        hue_order=order,
        style="lambda_",
        style_order=order,
        errorbar=t_interval,
        err_style="bars",
        err_kws={"capsize": 3},
        markers=True,
        dashes=False,
        palette=lambda_colours(lambdas),
        ax=axes,
    )
    axes.set(xlabel="latent width", ylabel=label, title=f"(a) {label}: mean and 95 % t-interval")
    axes.set_xticks(sorted(runs["width"].unique()))
    if value == "stopping_epoch":
        count_epochs(axes.yaxis)
    axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))  # a t-interval may reach below 0
    axes.legend(title="lambda", loc="upper left", bbox_to_anchor=(1.01, 1), fontsize=9)  # on no curve


def _test_table(axes: Axes, tests: pd.DataFrame, width: int) -> None:
    axes.set_title(
        f"(b) row minus column, width {width}\n+ higher, - lower (p < 0.05; shaded: after Holm)", fontsize=10
    )
    labels = sorted({*tests["a"], *tests["b"]})
    if not labels:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "no runs at this width yet", ha="center", va="center")
        return
    size = len(labels)
    axes.set(xlim=(0, size), ylim=(size, 0), aspect="equal")
    ticks = [k + 0.5 for k in range(size)]
    axes.set_xticks(ticks, [f"{label:g}" for label in labels])
    axes.set_yticks(ticks, [f"{label:g}" for label in labels])
    axes.tick_params(length=0)
    axes.grid(visible=False)
    for line in range(size + 1):
        axes.axhline(line, color="lightgrey", linewidth=0.8)
        axes.axvline(line, color="lightgrey", linewidth=0.8)
    opposite = {"+": "-", "-": "+", "": "", NO_VARIANCE: NO_VARIANCE}
    for test in tests.itertuples():
        row, column = labels.index(test.a), labels.index(test.b)
        for y, x, sign in ((row, column, test.sign), (column, row, opposite[test.sign])):
            if test.sign_holm in ("+", "-"):
                axes.add_patch(Rectangle((x, y), 1, 1, color="moccasin"))
            colour = {"+": "firebrick", "-": "navy"}.get(sign, "grey")
            text = sign.replace("-", "\N{MINUS SIGN}").replace(" ", "\n")
            fontsize = 6 if sign == NO_VARIANCE else 13
            axes.text(x + 0.5, y + 0.5, text, ha="center", va="center", color=colour, fontsize=fontsize)
    for k in range(size):
        axes.add_patch(Rectangle((k, k), 1, 1, color="whitesmoke"))


def save(drawing: Drawing, folder: Path, name: str, note: str = "") -> Path:
    """Write FOLDER/figures/NAME.png and .svg (without dates: the same data give the same bytes); the PNG's path.

    Args:
        drawing: drawn only if its files are not kept from before; within `crew.all_cores`, at its end.
        note: printed above the figure, for what keeps its numbers from being compared with the paper's.
    """
    path = folder / "figures" / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    key = drawing.key(note)
    if not kept(key, path):
        crew.do(partial(_draw, drawing, path, note, key))
    forget_old()
    return path


def _draw(drawing: Drawing, path: Path, note: str, key: str) -> None:
    _write(drawing.draw(), path, note)
    keep(key, path)


def _write(figure: Figure, path: Path, note: str) -> None:
    if note:
        figure.suptitle(note, color="firebrick")
    with mpl.rc_context(STYLE):
        _arrange(figure)
        _save_png(figure, path)
        about = {"Date": None, "Creator": None}
        write_whole(path.with_suffix(".svg"), lambda beside: figure.savefig(beside, format="svg", metadata=about))
    plt.close(figure)


def _arrange(figure: Figure) -> None:
    """Lay the figure out once, as large as its PNG. `savefig` would draw it for that, and once more at each saving."""
    if engine := figure.get_layout_engine():
        figure.set_dpi(STYLE["savefig.dpi"])
        engine.execute(figure)
        figure.set_layout_engine(None)


def _save_png(figure: Figure, path: Path) -> None:
    """In 256 colours, a third of the bytes: report.html holds every figure, and is committed with each rendering."""
    figure.set_dpi(STYLE["savefig.dpi"])
    drawn, size = FigureCanvasAgg(figure).print_to_buffer()
    picture = Image.frombuffer("RGBA", size, drawn, "raw", "RGBA", 0, 1).convert("RGB")
    palette = picture.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    write_whole(path, lambda beside: palette.save(beside, format="png", optimize=True))
