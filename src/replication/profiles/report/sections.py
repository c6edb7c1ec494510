"""The report's section on entropy profiles: Figures 1 and 7 to 9, and hypothesis H5."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from replication.core.findings import Findings
from replication.profiles.record import SAME_FUNCTION
from replication.profiles.report import figures as profile_figures
from replication.profiles.report.figures import named
from replication.profiles.settings import NETWORKS, Profiles
from replication.profiles.statistics.claims import by_weights
from replication.profiles.statistics.findings import hypotheses as decided
from replication.report import figures
from replication.report.drawing import Drawing, later
from replication.report.section import FigureEntry, Section, TableEntry, hypotheses, write_table
from replication.report.text import plain

TITLE = "Entropy profiles"
TABLES = {  # name -> title, note
    "beside-published": (
        "Figure 1 in numbers",
        "Section 4 on Figure 1 in words, and our numbers. Decay: fits to the layer means, lower AICc is better.",
    ),
    "vgg16-layers": (
        "VGG16, layer by layer",
        "Mean entropy change of each layer in nats; the same minus log sigma of the layer's weights; interquartile "
        "range; outliers' share. A box plot draws their number, and a late layer has up to 64 times as many filters as "
        "layer 2.",
    ),
    "weight-scale": (
        "H5: profile and weight scale",
        "mean_range: largest minus smallest layer mean; residual_range: the same after subtracting log sigma of each "
        "layer's weights; share: their ratio (C2 survives above 0.25); share_by_scale: where the shares of 90 % of "
        "networks of these shapes lie whose weights are normal, with each layer's sigma, and no more; residual: its "
        "mean (-0.635 for normal, -0.451 for uniform weights); slope, r2: layer mean against log sigma; r2_fan_in: "
        "against log fan-in; "
        "position_spread: largest difference between two filter positions, mean over layers. Of a layer of 4 to 16 "
        "filters (the U-Net's first and last) neither mean nor sigma says much.",
    ),
    "same-function": (
        "A profile is no property of the function (H7)",
        "Other weights that compute the same: rescaled, one factor a layer; pixels, a first layer for pixels of 0 to 1 "
        "in place of 0 to 255; folded, batch norms multiplied into the convolutions. Nats before and after the change, "
        "of the profile and of the one relative to each output's own weights; outputs_differ: the largest difference "
        "in shares of the largest output, in float64, on two images of Imagenette (VGG16: the last convolution's "
        "maps; ResNet: its probabilities) or two volumes of noise.",
    ),
    "relative": (
        "What is left relative to each output's own weights",
        "Layer means of log of the corner over the root mean square of all weights that make its output: neither one "
        "factor a layer nor a folded norm changes it. lowest, highest: of the layers; -0.635 for normal, -0.451 for "
        "uniform weights. value: the contrast that the paper is about, and with_scale the same of the profile itself.",
    ),
    "transposed": (
        "Transposed convolutions",
        "They stand beside C3's rule. Shapes as torch stores them, inputs first; the corner is that of this kernel. A "
        "transposed convolution's matrix is the transpose of the convolution's with the same kernel, so that the "
        "paper's completion gives it the same determinant.",
    ),
    "empirical": (
        "Layers that a profile singles out",
        "`selection.empirical`: layers whose mean lies more than one standard deviation above the mean of all layers' "
        "means. Of random weights it shows what Glorot's rule (fan-in plus fan-out) alone would pick.",
    ),
}
TRAINED = {"resnet50": ("imagenet", "open-nsfw"), "unet": ("trained", "platelet-unet")}  # what a figure shows first
WHAT = {  # what networks of another kind are, and what they are not
    "open-nsfw": "a ResNet-50 of half width that Yahoo trained for content moderation, as ONNX: its batch norms are "
    "folded into the convolutions, and its stem reads pixels of 0 to 255. It is not the paper's ResNet-50 of ImageNet",
    "platelet-unet": "a U-Net of five levels for volumes of platelets under the microscope, 3 x 3 x 3 filters with a "
    "norm behind each, and channel by channel transposed convolutions. It is not the paper's U-Net of COCO",
}
SAME = (  # panels of the figure of the same functions
    ("VGG16", ["imagenet", "imagenet-rescaled", "imagenet-pixels"]),
    ("ResNet-50, half width", ["open-nsfw", "open-nsfw-rescaled", "open-nsfw-pixels"]),
    ("3-D U-Net", ["platelet-unet", "platelet-unet-folded", "platelet-unet-rescaled"]),
)
NAMES = {"vgg16": "VGG16", "resnet50": "ResNet-50", "unet": "U-Net"}


def sections(parts: Sequence[Any], findings: Mapping[str, Findings], folder: Path, note: str) -> list[Section]:
    """Write figures and tables under `folder` and describe them."""
    (study,) = parts
    found = findings[study.name]
    about = " ".join(_about(study.scale, study.settings, network, found.table(network)) for network in NETWORKS)
    if not found.tables:
        return [Section(TITLE, about, note)]
    writer = _Writer(found, folder, note)
    about = "\n\n".join([about, *hypotheses(decided(findings), note)])
    return [Section(TITLE, about, note, writer.figures(), writer.tables())]


def _about(scale: str, settings: Profiles, network: str, layers: pd.DataFrame) -> str:
    """What is profiled of one network, and how to profile the rest."""
    chosen = settings[network]
    found = {kind: rows["source"].iloc[0] for kind, rows in by_weights(layers)}
    known = "; ".join(f"{named(kind)} ({plain(source)})" for kind, source in found.items()) or "no profile yet"
    text = f"**{NAMES[network]}** (`{chosen.network}`): {known}."
    text += "".join(f" `{kind}` is {what}." for kind, what in WHAT.items() if kind in found)
    if missing := [named(kind) for kind in chosen.weights if kind not in found and not kind.endswith(SAME_FUNCTION)]:
        command = f"python -m replication profiles {network} --scale {scale}"
        text += f" Missing: {', '.join(missing)}; `{command}` takes it when it can be had."
    if not set(chosen.weights) - {"random"}:
        text += " No trained weights are profiled at this scale."
    return text


@dataclass(frozen=True)
class _Writer:
    found: Findings
    folder: Path
    note: str  # above every figure: what keeps its numbers from being compared with the paper's

    @property
    def layers(self) -> dict[str, pd.DataFrame]:
        """Of the networks that have a profile."""
        return {network: self.found.table(network) for network in NETWORKS if len(self.found.table(network))}

    def figures(self) -> list[FigureEntry]:
        drawn = self.vgg16() if "vgg16" in self.layers else []
        for network, number in (("resnet50", 8), ("unet", 9)):
            if network in self.layers:
                title = f"Figure {number}: entropy change per filter, {NAMES[network]}"
                drawn.append(self.boxes(f"figure{number}", network, title))
        return [*drawn, *self.same_function(), self.weight_scale()]

    def vgg16(self) -> list[FigureEntry]:
        """Figure 1, and Figure 7 where there are weights for a second task."""
        title = "Figure 1: entropy change per filter, VGG16"
        drawn = [self.boxes("figure1", "vgg16", title, without="edges")]
        if "edges" in set(self.layers["vgg16"]["weights"]):
            title = "Figure 7: one architecture, two tasks, and random weights, VGG16"
            drawn.append(self.boxes("figure7", "vgg16", title))
        return drawn

    def boxes(self, figure: str, network: str, title: str, *, without: str = "") -> FigureEntry:
        """One of the paper's box plots. Args: without, a kind of weights to be left out."""
        layers = self.layers[network]
        kinds = [kind for kind in layers["weights"].unique() if kind != without]
        trained = next((kind for kind in TRAINED.get(network, ()) if kind in kinds), None)
        if f"{trained}-random" in kinds:
            kinds = [str(trained), f"{trained}-random"]
        scale = trained is not None
        printed = figure == "figure1" and "imagenet" in kinds
        caption = (
            "Log of the absolute corner weight of every filter slice, nats per filter and pixel. Boxes: quartiles, "
            "whiskers by Tukey's rule, dotted towards the farthest outlier, where the axis may cut it; red: means."
        )
        if scale:
            caption += " Black: log sigma of the layer's weights."
            if layers["pre_skip"].any():
                caption += " Green: convolutions before a skip connection."
        elif "random" in kinds:
            caption += (
                " Weights uniform on (-a, a) have mean log a - 1 (black line), standard deviation 1 and 4.8 % of "
                "outliers, all low, in every layer."
            )
        if printed:
            caption += " Dashed: the two numbers that the text prints of this figure."
        drawn = later(profile_figures.boxes, layers, kinds, printed=printed, scale=scale)
        return self.draw(f"{figure}-{network}", drawn, title, caption)

    def same_function(self) -> list[FigureEntry]:
        """Kinds of weights that compute the same, where there are any."""
        layers = self.found.table("means")
        groups = [
            (title, [kind for kind in kinds if kind in set(layers["weights"])])
            for title, kinds in SAME
            if len(layers) and kinds[1] in set(layers["weights"])
        ]
        if not groups:
            return []
        caption = (
            "Above: layer means of each network (thick) and of other weights that compute the same, outputs equal to "
            "rounding. Below: the same relative to each output's own weights, where the curves of a network lie on one "
            "another; grey: uniform weights, black: normal ones."
        )
        title = "A profile is no property of the function"
        return [self.draw("same-function", later(profile_figures.same_function, layers, groups), title, caption)]

    def weight_scale(self) -> FigureEntry:
        caption = (
            "H5: does the profile say more than weight scale? (a) Each point is a layer; on the lines the entropy "
            "change is log sigma plus a constant. (b) After subtracting log sigma, drawn over as many nats as (a). (c) "
            "The profile with each filter position in place of the corner."
        )
        everything = pd.concat(self.layers.values(), ignore_index=True)
        drawn = later(profile_figures.weight_scale, everything, self.found.table("vgg16"))
        return self.draw("h5-weight-scale", drawn, "H5: profile and weight scale", caption)

    def draw(self, name: str, figure: Drawing, title: str, caption: str) -> FigureEntry:
        return FigureEntry(title, figures.save(figure, self.folder, name, self.note), caption)

    def tables(self) -> list[TableEntry]:
        return [self.write(name, title, note) for name, (title, note) in TABLES.items() if name in self.found.tables]

    def write(self, name: str, title: str, note: str) -> TableEntry:
        return write_table(self.folder, f"profiles-{name}", title, self.found.table(name), note)
