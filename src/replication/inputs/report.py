"""The report's section on what the penalty touches: hypotheses H9 and H10."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from replication.core import paths
from replication.core.runs import Record, Run, of_grid, read_current
from replication.core.settings import INPUTS, Settings
from replication.inputs import claims, figures, grid, pairs, record, zeros
from replication.inputs.claims import EFFECT_LAMBDA
from replication.inputs.pairs import Arms
from replication.report.section import (
    FamilyWriter,
    FigureEntry,
    Section,
    TableEntry,
    count_range,
    hypothesis,
    runs_about,
    runs_metrics,
    undecided_by,
    write_table,
)

MNIST, CIFAR10 = INPUTS
SHOWN = {MNIST: (20, 60, 100, 260), CIFAR10: (260,)}  # widths in the picture
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


def section(settings: Settings, folder: Path, note: str) -> Section:
    """Write the section's figures and tables under `folder`. Needs the run tables and the record of inputs alone."""
    recorded = record.read(settings.scale)
    writers = [_Writer(settings, family, folder, note) for family in settings.inputs_grids]
    mnist = writers[0]
    verdicts = {"H9": claims.h9(mnist.runs), "H10": claims.h10(mnist.comparisons())}
    said = {name: undecided_by(note, verdict) for name, (verdict, _) in verdicts.items()}
    paragraphs = [
        hypothesis(name, [f"**{said[name].capitalize()}**: {evidence}."]) for name, (_, evidence) in verdicts.items()
    ]
    paragraphs += [f"`{writer.family}`: {writer.about()}" for writer in writers]
    tables = [table for writer in writers for table in writer.tables(recorded.get(writer.family, {}))]
    return Section(
        title="What the penalty touches (H9), and entropy or mere size (H10)",
        about="\n\n".join(paragraphs),
        note=note,
        figures=mnist.drawn(recorded),
        tables=tables + elsewhere(settings.scale, folder),
        metrics={"inputs-hypotheses": said}
        | {writer.family: runs_metrics(writer.records, len(writer.planned)) for writer in writers},
    )


def elsewhere(scale: str, folder: Path) -> list[TableEntry]:
    """What guided weights meet in the other experiments, where that is recorded."""
    table = zeros.read(scale)
    if table.empty:
        return []
    note = (
        "Shares, on real images: of the numbers that the guided weight of a filter (corner; beside it the centre) is "
        "multiplied with, how many are zero, padding among them; of all that enters the layer (whole); and of the "
        "guided weights, how many meet nothing but zeros (never). Of autoencoders: of the square part's inputs. "
        "untrained: Glorot-uniform weights, zero biases. A first layer meets the images, whatever its training. Made "
        f"by `python -m replication {zeros.NAME} --scale {scale}`."
    )
    return [write_table(folder, zeros.NAME, "How often a guided weight meets a zero", table, note)]


class _Writer(FamilyWriter):
    """One family's part of the section."""

    @cached_property
    def arms(self) -> Arms:
        return grid.arms(self.settings, self.family)

    @cached_property
    def planned(self) -> list[Run]:
        return grid.grid(self.settings, self.family)

    @cached_property
    def records(self) -> list[Record]:
        return of_grid(read_current(paths.table(self.settings.scale, self.family)), self.planned)

    @cached_property
    def runs(self) -> pd.DataFrame:
        return pairs.frame(self.arms, self.records)

    def about(self) -> str:
        return runs_about(self.settings.scale, self.family, self.records, len(self.planned))

    def comparisons(self, guided: str = pairs.VARIABLE) -> pd.DataFrame:
        if guided not in self.arms:
            return pd.DataFrame()
        return claims.comparisons(self.runs, claims.planned_values(self.arms), guided)

    def drawn(self, recorded: Mapping[str, Mapping[str, Any]]) -> list[FigureEntry]:
        found = [self.touched(recorded)] if recorded else []
        if len(self.runs):
            found += [self.differences(), self.trade()]
        return found

    def touched(self, recorded: Mapping[str, Mapping[str, Any]]) -> FigureEntry:
        names = {family: NAMES.get(used.dataset, used.dataset) for family, used in self.settings.inputs_grids.items()}
        views = [
            figures.view(f"{names[family]}, width {width}", recorded[family], width)
            for family in recorded
            for width in SHOWN[family]
        ]
        curves, counts = {}, []
        for width in sorted(set(self.runs["width"]))[:2]:
            by_arm = {arm: found for arm in FOUR if (found := self.curve(arm, width))}
            curves[f"{names[self.family]}, width {width}, lambda {EFFECT_LAMBDA:g}"] = by_arm
            counts += [len(found) for found in by_arm.values()]
        caption = (
            "Above: the mean training image, with the pixels that the paper's guided block reads in red. Below: the "
            "variance of the pixels, with the same in red and the most variable inputs, as many, in blue."
        )
        if counts:
            caption += (
                f" Right: validation MSE along training, log form, means over n = {count_range(pd.Series(counts))} "
                "seeds; nothing is stopped early."
            )
        figure = figures.touched(views, curves)
        return self.draw(figure, "touched", "Which inputs the penalty touches, and what that does", caption)

    def curve(self, arm: str, width: int) -> list[Record]:
        """The runs of an arm at the lambda at which H9 asks for an effect."""
        lambda_ = 0.0 if arm == pairs.UNGUIDED else EFFECT_LAMBDA
        planned = [run for run in self.arms.get(arm, ()) if (run["width"], run["lambda"]) == (width, lambda_)]
        return of_grid(self.records, planned)

    def differences(self) -> FigureEntry:
        cells = claims.cells(self.runs)
        caption = (
            f"Means over n = {count_range(cells['n'])} pairs with the unguided run of the same seed, log form (norm "
            "alone: the norm of the most variable block); bars: 95 % t-intervals with Bonferroni's correction over "
            f"{claims.H9_TESTS}. Grey: the 1 % within which H9 calls the paper's block without effect."
        )
        return self.draw(figures.differences(cells), "differences", "What guidance does to the MSE", caption)

    def trade(self) -> FigureEntry:
        means = claims.means(self.runs)
        caption = (
            f"Means over n = {count_range(means['n'])} seeds. Down and to the left is better. Numbers: lambda, or the "
            "factor by which the learning rate or the encoder's initial weights are multiplied."
        )
        return self.draw(figures.trade(means), "trade", "Sooner there, or better in the end", caption)

    def tables(self, recorded: dict[str, Any]) -> list[TableEntry]:
        frames = {
            "sources": record.sources_table(recorded) if recorded else pd.DataFrame(),
            "cells": claims.cells(self.runs),
            "means": claims.means(self.runs),
            **{f"against-{guided}": self.comparisons(guided) for guided in (pairs.VARIABLE, pairs.EXACT)},
        }
        return [self.table(name, frame) for name, frame in frames.items() if len(frame)]

    def table(self, name: str, frame: pd.DataFrame) -> TableEntry:
        title, note = TABLES[name]
        title = f"{title}, `{self.family}`"
        if name != "sources":
            return self.write(frame, name, title, note)
        made = f"Made by `python -m replication {record.NAME} --scale {self.settings.scale}`."
        return write_table(self.folder, f"{self.family}-{name}", title, frame, f"{note} {made}")
