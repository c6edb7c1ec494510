"""The report's section on what the penalty touches: hypotheses H9 and H10."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from replication.core.findings import Findings
from replication.core.runs import Record, of_grid
from replication.core.settings import role_of
from replication.inputs import record
from replication.inputs.grid import arms
from replication.inputs.report import figures
from replication.inputs.settings import InputsSettings
from replication.inputs.statistics import claims, pairs
from replication.inputs.statistics.claims import EFFECT_LAMBDA
from replication.inputs.statistics.findings import decided
from replication.inputs.statistics.pairs import Arms
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

SHOWN = {"mnist": (20, 60, 100, 260), "cifar10": (260,)}  # widths in the picture, by the role of the data set
NAMES = {"mnist": "MNIST", "cifar10": "CIFAR-10"}  # of data sets; stand-ins have their own
FOUR = (pairs.UNGUIDED, pairs.LEADING, pairs.VARIABLE, pairs.NORM)  # arms of the picture
TABLES = {  # name -> title, note
    "sources": (
        "Where the change of log|det W_sq| comes from",
        "The leading block, log form. Guided inputs by how many training images light them (rare: fewer than 0.1 %). "
        "alone: nats that log|det W_sq| loses when the columns of the group get their initial values back after "
        "training; in_turn: the same when the groups above have them back already, which adds up to the whole change, "
        "and share of it. identical: the training, made again for this, repeats the recorded one bit for bit.",
    ),
    "cells": (
        "Differences in MSE",
        "MSE against that of the unguided run of the same seed, percent: means over n pairs; low, high: 95 % "
        f"t-intervals with Bonferroni's correction over {claims.H9_TESTS}. value: lambda, or the factor by which the "
        "learning rate or the encoder's initial weights are multiplied.",
    ),
    "means": (
        "Sooner there, or better in the end",
        "Means over n seeds: epochs to the MSE that the unguided run of the seed has at half of its epochs (one more "
        "than there are if it is not reached), and MSE in the end.",
    ),
    f"against-{pairs.VARIABLE}": (
        "Guidance of the most variable inputs, and what else does as much (H10)",
        "Chosen on seeds 0 to 4 for each measure, compared on n others: guidance at lambda, and the control at value "
        "(lambda, or a factor). difference: guidance less control; low, high: 95 % t-intervals with Bonferroni's "
        f"correction over {claims.H10_TESTS}. complete: no planned value of the control is missing.",
    ),
    f"against-{pairs.EXACT}": (
        "The exact form, and what else does as much",
        "As the table above, without a part in the verdict; a penalty on the norm of all weights is H4-scale's.",
    ),
}


def sections(parts: Sequence[Any], findings: Mapping[str, Findings], folder: Path, note: str) -> list[Section]:
    """Write figures and tables for the families that the scale has, and describe them: one section."""
    writers = writers_of(_Writer, parts, findings, folder, note)
    if not writers:
        return []
    paragraphs = hypotheses(decided(findings), note)
    paragraphs += [f"`{writer.family.name}`: {runs_about(writer.family)}" for writer in writers]
    return [
        Section(
            title="What the penalty touches (H9), and entropy or mere size (H10)",
            about="\n\n".join(paragraphs),
            note=note,
            figures=[*touched(writers), *writers[0].figures()],
            tables=[table for writer in writers for table in writer.tables()],
        )
    ]


def touched(writers: "Sequence[_Writer]") -> list[FigureEntry]:
    """The picture of all data sets, with the first one's training curves beside it."""
    first, recorded = writers[0], record.read(writers[0].family.scale)
    views = [
        figures.view(f"{writer.images}, width {width}", recorded[writer.family.name], width)
        for writer in writers
        if writer.family.name in recorded
        for width in SHOWN[role_of(writer.family.name)]
    ]
    if not views:
        return []
    widths = sorted(set(first.found.table("runs").get("width", [])))[:2]
    curves = {f"{first.images}, width {width}, lambda {EFFECT_LAMBDA:g}": first.curves(width) for width in widths}
    caption = (
        "Above: the mean training image, with the pixels that the paper's guided block reads in red. Below: the "
        "variance of the pixels, with the same in red and the most variable inputs, as many, in blue."
    )
    if counts := [len(found) for by_arm in curves.values() for found in by_arm.values()]:
        caption += (
            f" Right: validation MSE along training, log form, means over n = {count_range(pd.Series(counts))} "
            "seeds; nothing is stopped early."
        )
    title = "Which inputs the penalty touches, and what that does"
    return [first.draw(later(figures.touched, views, curves), "touched", title, caption)]


class _Writer(FamilyWriter[InputsSettings]):
    """One family's part of the section."""

    @cached_property
    def arms(self) -> Arms:
        return arms(self.settings)

    @property
    def images(self) -> str:
        """The data set's name for the reader."""
        return NAMES.get(self.settings.grid.dataset, self.settings.grid.dataset)

    def curves(self, width: int) -> dict[str, list[Record]]:
        """The runs of the picture's arms at the lambda at which H9 asks for an effect, where there are any."""
        found = {}
        for arm in FOUR:
            lambda_ = 0.0 if arm == pairs.UNGUIDED else EFFECT_LAMBDA
            planned = [run for run in self.arms.get(arm, ()) if (run["width"], run["lambda"]) == (width, lambda_)]
            if records := of_grid(self.family.records, planned):
                found[arm] = records
        return found

    def figures(self) -> list[FigureEntry]:
        if self.found.table("runs").empty:
            return []
        guided = len(figures.of_blocks(self.found.table("cells")))  # none where `lambda` has no value of an arm
        return [self.differences(), self.trade()] if guided else [self.trade()]

    def differences(self) -> FigureEntry:
        cells = self.found.table("cells")
        caption = (
            f"Means over n = {count_range(cells['n'])} pairs with the unguided run of the same seed, log form (norm "
            "alone: the norm of the most variable block); bars: 95 % t-intervals with Bonferroni's correction over "
            f"{claims.H9_TESTS}. Grey: the 1 % within which H9 calls the paper's block without effect."
        )
        return self.draw(later(figures.differences, cells), "differences", "What guidance does to the MSE", caption)

    def trade(self) -> FigureEntry:
        means = self.found.table("means")
        caption = (
            f"Means over n = {count_range(means['n'])} seeds. Down and to the left is better. Numbers: lambda, or the "
            "factor by which the learning rate or the encoder's initial weights are multiplied."
        )
        return self.draw(later(figures.trade, means), "trade", "Sooner there, or better in the end", caption)

    def tables(self) -> list[TableEntry]:
        return [self.table(name) for name in TABLES if len(self.found.table(name))]

    def table(self, name: str) -> TableEntry:
        title, note = TABLES[name]
        title, table = f"{title}, `{self.family.name}`", self.found.table(name)
        if name != "sources":
            return self.write(table, name, title, note)
        made = f"Made by `python -m replication {record.NAME} --scale {self.family.scale}`."
        return write_table(self.folder, f"{self.family.name}-{name}", title, table, f"{note} {made}")
