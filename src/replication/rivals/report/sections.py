"""The report's section on the rivals: hypotheses R1 to R8, and what the documents say beside what was found."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from replication.core import published
from replication.core.findings import Findings
from replication.core.runs import Record
from replication.report.drawing import later
from replication.report.section import (
    FamilyWriter,
    FigureEntry,
    Section,
    TableEntry,
    count_range,
    hypotheses,
    runs_about,
    write_table,
    writers_of,
)
from replication.rivals.grid import arms
from replication.rivals.record import IMAGES
from replication.rivals.report import figures
from replication.rivals.settings import UNGUIDED, WITHOUT_LAMBDA, RivalsSettings
from replication.rivals.statistics import feedback
from replication.rivals.statistics.findings import decided
from replication.rivals.statistics.frames import FIRST, by_arm

ALONG = {"unguided": 0.0, "penalty": 0.244, "smoothing": 0.1, "bottleneck": 0.001}  # arms and lambda along training
TABLES = {  # name -> title, note
    "arms": (
        "The rivals and their controls",
        "Means over n runs after the last epoch, on the validation images: accuracy, NLL and entropy (nats), ECE (15 "
        f"bins), Brier score; epochs to the best accuracy of the seed's unguided run within its first {FIRST} "
        "epochs (one more than there are where it is not reached), and CPU seconds of the steps to it; temperature "
        "that would calibrate it; accuracy on training images; kl: nats an image, a bound on what passes.",
    ),
    "against-unguided": (
        "Each arm less the unguided runs",
        "Means of paired differences, with 95 % t-intervals that are not corrected for their number.",
    ),
    "methods": (
        "Which is best (R4)",
        "Methods that have all seeds. value: the lambda with the lowest NLL on seeds 0 to 4; all else: seeds 5 to 9. "
        "p: two-sided paired t-test of NLL against the unguided runs, and with Holm's correction.",
    ),
    "widths": (
        "Data-processing inequalities by the width of the kernel",
        f"Shares of measurements (seed, epoch; {IMAGES} validation images) that keep an inequality to 0.01 bits, in "
        "networks of two and three blocks. untrained: epoch 0. about_input: I(X;T) falls from layer to layer; scaled: "
        "the same with the last block's outputs ten times as large; about_labels: I(T;Y); errors: of the gradients.",
    ),
    "maps": (
        "Redundancy and synergy of maps (R8)",
        "I(X;A) + I(X;B) - I(X;AB) in bits, means over 40 pairs of maps of the last block and n seeds, before and "
        f"after training; entropy: S(T) of all maps together, of at most log2({IMAGES}) = 7.",
    ),
    "feedback": (
        "Transfer-entropy feedback beside its placebos",
        "epochs: to the target, less the unguided run of the seed, means over n pairs with 95 % t-intervals. "
        "lost: share of the last layer's weights that the diagonal takes in an epoch; significant: share of pairs of "
        "classes and windows with p < 0.05; both means over epochs. The target is an unguided run's own best, which it "
        "reaches by definition: that speaks against every other arm, so compare these with one another.",
    ),
    "steps": (
        "What a step costs",
        "CPU milliseconds of one core a step, medians of n turns in which all forms alternate, and times an unguided "
        "one; measurement: seconds of one measurement of the layers; share: of all of them in the time of the steps "
        "(data/benchmarks/rivals-training.csv).",
    ),
    "cost": (
        "What the measurements cost",
        "Milliseconds of one core (data/benchmarks/rivals.csv): ours, and the same by one eigenvalue routine a map, or "
        "by loops over Python's integers.",
    ),
}
SPEEDS = ("steps", "cost")  # measured apart, the same for all families
ABOUT = (
    "Three systems that other documents recommend, on the smallest CNN of Table 1, under its protocol: a penalty on "
    "confidence, information by kernel matrices, and feedback of transfer entropy; beside them label smoothing, a "
    "variational bottleneck, weight decay and entropy guidance. All runs of a seed share initial weights and order of "
    "images (behind a bottleneck the convolutions alone). The feedback is the mechanism of its authors' code, with a "
    "window that slides and Adam in the place of SGD."
)


def sections(parts: Sequence[Any], findings: Mapping[str, Findings], folder: Path, note: str) -> list[Section]:
    """Write figures and tables for the families that the scale has, and describe them: one section."""
    writers = writers_of(_Writer, parts, findings, folder, note)
    if not writers:
        return []
    paragraphs = [ABOUT, *(f"`{writer.family.name}`: {runs_about(writer.family)}" for writer in writers)]
    return [
        Section(
            title="Three rivals under the same protocol (R1 to R8)",
            about="\n\n".join([*paragraphs, *hypotheses(decided(findings), note)]),
            note=note,
            figures=[figure for writer in writers for figure in writer.figures()],
            tables=[
                statements(folder),
                *(table for writer in writers for table in writer.tables()),
                *writers[0].speeds(),
            ],
        )
    ]


def statements(folder: Path) -> TableEntry:
    """What the documents say, beside what was found."""
    table = pd.DataFrame(published.read("rivals"))
    note = "From data/published/rivals.yaml. Code was read, not run."
    return write_table(folder, "rivals-statements", "What the documents say, and what code and runs show", table, note)


class _Writer(FamilyWriter[RivalsSettings]):
    """One family's part of the section; what its findings lack is left out."""

    @cached_property
    def named(self) -> dict[str, list[Record]]:
        """Records by arm, of arms that have some."""
        return {arm: found for arm, found in by_arm(arms(self.settings), self.family.records).items() if found}

    def figures(self) -> list[FigureEntry]:
        drawn = [self.forest(), self.along(), self.reliability(), self.plane(), self.widths(), self.maps()]
        return [figure for figure in [*drawn, self.feedback()] if figure is not None]

    def titled(self, title: str) -> str:
        return f"{title}, `{self.family.name}`"

    def forest(self) -> FigureEntry | None:
        cells = self.found.table("against-unguided")
        if cells.empty:
            return None
        without_lambda = sorted(name for name, arm in self.settings.arms.items() if arm.form in WITHOUT_LAMBDA)
        caption = (
            f"Paired differences to the unguided run of the seed, means over n = {count_range(cells['n'])} pairs with "
            "95 % t-intervals, not corrected for their number (open points: one pair, no interval). Lower is better, "
            "but for accuracy. The unguided run reaches the target, its own best of ten epochs, by definition: that "
            "speaks against every arm alike."
        )
        return self.draw(
            later(figures.forest, cells, without_lambda),
            "forest",
            self.titled("Every arm beside the unguided runs"),
            caption,
        )

    def along(self) -> FigureEntry | None:
        chosen = {
            arm: [record for record in self.named.get(arm, ()) if record["run"]["lambda"] == lambda_]
            for arm, lambda_ in ALONG.items()
        }
        if not chosen[UNGUIDED]:
            return None
        named = {f"{arm} {ALONG[arm]:g}" if ALONG[arm] else arm: found for arm, found in chosen.items() if found}
        caption = "Means over n runs on the validation images; chosen lambda, of penalty and smoothing a matched pair."
        return self.draw(later(figures.along, named), "along", self.titled("Along training (R5)"), caption)

    def reliability(self) -> FigureEntry | None:
        bins = self.found.table("reliability")
        if bins.empty:
            return None
        caption = (
            "Accuracy of the predicted class in 15 bins of its probability, all runs of an arm and lambda together. "
            "Below the dotted line a network is surer than it is right."
        )
        return self.draw(later(figures.reliability, bins), "reliability", self.titled("Reliability diagram"), caption)

    def plane(self) -> FigureEntry | None:
        points = self.found.table("plane")
        points = (
            points[(points["split"] == "validation") & ~points["layer"].str.contains(" x ")] if len(points) else points
        )
        if points.empty:
            return None
        epochs = ", ".join(map(str, sorted(points["epoch"].unique())))
        caption = (
            f"Matrix-based Rényi information of {IMAGES} validation images (no value exceeds 7 bits), at four rules "
            f"for the kernel's width; means over n = {count_range(points['n'])} seeds. Points: epochs {epochs}, later "
            "ones larger."
        )
        return self.draw(later(figures.plane, points), "plane", self.titled("Information plane"), caption)

    def widths(self) -> FigureEntry | None:
        shares = self.found.table("widths")
        if shares.empty:
            return None
        caption = (
            "Untrained networks beside trained ones, at four rules for the kernel's width; n: measurements. Dashed: "
            "the 95 % that R2 asks for."
        )
        title = self.titled("Width study: who keeps a data-processing inequality")
        return self.draw(later(figures.width_study, shares), "widths", title, caption)

    def maps(self) -> FigureEntry | None:
        table = self.found.table("maps")
        if table.empty:
            return None
        caption = (
            f"Redundancy less synergy of pairs of maps about the image, means over n = {count_range(table['n'])} seeds."
        )
        return self.draw(later(figures.maps, table), "maps", self.titled("Redundancy of maps (R8)"), caption)

    def feedback(self) -> FigureEntry | None:
        cells = self.found.table("feedback")
        if cells.empty:
            return None
        named = {arm: self.named[arm] for arm in feedback.ARMS if arm in self.named}
        caption = (
            "te: the feedback; te-gradient: the same on the gradient; te-permuted and te-diagonal: placebos without "
            "transfer entropy; shrink: weights that lose a fixed share. (a) 95 % t-intervals where n > 1. (b) means at "
            "the last epoch. (c) what the diagonal of the feedback takes from the last layer's weights in an epoch (of "
            "the gradient for te-gradient)."
        )
        title = self.titled("Transfer entropy beside its placebos (R3)")
        return self.draw(later(figures.feedback, cells, named), "feedback", title, caption)

    def tables(self) -> list[TableEntry]:
        own = [name for name in TABLES if name not in SPEEDS]
        return [self.table(name) for name in own if len(self.found.table(name))]

    def speeds(self) -> list[TableEntry]:
        return [self.table(name) for name in SPEEDS if len(self.found.table(name))]

    def table(self, name: str) -> TableEntry:
        title, note = TABLES[name]
        if name in SPEEDS:
            return write_table(self.folder, f"rivals-{name}", title, self.found.table(name), note)
        return self.write(self.found.table(name), name, self.titled(title), note)
