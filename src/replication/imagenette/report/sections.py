"""The report's section on VGG16 and ResNet-50: Table 2, and claims C9 and C10."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from replication.core.family import Family
from replication.core.findings import Findings
from replication.imagenette import grid
from replication.imagenette.rows import EMPIRICAL, PRE_SKIP
from replication.imagenette.settings import ImagenetteSettings
from replication.published_tables.report import figures as published_figures
from replication.report import figures
from replication.report.drawing import later
from replication.report.section import FigureEntry, Section, TableEntry, runs_about, write_table
from replication.report.text import plain

NAME = "table2"
BENCHMARK = "python tests/benchmarks/classifier_speed.py --threads 1 --batch 4 --write"


def sections(parts: Sequence[Any], findings: Mapping[str, Findings], folder: Path, note: str) -> list[Section]:
    """Write Table 2's figure and tables under `folder` and describe them."""
    families = [part for part in parts if isinstance(part, Family)]
    return [Writer(families, findings[NAME], folder, note).section()]


@dataclass(frozen=True)
class Writer:
    """Writes the section."""

    families: Sequence[Family[ImagenetteSettings]]
    found: Findings
    folder: Path
    note: str

    def section(self) -> Section:
        tables = [self.cells()]
        tables += [self.chance()] if "chance" in self.found.tables else []
        tables += [self.columns()] if "columns" in self.found.tables else []
        tables += [self.runs()] if "runs" in self.found.tables else []
        return Section(
            title="VGG16 and ResNet-50 on Imagenette (Table 2)",
            about="\n\n".join(self.about()),
            note=self.note,
            figures=[self.figure()] if "figure" in self.found.tables else [],
            tables=[*tables, *self.speed()],
        )

    def about(self) -> list[str]:
        said = [f"`{family.name}`: {runs_about(family)}" for family in self.families]
        if data := self.found.facts["data"]:
            said.append(f"Data: {plain('; '.join(data))}.")
        settings = [family.settings for family in self.families if family.settings is not None]
        return said + [text for one in settings if (text := layers(one))]

    def cells(self) -> TableEntry:
        images = self.found.facts["images"]
        measured = f" ({images} validation images)" if images else ""
        note = (
            "Best validation accuracy; columns: lambda. In each cell the published number; then ours with one binomial "
            f"standard error{measured} and n, the trainings behind it, or a dash where none "
            "was made. The training of the published rows is inferred from their order."
        )
        return self.write("cells", "Table 2, published and ours", note)

    def chance(self) -> TableEntry:
        note = (
            "The published column is the audit's. Ours: rows with every lambda of this scale. p: the chance of as many "
            "rows, or as large a gain, if lambda did nothing."
        )
        return self.write("chance", "Table 2: what choosing the best of a row makes of noise", note)

    def columns(self) -> TableEntry:
        note = (
            "Ours. Paired two-sided t-tests over rows against the lambda = 0 column; difference with its 95 % "
            "t-interval. The rows are independent: each has initial weights and batches of its own."
        )
        return self.write("columns", "Table 2: each lambda against the baseline", note)

    def runs(self) -> TableEntry:
        note = "Losses and penalty of the last epoch. Images per second: training alone, without validation."
        return self.write("runs", "All runs", note)

    def figure(self) -> FigureEntry:
        facts = self.found.facts
        figure = later(
            published_figures.table2,
            self.found.table("figure"),
            facts["lambdas"],
            facts["histogram"],
            facts["gain"],
            whose="ours",
        )
        caption = (
            "(a) Every guided cell minus the baseline of its row, with one binomial standard error; grey: the "
            "baseline's own; ringed: the best. (b) The mean of the best gains, and its distribution when any of a "
            "row's values could be the baseline's. The published numbers drawn the same way: Table 2 as published."
        )
        path = figures.save(figure, self.folder, f"{NAME}-classifiers", self.note)
        return FigureEntry("Table 2, ours: cells with their errors, and the gain that choosing makes", path, caption)

    def speed(self) -> list[TableEntry]:
        table = self.found.table("speed")
        if table.empty:
            return []
        note = (
            f"{table['hardware'].iloc[0]}, torch {table['torch'].iloc[0]}; Imagenette's images, medians over n turns. "
            "Reference: a DataLoader loop on the image files, as torchvision's. Times reference: median of the paired "
            "ratios of speed to it; step over unguided: of time to this trainer's unguided step. Share of bound: of "
            f"the arithmetic of forward and backward pass in what the device can do. Made by `{BENCHMARK}`."
        )
        shown = table.drop(columns=["hardware", "torch"]).rename(columns=lambda name: name.replace("_", " "))
        return [write_table(self.folder, f"{NAME}-speed", "Training speed at 224 pixels", shown, note)]

    def write(self, kind: str, title: str, note: str) -> TableEntry:
        return write_table(self.folder, f"{NAME}-{kind}", title, self.found.table(kind), note)


def layers(settings: ImagenetteSettings) -> str:
    """Which convolutions the rows named by a role guide, and how that is known."""
    parts = []
    for row in settings.grid.rows:
        if row not in (PRE_SKIP, EMPIRICAL):
            continue
        found = grid.guided_layers(settings, row)
        if found.numbers is None:
            parts.append(f"{row}: {found.source}")
        else:
            parts.append(f"{row}: {', '.join(map(str, found.numbers))} (from {found.source})")
    return f"Convolutions guided in {settings.network}, by number: {'; '.join(parts)}." if parts else ""
