"""The report's sections on the autoencoders: a family's figures and tables, and the words of the paper beside them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from replication.autoencoder import grid
from replication.autoencoder.report import hypotheses
from replication.autoencoder.settings import AutoencoderSettings
from replication.autoencoder.statistics import claims
from replication.core import published
from replication.core.findings import Findings
from replication.core.settings import role_of
from replication.report import figures
from replication.report.drawing import later
from replication.report.section import FamilyWriter, FigureEntry, Section, TableEntry, count_range, runs_about

MEASURES = {"validation_mse": "validation MSE", "stopping_epoch": "stopping epoch"}
FIGURES = {"mnist": (3, 4), "cifar10": (5, 6)}  # the paper's numbers, in the order of MEASURES


def sections(families: Sequence[Any], findings: Mapping[str, Findings], folder: Path, note: str) -> list[Section]:
    """Write figures and tables under `folder` and describe them: one section a family, and one on the hypotheses."""
    writers = [Writer(family, family.settings, findings[family.name], folder, note) for family in families]
    return [*(writer.section() for writer in writers), hypotheses.section(families, findings, folder, note)]


class Writer(FamilyWriter[AutoencoderSettings]):
    """One family's section."""

    def section(self) -> Section:
        runs, control = self.found.table("runs"), self.found.table("control")
        drawn, tables = [], []
        tables.append(self.beside_published())
        if len(runs):
            drawn = [self.figure(runs, value) for value in MEASURES]
            tables.append(self.summary("published", "Stopping epoch and MSE"))
            tables.append(self.pairwise())
        if len(control):
            tables.append(self.summary("control", "Control: early stopping watches the MSE alone"))
        if len(self.found.table("stopped-baseline")):
            tables.append(self.stopped_baseline())
        return Section(
            title=f"Family `{self.family.name}`",
            about=runs_about(self.family),
            note=self.note,
            figures=drawn,
            tables=tables + self.calibration(),
        )

    @property
    def tested_width(self) -> int:
        return int(self.found.facts["tested_width"])

    def beside_published(self) -> TableEntry:
        note = (
            f"Section 5.2 in words, and our mean over widths above {claims.ABOVE} and seeds that have all "
            "lambda of the row. A seed's mean over these lambda is one of n values: its runs differ in little else; "
            "the 95 % t-interval is from their spread within widths, which were not drawn by chance. Larger lambda: "
            f"{grid.LARGE_LAMBDA:g} and more."
        )
        table = self.found.table("beside-published")
        return self.write(table, "beside-published", "The published numbers and ours", note)

    def figure(self, runs: pd.DataFrame, value: str) -> FigureEntry:
        numbers = FIGURES[role_of(self.family.name)]
        label, number = MEASURES[value], dict(zip(MEASURES, numbers, strict=True))[value]
        pairwise = self.found.table("pairwise")
        tests = pairwise[pairwise["measure"] == value]
        words = [word for word in published.read(self.family.name) if word["value"] == value and "drawn" in word]
        marked = [] if self.note else [tuple(word["drawn"]) for word in words]  # not beside data of another kind
        figure = later(
            figures.curves_and_tests,
            runs,
            tests,
            value=value,
            label=label,
            test_width=self.tested_width,
            published=marked,
        )
        n = count_range(runs.groupby(["width", "lambda"]).size())
        caption = (
            f"{len(runs)} runs, n = {n} replicates a point; bars are 95 % t-intervals of the mean. Curves stand a "
            "little beside their width, so that none hides another."
        )
        if marked:
            caption += " Brown: what the paper prints for widths above 100."
        return self.draw(figure, f"figure{number}", f"Figure {number}: {label}", caption)

    def summary(self, kind: str, title: str) -> TableEntry:
        note = (
            "Means over n replicates with 95 % t-intervals (low, high). at_epoch_limit: runs that the epoch limit "
            "ended, not early stopping."
        )
        return self.write(self.found.table(kind), kind, title, note)

    def pairwise(self) -> TableEntry:
        note = (
            f"Pooled two-sample t-tests at width {self.tested_width}, n replicates a lambda, none that diverged. sign: "
            "+ where a is higher (p < 0.05), - where lower; sign_holm: the same after Holm's correction over all pairs."
        )
        title = f"Pairwise t-tests, width {self.tested_width}"
        return self.write(self.found.table("pairwise"), "pairwise", title, note)

    def stopped_baseline(self) -> TableEntry:
        note = (
            "Each guided run beside the unguided run of the same seed, read at the guided run's stopping epoch; means "
            "over n pairs, difference with its 95 % t-interval. Pairs whose unguided run had stopped before are left "
            "out."
        )
        return self.write(self.found.table("stopped-baseline"), "stopped-baseline", "Stopped baseline", note)

    def calibration(self) -> list[TableEntry]:
        records = self.family.calibration_records
        if not records:
            return []
        widths = ", ".join(str(width) for width in sorted({record["run"]["width"] for record in records}))
        note = (
            f"Unguided runs only, widths {widths}, compared with the published baseline (MSE near 0.003, stops after "
            "epoch 40, read as 40 to 60). Nearest first; last the settings with a run still improving at epoch "
            f"{records[0]['run']['max_epochs']} (capped), whose end is not known. n runs."
        )
        table = self.found.table("calibration")
        return [self.write(table, "calibration", "Calibration of the baseline", note, command="calibrate")]
