"""The report's section on VGG16 and ResNet-50 with a part of their channels (H16)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from replication.core.findings import Findings
from replication.data.catalogue import known
from replication.narrow_classifiers.report import figures
from replication.narrow_classifiers.settings import NarrowSettings
from replication.narrow_classifiers.statistics.findings import decided
from replication.narrow_classifiers.statistics.rule import OUTCOMES
from replication.report.drawing import later
from replication.report.section import (
    FamilyWriter,
    FigureEntry,
    Section,
    TableEntry,
    hypotheses,
    runs_about,
    writers_of,
)
from replication.report.text import plain

DECIDING = next(iter(OUTCOMES))
PURPOSE = (
    "Table 2's networks are too large for a CPU. These have a part of the channels, small images and a fixed number of "
    "epochs, so that each training can be repeated with other seeds, which Table 2 lacks. They are no part of "
    "Table 2, and decide none of its claims."
)
TABLES = {
    "differences": (
        "Differences in accuracy of runs of one seed",
        "Guided less unguided, with 95 % t-intervals. Corrected: by Bonferroni's correction, over all networks and "
        "lambda, or for the mean over networks (both) over lambda. The best accuracy of a training decides.",
    ),
    "scatter": (
        "Scatter of the unguided trainings over seeds",
        "Standard deviation of n seeds at lambda 0 with its 95 % chi-square interval; both: pooled. Best: what the "
        "best of six trainings gains over a seventh in the mean, if seeds alone tell them apart.",
    ),
    "means": (
        "Accuracies by lambda",
        "Best validation accuracy, mean of n seeds with its 95 % t-interval; and the mean of the last five epochs.",
    ),
    "runs": ("All runs of the narrow networks", "Losses and penalty of the last epoch."),
}


def sections(parts: Sequence[Any], findings: Mapping[str, Findings], folder: Path, note: str) -> list[Section]:
    """Write figures and tables for the families that the scale has, and describe them: a section each."""
    return [
        Section(
            title=f"Table 2 at a size for a CPU (`{writer.family.name}`)",
            about="\n\n".join([*writer.about(), *hypotheses(decided({writer.family.name: writer.found}), note)]),
            note=note,
            figures=writer.figures(),
            tables=writer.tables(),
        )
        for writer in writers_of(_Writer, parts, findings, folder, note)
    ]


class _Writer(FamilyWriter[NarrowSettings]):
    """One family's section; what its findings lack is left out."""

    @property
    def size(self) -> str:
        """What keeps the numbers from being compared with the paper's."""
        about, grid = known(self.settings.grid.dataset), self.settings.grid
        pixels = f"{about.side} pixels, " if about else ""
        return f"{pixels}1/{grid.divisor} of the channels, {grid.epochs} epochs"

    def about(self) -> list[str]:
        said = [PURPOSE, f"{self.size}. {runs_about(self.family)}"]
        if data := self.found.facts["data"]:
            said.append(f"Data: {plain('; '.join(data))}.")
        return said

    def figures(self) -> list[FigureEntry]:
        runs, means = self.found.table("runs"), self.found.table("means")
        if runs.empty:
            return []
        differences = self.found.table("differences")
        if len(differences):
            differences = differences[differences["accuracy"] == DECIDING]
        caption = (
            f"Not comparable with Table 2: {self.size}. Dots: the best validation accuracy of a training; lines join "
            "the runs of a seed, bars are means. Last panel: paired differences with 95 % t-intervals, where there are "
            "two pairs; the band is the published gain, 2 to 3 %."
        )
        figure = later(figures.accuracies, runs, means, differences)
        return [self.draw(figure, "accuracies", "Seeds and lambda in narrow networks", caption)]

    def tables(self) -> list[TableEntry]:
        return [
            self.write(self.found.table(name).rename(columns=_words), name, title, note)
            for name, (title, note) in TABLES.items()
            if len(self.found.table(name))
        ]


def _words(column: str) -> str:
    return column.replace("_", " ")
