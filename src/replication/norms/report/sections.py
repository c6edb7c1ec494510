"""The report's section on guidance before a batch norm (H8): the analysis, and the runs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from replication.core.findings import Findings
from replication.norms.report import figures
from replication.norms.settings import NormsSettings
from replication.norms.statistics.findings import decided
from replication.report.drawing import later
from replication.report.section import (
    FamilyWriter,
    FigureEntry,
    Section,
    TableEntry,
    count_range,
    hypotheses,
    runs_about,
    writers_of,
)

TITLE = "Guidance before a batch norm (H8)"
ANALYSIS = (
    "All of ResNet-50's convolutions stand before a batch norm, which divides the scale of each filter w out. "
    "Therefore no output changes with its length |w|, and the gradient g of the loss is perpendicular to w and goes "
    "like 1 / |w|: a step of gradient descent turns w by (learning rate) |g| / |w|, which goes like 1 / |w|^2.",
    "**Where guidance is a learning rate.** If a penalty rises by scale alone, as the log form of the filter's length "
    "does, then its gradient lies along w. It makes w longer, no output changes, and the learning rate of that filter "
    "falls like 1 / |w|^2. The same training results without a penalty, with "
    "steps that are shorter by as much; `scale` and `rate` below are this pair, equal in exact arithmetic but for "
    "the norm's epsilon.",
    "**Where it is not.** log|c11| of a single corner has the same part along w, one for each input, but also a part "
    "across it, which turns the filter towards its corner. That part is not divided out: `guided` less `scale` is its "
    "effect.",
)
TABLES = {
    "arms": (
        "Guidance before a norm, and its placebos",
        "Means over n runs after the last epoch: accuracy and loss on the validation images; corner: mean log|c11| of "
        "the guided filters; growth: by how many nats they have become longer. scale: of the penalty's gradient what "
        "changes a filter's length; rate: no penalty, steps as much shorter.",
    ),
    "differences": (
        "Paired differences in accuracy",
        "Of runs of one seed, with 95 % t-intervals, by Bonferroni's correction where H8 goes by them.",
    ),
}


def sections(parts: Sequence[Any], findings: Mapping[str, Findings], folder: Path, note: str) -> list[Section]:
    """Write figures and tables for the families that the scale has, and describe them: one section."""
    writers = writers_of(_Writer, parts, findings, folder, note)
    if not writers:
        return []
    about = [*ANALYSIS, *(f"`{writer.family.name}`: {runs_about(writer.family)}" for writer in writers)]
    return [
        Section(
            TITLE,
            about="\n\n".join([*about, *hypotheses(decided(findings), note)]),
            note=note,
            figures=[figure for writer in writers for figure in writer.figures()],
            tables=[table for writer in writers for table in writer.tables()],
        )
    ]


class _Writer(FamilyWriter[NormsSettings]):
    """One family's part of the section; what its findings lack is left out."""

    def figures(self) -> list[FigureEntry]:
        along, differences = self.found.table("along"), self.found.table("differences")
        if along.empty:
            return []
        caption = (
            f"Means over n = {count_range(along['n'])} runs; dashes tell the lambda. Grey in (c): plus and minus 0.01, "
            "H8's margin; lines: 95 % t-intervals, where there is more than one pair."
        )
        title = f"Guidance before a norm and its placebos, `{self.family.name}`"
        return [self.draw(later(figures.arms, along, differences), "arms", title, caption)]

    def tables(self) -> list[TableEntry]:
        return [
            self.write(self.found.table(name), name, f"{title}, `{self.family.name}`", note)
            for name, (title, note) in TABLES.items()
            if len(self.found.table(name))
        ]
