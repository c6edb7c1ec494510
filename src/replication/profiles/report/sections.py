"""The report's section on entropy profiles: Figures 1 and 7 to 9, claims C2 and C3, and hypothesis H5."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from entropy_guidance import box_plot
from replication.core import published
from replication.core.settings import PROFILES, Settings
from replication.profiles import record as profiles
from replication.profiles.statistics import claims as profile_claims
from replication.report import figures
from replication.report.section import FigureEntry, Section, TableEntry, write_table

NAMES = {"vgg16": "VGG16", "resnet50": "ResNet-50", "unet": "U-Net"}
WEIGHTS = {
    "imagenet": "trained on ImageNet",
    "edges": "fine-tuned for edges",
    "trained": "trained here",
    "sample": "trained on a sample, fewer filters",
    "random": "random (Glorot uniform)",
}
# E[log|c|] - log sigma of weights drawn from one law: what a profile shows when it is nothing but weight scale.
NORMAL, UNIFORM = profile_claims.MEAN_LOG_NORMAL, math.log(math.sqrt(3)) - 1


def section(settings: Settings, folder: Path, note: str) -> Section:
    """Write figures and tables under `folder` from the committed records alone."""
    found = {
        network: profiles.frame(profiles.read_record(profiles.record_path(settings.scale, network)))
        for network in PROFILES
    }
    present = {network: layers for network, layers in found.items() if len(layers)}
    about = " ".join(_about(settings, network, found[network]) for network in PROFILES)
    if not present:
        return Section("Entropy profiles", about, note)
    everything = pd.concat(present.values(), ignore_index=True)
    vgg16 = found["vgg16"]
    drawn, tables = _vgg16(folder, vgg16, note) if len(vgg16) else ([], [])
    for network, number in (("resnet50", 8), ("unet", 9)):
        if len(found[network]):
            kinds = list(found[network]["weights"].unique())
            title = f"Figure {number}: entropy change per filter, {NAMES[network]}"
            drawn.append(_entry(folder, f"figure{number}-{network}", title, found[network], kinds=kinds, note=note))
    drawn.append(_scale_entry(folder, everything, vgg16, note))
    tables.append(_scale_table(folder, everything))
    text = (
        "`selection.empirical`: layers whose mean lies more than one standard deviation above the mean of all layers' "
        "means. Of random weights it shows what Glorot's rule (fan-in plus fan-out) alone would pick."
    )
    picked = profile_claims.empirical_layers(everything)
    tables.append(write_table(folder, "profiles-empirical", "Layers that a profile singles out", picked, text))
    return Section(
        title="Entropy profiles",
        about=about,
        note=note,
        figures=drawn,
        tables=tables,
        verdicts={
            "C2": profile_claims.c2(vgg16),
            "C3": profile_claims.c3(vgg16, found["resnet50"], found["unet"]),
        },
        metrics={"profiles": {network: len(layers) for network, layers in present.items()}},
    )


def _vgg16(folder: Path, vgg16: pd.DataFrame, note: str) -> tuple[list[FigureEntry], list[TableEntry]]:
    """Figure 1, Figure 7 where there are weights for a second task, and what the text says of the first."""
    kinds = list(vgg16["weights"].unique())
    first = [kind for kind in kinds if kind != "edges"]
    title = "Figure 1: entropy change per filter, VGG16"
    drawn = [_entry(folder, "figure1-vgg16", title, vgg16, kinds=first, note=note)]
    if len(kinds) > len(first):
        title = "Figure 7: one architecture, two tasks, and random weights, VGG16"
        drawn.append(_entry(folder, "figure7-vgg16", title, vgg16, kinds=kinds, note=note))
    text = "Section 4 on Figure 1 in words, and our numbers. Decay: fits to the layer means, lower AICc is better."
    table = profile_claims.beside_published(vgg16, published.read("profiles"))
    words = write_table(folder, "profiles-beside-published", "Figure 1 in numbers", table, text)
    return drawn, [words, _layer_table(folder, vgg16)]


def _about(settings: Settings, network: str, layers: pd.DataFrame) -> str:
    chosen = settings.profiles[network]
    parts = [f"{WEIGHTS[kind]} ({rows['source'].iloc[0]})" for kind, rows in profile_claims.by_weights(layers)]
    text = f"**{NAMES[network]}** (`{chosen.network}`): {'; '.join(parts) or 'no profile yet'}."
    missing = [kind for kind in chosen.weights if kind not in {kind for kind, _ in profile_claims.by_weights(layers)}]
    if missing:
        command = f"python -m replication profiles {network} --scale {settings.scale}"
        text += f" Missing: {', '.join(WEIGHTS[kind] for kind in missing)}; `{command}` takes it when it can be had."
    if not set(chosen.weights) - {"random"}:
        text += " No trained weights are profiled at this scale."
    return text


def _entry(folder: Path, name: str, title: str, layers: pd.DataFrame, *, kinds: list[str], note: str) -> FigureEntry:
    printed = name == "figure1-vgg16" and "imagenet" in kinds
    figure = _boxes(layers, kinds, printed=printed)
    caption = (
        "Log of the absolute corner weight of every filter slice, nats per filter and pixel. Boxes: quartiles, "
        "whiskers by Tukey's rule, dotted towards the farthest outlier, where the axis may cut it; red: means."
    )
    if "random" in kinds:
        caption += (
            " Weights uniform on (-a, a) have mean log a - 1 (black line), standard deviation 1 and 4.8 % of outliers, "
            "all low, in every layer."
        )
    if printed:
        caption += " Dashed: the two numbers that the text prints of this figure."
    return FigureEntry(title, figures.save(figure, folder, name, note), caption)


@figures.house_style()
def _boxes(layers: pd.DataFrame, kinds: list[str], *, printed: bool) -> Figure:
    width = max(4.2, 0.16 * layers["layer"].max())  # inches a panel
    figure, panels = plt.subplots(
        1, len(kinds), figsize=(max(5.2, width * len(kinds)), 4.4), sharey=True, squeeze=False, layout="constrained"
    )
    for axes, kind in zip(panels[0], kinds, strict=True):
        rows = layers[layers["weights"] == kind]
        box_plot(rows, axes)
        axes.set_title(WEIGHTS[kind])
        if kind == "random":
            axes.plot(rows["layer"], rows["log_sigma"] + UNIFORM, color="black", linewidth=1, zorder=4)
        elif printed:
            for value in (profile_claims.FIRST, profile_claims.LAST):
                axes.axhline(value, color="firebrick", linestyle="dashed", linewidth=1)
    for axes in panels[0][1:]:
        axes.set_ylabel("")
    # A zero-ish weight may reach to -25; the boxes are what matters.
    low, high = layers["whisker_low"].min(), layers["max"].max()
    panels[0][0].set_ylim(low - 0.35 * (high - low), high + 0.05 * (high - low))
    return figure


def _layer_table(folder: Path, vgg16: pd.DataFrame) -> TableEntry:
    kinds = list(vgg16["weights"].unique())
    table = vgg16[vgg16["weights"] == kinds[0]][["layer", "name", "fan_in"]].reset_index(drop=True)
    for kind in kinds:
        rows = vgg16[vgg16["weights"] == kind].reset_index(drop=True)
        table[f"{kind}"] = rows["mean"]
        table[f"{kind} - log sigma"] = rows["residual"]
        table[f"{kind} IQR"] = rows["q3"] - rows["q1"]
        table[f"{kind} outliers"] = (rows["outliers_low"] + rows["outliers_high"]) / rows["n"]
    text = (
        "Mean entropy change of each layer in nats; the same minus log sigma of the layer's weights; interquartile "
        "range; outliers' share. A box plot draws their number, and a late layer has up to 64 times as many filters as "
        "layer 2."
    )
    return write_table(folder, "profiles-vgg16-layers", "VGG16, layer by layer", table, text)


def _scale_entry(folder: Path, everything: pd.DataFrame, vgg16: pd.DataFrame, note: str) -> FigureEntry:
    caption = (
        "H5: does the profile say more than weight scale? (a) Each point is a layer; on the lines the entropy change "
        "is log sigma plus a constant. (b) After subtracting log sigma, drawn over as many nats as (a). (c) The "
        "profile with each filter position in place of the corner."
    )
    path = figures.save(_scale_figure(everything, vgg16), folder, "h5-weight-scale", note)
    return FigureEntry("H5: profile and weight scale", path, caption)


@figures.house_style()
def _scale_figure(everything: pd.DataFrame, vgg16: pd.DataFrame) -> Figure:
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


def _scale_table(folder: Path, everything: pd.DataFrame) -> TableEntry:
    text = (
        "mean_range: largest minus smallest layer mean; residual_range: the same after subtracting log sigma of each "
        "layer's weights; share: their ratio (C2 survives above 0.25); share_by_scale: where the shares of 90 % of "
        "networks of these shapes lie whose weights are normal, with each layer's sigma, and no more; residual: its "
        "mean (-0.635 for normal, -0.451 for uniform weights); slope, r2: layer mean against log sigma; r2_fan_in: "
        "against log fan-in; "
        "position_spread: largest difference between two filter positions, mean over layers. Of a layer of 4 to 16 "
        "filters (the U-Net's first and last) neither mean nor sigma says much."
    )
    table = profile_claims.scale_table(everything)
    return write_table(folder, "profiles-weight-scale", "H5: profile and weight scale", table, text)
