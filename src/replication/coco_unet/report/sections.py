"""The report's sections on the U-Nets: Table 3, Figure 10, and claim C11."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from replication.coco_unet.report import figures
from replication.coco_unet.settings import UNetSettings
from replication.coco_unet.statistics import claims
from replication.core import published
from replication.core.findings import Findings
from replication.core.runs import Record
from replication.report.drawing import later
from replication.report.section import FamilyWriter, FigureEntry, Section, TableEntry, runs_about
from replication.report.text import plain

SAMPLE = "-sample"  # how the name of a family ends that is trained on a part of the data


def sections(families: Sequence[Any], findings: Mapping[str, Findings], folder: Path, note: str) -> list[Section]:
    """Write figures and tables under `folder` and describe them: a section for each family of this scale."""
    return [
        Writer(family, family.settings, findings[family.name], folder, _note(family.settings, note)).section()
        for family in families
        if family.settings is not None
    ]


def _note(settings: UNetSettings, stand_in: str) -> str:
    """Printed at every figure and table: what keeps the numbers from being compared with the paper's."""
    if stand_in or not settings.family.endswith(SAMPLE):
        return stand_in
    grid = settings.grid
    _, train, validation = grid.dataset.rsplit("-", 2)
    return f"a sample of {train} + {validation} images, {grid.widths[0]} to {grid.widths[-1]} filters"


class Writer(FamilyWriter[UNetSettings]):
    """One family's section."""

    def section(self) -> Section:
        records = self.family.records
        about = [runs_about(self.family)]
        drawn: list[FigureEntry] = []
        tables: list[TableEntry] = []
        baseline = claims.unguided(records)
        if baseline is not None:
            about += self.words()
            tables = [self.table3(), self.gains()]
            drawn = [self.figure10(records, baseline)] if baseline["shown"] else []  # few images may have none to show
            drawn.append(self.histories(records))
        data = "a sample of COCO" if self.family.name.endswith(SAMPLE) else "COCO"
        return Section(
            title=f"U-Net on {data} (`{self.family.name}`)",
            about="\n\n".join(about),
            note=self.note,
            figures=drawn,
            tables=tables,
        )

    def words(self) -> list[str]:
        facts = self.found.facts
        trivial = facts["trivial"]
        return [
            f'Data: {plain("; ".join(facts["data"]))}. Without any network, "no object anywhere" has an accuracy of '
            f'{trivial["accuracy"]:.3f}, and "object everywhere" an IoU of {trivial["iou"]:.3f}.',
            "Early stopping on the total goes on as long as the penalty falls by more than the minimum change, "
            "whatever the error does: runs at different lambda may end after very different numbers of epochs.",
            self.timing(),
        ]

    def timing(self) -> str:
        """Published and own seconds per epoch: how much of a difference in time is the clock's."""
        theirs, ours = (self.found.facts[f"seconds_per_epoch{whose}"] for whose in ("_published", ""))
        text = (
            f"Time: the published seconds per epoch range from {min(theirs):.0f} to {max(theirs):.0f} "
            f"({max(theirs) / min(theirs):.2f} times) though every epoch does the same work"
        )
        if len(ours) > 1:
            text += f"; ours from {min(ours):.4g} to {max(ours):.4g} ({max(ours) / min(ours):.2f} times)"
        return text + ". Seconds therefore say little of guidance; epochs are what C11 is decided on."

    def table3(self) -> TableEntry:
        watched = {"total": "total", "base": "MSE alone"}[self.settings.training.monitor]
        note = (
            f"Layers {self.settings.grid.placement}, early stopping on the {watched}, one run a lambda. Accuracy and "
            "IoU at a threshold of 0.5 over all validation pixels together, after the last epoch; 95 % bootstrap "
            "intervals over validation images, which leave out how much one training differs from the next. Image IoU: "
            "the mean of every image's own. The paper does not say which IoU it prints."
        )
        return self.write(self.found.table("table3"), "table3", "Table 3, published and ours", note)

    def gains(self) -> TableEntry:
        note = (
            "Every run against the unguided one of seed 0, which the guided ones share: gains with paired 95 % "
            "bootstrap intervals over validation images. Equal epochs: both read after the last epoch that both had; "
            "the other gains also hold what more or fewer epochs do. Unguided runs of other seeds show what a change "
            "of seed alone does. Watched: total has the penalty in what early stopping watches, base the MSE alone. "
            "Whether too large a lambda slows convergence (C12) is decided on the autoencoders; these epochs are more "
            "evidence."
        )
        return self.write(self.found.table("gains"), "gains", "All runs against the unguided one", note)

    def figure10(self, records: list[Record], baseline: Record) -> FigureEntry:
        found = self.by_lambda(records, self.settings.training.monitor).values()
        guided = [record for record in found if record["run"]["lambda"] != 0]
        figure = later(figures.masks, baseline, guided)
        ids = ", ".join(str(entry["id"]) for entry in baseline["shown"])
        caption = (
            "Masks at a threshold of 0.5, white is object. The images are the first of the validation split, by "
            f"number, whose licence allows passing them on and whose objects cover 10 to 90 % (numbers {ids}): a rule, "
            "not a choice by eye. Each run after its last epoch: "
            + ", ".join(
                f"{r['metrics']['stopping_epoch']} (lambda {r['run']['lambda']:g})" for r in [baseline, *guided]
            )
            + "."
        )
        return self.draw(figure, "figure10", "Figure 10: masks without and with guidance", caption)

    def histories(self, records: list[Record]) -> FigureEntry:
        curves = {
            f"early stopping on {'the total' if monitor == 'total' else 'the MSE alone'}": found
            for monitor in ("total", "base")
            if len(found := self.by_lambda(records, monitor)) > 1
        } or {"no guidance": self.by_lambda(records, "base")}
        figure = later(figures.histories, curves, published.table(3))
        caption = (
            "Validation MSE after every epoch; a dot where early stopping ended training, a ring where the limit of "
            f"{records[0]['run']['max_epochs']} epochs did. Marks on the axis: the published numbers of "
            "epochs, black without guidance."
        )
        return self.draw(figure, "histories", "Convergence of the U-Nets", caption)

    def by_lambda(self, records: list[Record], monitor: str) -> dict[float, Record]:
        """The runs of Table 3, with early stopping on one of the two."""
        runs = claims.of_protocol(self.found.table("runs"), self.settings.grid.placement, monitor)
        by_key = {record["key"]: record for record in records}
        return {by_key[key]["run"]["lambda"]: by_key[key] for key in runs["key"]}
