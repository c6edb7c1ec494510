"""What one section of the report holds. Each module beside this one writes the sections of one kind of experiment."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import pandas as pd

from replication.core import published
from replication.core.family import Family
from replication.core.files import write_text
from replication.core.findings import Findings
from replication.core.made_apart import made_apart
from replication.core.provenance import recorded
from replication.core.runs import Record
from replication.core.verdict import Hypothesis
from replication.report import figures
from replication.report.drawing import Drawing
from replication.report.text import folded, plain

S = TypeVar("S")
W = TypeVar("W", bound="FamilyWriter[Any]")


@dataclass(frozen=True)
class FigureEntry:
    title: str
    path: Path  # the PNG; an SVG lies beside it
    caption: str


@dataclass(frozen=True)
class TableEntry:
    title: str
    path: Path
    frame: pd.DataFrame
    note: str


@dataclass(frozen=True)
class Section:
    """One section of the report, in the order in which it is printed."""

    title: str
    about: str  # markdown: what was run, what is missing, and the command that makes it
    note: str = ""  # printed at every figure and table when the data are a stand-in; verdicts then decide nothing
    figures: list[FigureEntry] = field(default_factory=list)
    tables: list[TableEntry] = field(default_factory=list)


def write_table(folder: Path, name: str, title: str, table: pd.DataFrame, note: str) -> TableEntry:
    """Write FOLDER/tables/NAME.csv and describe it."""
    path = folder / "tables" / f"{name}.csv"
    write_text(path, table.to_csv(index=False, float_format="%.6g"))
    return TableEntry(title, path, table, note)


@dataclass(frozen=True)
class FamilyWriter(Generic[S]):
    """Writes what a section shows of one family of runs."""

    family: Family[S]
    settings: S
    found: Findings
    folder: Path
    note: str  # above every figure: what keeps its numbers from being compared with the paper's

    def write(self, table: pd.DataFrame, kind: str, title: str, note: str, *, command: str = "sweep") -> TableEntry:
        """FOLDER/tables/FAMILY-KIND.csv. Args: command, the one that makes the table's runs."""
        made = made_by(self.family.scale, self.family.name, command)
        return write_table(self.folder, f"{self.family.name}-{kind}", title, table, f"{note} {made}")

    def draw(self, figure: Drawing, kind: str, title: str, caption: str) -> FigureEntry:
        """FOLDER/figures/KIND-FAMILY, PNG and SVG."""
        path = figures.save(figure, self.folder, f"{kind}-{self.family.name}", self.note)
        return FigureEntry(title, path, caption)


def writers_of(
    writer: type[W], parts: Sequence[Any], findings: Mapping[str, Findings], folder: Path, note: str
) -> list[W]:
    """A writer for each family that the scale has."""
    return [
        writer(part, part.settings, findings[part.name], folder, note)
        for part in parts
        if isinstance(part, Family) and part.settings is not None
    ]


def made_by(scale: str, family: str, command: str = "sweep") -> str:
    """The end of the note of a table of runs: the command that makes them."""
    return f"Runs made by `python -m replication {command} --scale {scale} --family {family}`."


def count_range(counts: pd.Series) -> str:
    """Of how many: "5", or "5 to 10"."""
    low, high = counts.min(), counts.max()
    return f"{low}" if low == high else f"{low} to {high}"


def hypotheses(found: Sequence[Hypothesis], note: str) -> list[str]:
    """Paragraphs on some of hypotheses.yaml: what each says, what was found (a line a family), and its rule, folded.

    Where a hypothesis has a source or a control, these too.
    """
    names = list(dict.fromkeys(hypothesis.name for hypothesis in found))
    return [_hypothesis([hypothesis for hypothesis in found if hypothesis.name == name], note) for name in names]


def _hypothesis(found: Sequence[Hypothesis], note: str) -> str:
    (entry,) = (entry for entry in published.read("hypotheses") if entry["id"] == found[0].name)
    rule, since = entry["rule"], ""
    if "amended" in entry:
        rule, since = f"{rule}\n\nAmended: {entry['amended']}", ", amended since"
    lines = "\n".join(_found(one, note) for one in found)
    asked = f"\n\nControl: {entry['control_question']}" if "control_question" in entry else ""
    source = f" Source: {entry['source']}" if "source" in entry else ""
    said = f"**{found[0].name}.** {entry['hypothesis']}{source}{asked}\n\n{lines}"
    if asked:
        rule = f"{rule}\n\nThe control: survives if {entry['survives_if']}"
    return said + "\n\n" + folded(rule, f"The rule, written {entry['written']}{since}")


def _found(one: Hypothesis, note: str) -> str:
    """A line on what the runs of a family say."""
    line = f"- **{undecided_by(note, one.verdict).capitalize()}**{on(one.family)}: {one.evidence}."
    if one.control and not note:
        line += f" Control: **{one.control}**" + (f", {one.control_evidence}." if one.control_evidence else ".")
    return line


def on(family: str) -> str:
    """Whose runs a hypothesis was decided on, where it names a family."""
    return f" on `{family}`" if family else ""


def undecided_by(note: str, verdict: str) -> str:
    """The verdict on a hypothesis; stand-in data decide nothing."""
    return f"not tested ({note})" if note else verdict


def runs_about(family: Family[Any]) -> str:
    """How much of a family's grid exists, where it was trained, how to train the rest, and how its pairs were made."""
    records, planned = family.records, family.planned
    text = f"{len(records)} of the {planned} runs of this scale's grid exist"
    if records:
        made = [record["environment"] for record in records]
        devices = plain("; ".join(sorted({f"{recorded(e, 'device')}, torch {recorded(e, 'torch')}" for e in made})))
        text += f", {_time(sum(record['seconds'] for record in records))} of training in all, on {devices}"
    text += "."
    if lost := sum(map(diverged, records)):
        whom = "All of them" if lost == len(records) else f"{lost} of them"
        text += f" **{whom} diverged**: numbers of their last epoch are not finite."
    if len(records) < planned:
        command = f"python -m replication sweep --scale {family.scale} --family {family.name}"
        text += f" What is missing is not tested. `{command}` trains it."
    pairs = made_apart(records)
    return f"{text} {pairs}" if pairs.number else text


def diverged(record: Record) -> bool:
    """Whether a history of a run ends with a number that is not finite."""
    return any(values and not math.isfinite(values[-1]) for values in record["history"].values())


def _time(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 6000 else f"{seconds / 3600:.1f} hours"
