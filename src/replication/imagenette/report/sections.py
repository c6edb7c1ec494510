"""The report's section on VGG16 and ResNet-50: Table 2, and claims C9 and C10."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from replication.core import paths, published
from replication.core.runs import Record, of_grid, read_current
from replication.core.settings import CLASSIFIERS, Settings
from replication.imagenette import grid as classifiers
from replication.imagenette.grid import BASELINE
from replication.imagenette.statistics import claims as classifiers_claims
from replication.published_tables import audit as published_audit
from replication.published_tables.report import figures as published_audit_figures
from replication.report import figures
from replication.report.section import (
    FigureEntry,
    Section,
    TableEntry,
    measurements,
    runs_about,
    runs_metrics,
    write_table,
)
from replication.statistics import selection_effects

NAME = "table2"
BENCHMARK = "python tests/benchmarks/classifier_speed.py --threads 1 --batch 4 --write"


def section(settings: Settings, folder: Path, note: str) -> Section:
    """Write Table 2's figure and tables under `folder`. Needs the run tables alone."""
    return _Writer(settings, folder, note).section()


@dataclass(frozen=True)
class _Writer:
    settings: Settings
    folder: Path
    note: str

    def section(self) -> Section:
        records = {family: self.records(family) for family in CLASSIFIERS}
        runs = classifiers.frame(record for found in records.values() for record in found)
        printed = published.table(2)
        theirs = published_audit.published_cells(printed)
        ours = classifiers_claims.in_order(classifiers_claims.cells(runs), theirs) if len(runs) else theirs.iloc[:0]
        tables = [self.table2(ours, theirs, runs)]
        drawn: list[FigureEntry] = []
        whole = classifiers_claims.complete(ours)
        if len(whole):
            whole = whole[[BASELINE, *whole.columns.drop(BASELINE)]]  # first, though another lambda be negative
            found = published_audit.by_choice(whole)
            tables += [self.chance(found, published_audit.by_choice(theirs))]
            tables += [self.columns(whole)] if len(whole) > 1 else []
            drawn = [self.figure(whole, found, runs)]
        if len(runs):
            tables.append(self.runs(runs))
        return Section(
            title="VGG16 and ResNet-50 on Imagenette (Table 2)",
            about="\n\n".join(self.about(records)),
            note=self.note,
            figures=drawn,
            tables=[*tables, *self.speed()],
            verdicts={
                "C9": classifiers_claims.c9(runs, printed),
                "C10": classifiers_claims.c10(runs, printed),
            },
            metrics={
                family: runs_metrics(found, classifiers.planned(self.settings, family))
                for family, found in records.items()
            },
        )

    def records(self, family: str) -> list[Record]:
        table = read_current(paths.table(self.settings.scale, family))
        return of_grid(table, classifiers.grid(self.settings, family))

    def about(self, records: dict[str, list[Record]]) -> list[str]:
        said = []
        for family, found in records.items():
            planned = classifiers.planned(self.settings, family)
            said.append(f"`{family}`: {runs_about(self.settings.scale, family, found, planned)}")
        data = sorted({record["environment"]["data"] for found in records.values() for record in found})
        if data:
            said.append(f"Data: {'; '.join(data)}.")
        said += [text for family in CLASSIFIERS if (text := self.layers(family))]
        return said

    def layers(self, family: str) -> str:
        """Which convolutions the rows named by a role guide, and how that is known."""
        parts = []
        for row in self.settings.classifier_grids[family].rows:
            if row not in (classifiers.PRE_SKIP, classifiers.EMPIRICAL):
                continue
            found = classifiers.guided_layers(self.settings, family, row)
            if found is None:
                parts.append(f"{row}: not known before the first unguided run has finished")
            else:
                parts.append(f"{row}: {', '.join(map(str, found.numbers))} (from {found.source})")
        return f"Convolutions guided in {classifiers.network(family)}, by number: {'; '.join(parts)}." if parts else ""

    def table2(self, ours: pd.DataFrame, printed: pd.DataFrame, runs: pd.DataFrame) -> TableEntry:
        """The paper's layout; every cell holds the published accuracy and ours."""
        counts = classifiers_claims.counts(runs) if len(runs) else ours
        images = int(runs["validation_images"].min()) if len(runs) else 0
        rows = []
        for row in [*printed.index, *(row for row in ours.index if row not in printed.index)]:
            line: dict[str, str] = dict(zip(published_audit.ROW, row, strict=True))
            for lambda_ in sorted({*printed.columns, *ours.columns}):
                theirs, own = (_at(cells, row, lambda_) for cells in (printed, ours))
                cell = "-" if theirs is None else f"{theirs:.3f}"
                if own is None:
                    cell += "; -"
                else:
                    se = selection_effects.binomial_se(own, images)
                    cell += f"; {own:.3f} ± {se:.3f} (n {counts.loc[row, lambda_]:.0f})"
                line[f"{lambda_:g}"] = cell
            rows.append(line)
        measured = f" ({images} validation images)" if images else ""
        note = (
            "Best validation accuracy; columns: lambda. In each cell the published number; then ours with one binomial "
            f"standard error{measured} and n, the trainings behind it, or a dash where none "
            "was made. The training of the published rows is inferred from their order."
        )
        table = pd.DataFrame(rows).rename(columns={"guided_layers": "guided layers"})
        return self.write("cells", "Table 2, published and ours", table, note)

    def chance(self, ours: dict[str, Any], published: dict[str, Any]) -> TableEntry:
        columns = {}
        for name, found in (("published", published), ("ours", ours)):
            gain = found["gain"]
            columns[name] = [
                f"{found['rows']}, best of {found['candidates']}",
                f"{found['off']} (p = {found['off_p']:.3f})",
                f"{found['within']['sd']:.4f}",
                f"{gain['observed']:.4f}",
                f"{gain['expected_normal']:.4f}",
                f"{gain['expected_relabelled']:.4f} (p of the gain: {gain['p_relabelled']:.3f})",
            ]
        names = ["complete rows", "rows with the best off the baseline", "SD within a row"]
        names += ["mean gain of the best", "the same without any effect, normal noise"]
        names += ["the same without any effect, relabelled rows"]
        note = (
            "The published column is the audit's. Ours: rows with every lambda of this scale. p: the chance of as many "
            "rows, or as large a gain, if lambda did nothing."
        )
        table = pd.DataFrame({"quantity": names} | columns)
        return self.write("chance", "Table 2: what choosing the best of a row makes of noise", table, note)

    def columns(self, whole: pd.DataFrame) -> TableEntry:
        table = selection_effects.column_tests(whole, BASELINE).rename(
            columns={"candidate": "lambda", "n": "n rows", "p_holm": "p (Holm)"}
        )
        note = (
            "Ours. Paired two-sided t-tests over rows against the lambda = 0 column; difference with its 95 % "
            "t-interval. The rows are independent: each has initial weights and batches of its own."
        )
        return self.write("columns", "Table 2: each lambda against the baseline", table, note)

    def runs(self, runs: pd.DataFrame) -> TableEntry:
        names = {
            "network": "network",
            "training": "training",
            "row": "guided layers",
            "lambda": "lambda",
            "replicate": "seed",
            "best_accuracy": "best accuracy",
            "best_epoch": "at epoch",
            "accuracy": "last accuracy",
            "stopping_epoch": "epochs",
            "stopped_early": "stopped early",
            "train_loss": "training loss",
            "penalty": "penalty",
            "seconds_per_epoch": "seconds per epoch",
            "images_per_second": "images per second",
        }
        table = runs.sort_values([*classifiers.ROW, "lambda", "replicate"], kind="stable")
        note = "Losses and penalty of the last epoch. Images per second: training alone, without validation."
        return self.write("runs", "All runs", table[list(names)].rename(columns=names), note)

    def figure(self, whole: pd.DataFrame, found: dict[str, Any], runs: pd.DataFrame) -> FigureEntry:
        images = int(runs["validation_images"].min())
        rows = whole.index.to_frame(index=False).assign(
            accuracies=whole.to_numpy().tolist(),
            standard_errors=[[selection_effects.binomial_se(a, images) for a in row] for row in whole.to_numpy()],
        )
        figure = published_audit_figures.table2(
            rows, list(whole.columns), found["histogram"], found["gain"], whose="ours"
        )
        caption = (
            "(a) Every guided cell minus the baseline of its row, with one binomial standard error; grey: the "
            "baseline's own; ringed: the best. (b) The mean of the best gains, and its distribution when any of a "
            "row's values could be the baseline's. The published numbers drawn the same way: Table 2 as published."
        )
        path = figures.save(figure, self.folder, f"{NAME}-classifiers", self.note)
        return FigureEntry("Table 2, ours: cells with their errors, and the gain that choosing makes", path, caption)

    def speed(self) -> list[TableEntry]:
        table = measurements("classifiers")
        if table.empty:
            return []
        note = (
            f"{table['hardware'].iloc[0]}, torch {table['torch'].iloc[0]}; Imagenette's images, medians over n turns. "
            "Reference: a DataLoader loop on the image files, as torchvision's. Times reference: median of the paired "
            "ratios of speed to it; step over unguided: of time to this trainer's unguided step. Share of bound: of "
            f"the arithmetic of forward and backward pass in what the device can do. Made by `{BENCHMARK}`."
        )
        shown = table.drop(columns=["hardware", "torch"]).rename(columns=lambda name: name.replace("_", " "))
        return [self.write("speed", "Training speed at 224 pixels", shown, note)]

    def write(self, kind: str, title: str, table: pd.DataFrame, note: str) -> TableEntry:
        return write_table(self.folder, f"{NAME}-{kind}", title, table, note)


def _at(cells: pd.DataFrame, row: tuple[str, ...], lambda_: float) -> float | None:
    if row not in cells.index or lambda_ not in cells.columns:
        return None
    value = float(cells.loc[row, lambda_])
    return None if math.isnan(value) else value
