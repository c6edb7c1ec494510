"""The report's sections on the small CNNs: Table 1, the choice of lambda (H3), placebos and the exact form (H2, H4)."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd

from replication.core import published
from replication.core.findings import Findings
from replication.core.runs import Record
from replication.report import figures
from replication.report.drawing import Drawing, later
from replication.report.section import (
    FamilyWriter,
    FigureEntry,
    Section,
    TableEntry,
    count_range,
    hypotheses,
    runs_about,
)
from replication.small_cnn import grid
from replication.small_cnn.grid import ARCHITECTURE, Architecture
from replication.small_cnn.report import figures as small_cnn_figures
from replication.small_cnn.settings import CANDIDATE, CIFAR10, CnnSettings
from replication.small_cnn.statistics import claims, placebos
from replication.small_cnn.statistics import findings as statistics
from replication.small_cnn.statistics.claims import BASELINE
from replication.small_cnn.statistics.placebos import CORNER
from replication.statistics.power import POWER

STARS = {0.001: "***", 0.01: "**", 0.05: "*"}  # the paper's marks
LAYERS = {"first": "first layer", "all": "all layers"}
NOISE_UNITS = (
    "units of the replicate noise that Table 1's gains and p-values imply (of training accuracy from the one row that "
    "has a p)."
)
ONE_BLOCK = (
    "In a network of one block all layers are the first layer, so that three of the nine networks have one "
    "experiment and not two; the paper's text finds significant gains for them in the one and none in the other."
)

flat = chain.from_iterable


def sections(families: Sequence[Any], findings: Mapping[str, Findings], folder: Path, note: str) -> list[Section]:
    """Write figures and tables under `folder` and describe them: Table 1 with its control, and the hypotheses."""
    writers = [_Writer(family, family.settings, findings[family.name], folder, note) for family in families]
    about = [f"`{family.name}`: {runs_about(family)}" for family in families]
    return [
        Section(
            title="Table 1: small CNN classifiers, and the MNIST control",
            about="\n\n".join([*about, ONE_BLOCK]),
            note=note,
            figures=[*flat(w.gain_figure() for w in writers), *flat(w.calibration_figure() for w in writers)],
            tables=[*flat(w.of_the_grid() for w in writers), *flat(w.beside_published() for w in writers)],
        ),
        Section(
            title="Is Table 1 more than a choice (H3), and is it the corner weight (H2, H4)?",
            about="\n\n".join(hypotheses(statistics.decided(findings), note)),
            note=note,
            figures=[*flat(w.choice_figure() + w.placebo_figure() for w in writers)],
            tables=[*flat(w.choice_table() + w.placebo_tables() + w.late_table(findings) for w in writers)],
        ),
    ]


class _Writer(FamilyWriter[CnnSettings]):
    """One family's part of both sections; what its findings lack is left out."""

    @property
    def published(self) -> pd.DataFrame | None:
        """Table 1, for the family that it is about."""
        return published.table(1) if self.family.name == CIFAR10 else None

    @property
    def gains(self) -> dict[str, pd.DataFrame]:
        """By placement, those that have pairs."""
        tables = {placement: self.found.table(f"gains-{placement}") for placement in grid.PLACEMENTS}
        return {placement: table for placement, table in tables.items() if len(table)}

    def of_the_grid(self) -> list[TableEntry]:
        return self.means() + self.gain_tables()

    def beside_published(self) -> list[TableEntry]:
        return self.baselines() + self.calibration_table()

    def means(self) -> list[TableEntry]:
        entries = []
        for placement, layers in LAYERS.items():
            table = self.found.table(f"table1-{placement}")
            if table.empty:
                continue
            numbers = "Table 1" if (self.family.name, placement) == (CIFAR10, "first") else "As Table 1"
            note = (
                "Means at the last epoch over the first n replicates (ten at most) that have all lambda. lambda: the "
                "one with the highest mean validation accuracy, as the paper chooses; gains and one-tailed p of a "
                "pooled t-test at that lambda, not corrected for the choice. Stars as in the paper: * 0.05, ** 0.01, "
                "*** 0.001. Gain, best epoch: the same with each run's best epoch, lambda chosen anew. Training "
                "accuracy as Keras prints it, a mean over the epoch."
            )
            title = f"{numbers}, {layers}, `{self.family.name}`"
            entries.append(self.write(_printed(table), f"table1-{placement}", title, note))
        return entries

    def baselines(self) -> list[TableEntry]:
        table = self.found.table("baselines")
        if table.empty:
            return []
        note = (
            "Unguided runs at the last epoch, all replicates; best validation accuracy: at each run's best epoch. "
            "Distance: root mean square of the differences of train and validation accuracy to the published ones, in "
            f"{NOISE_UNITS}"
        )
        return [self.write(table, "baselines", "Baselines beside the published ones", note)]

    def gain_tables(self) -> list[TableEntry]:
        note = (
            "Guided minus unguided run of the same seed: validation accuracy at the last epoch with its 95 % "
            "t-interval over n pairs, not corrected for the number of lambda, training accuracy there, and validation "
            "accuracy at each run's best epoch. late: validation accuracy as a mean over the last five epochs, C7's "
            "secondary outcome, with its interval; steadier: how many times smaller its variance over the pairs is."
        )
        return [
            self.write(
                table,
                f"gains-{placement}",
                f"Gain at every lambda, {LAYERS[placement]}, `{self.family.name}`",
                note + self.below() * (placement == "first"),
            )
            for placement, table in self.gains.items()
        ]

    def below(self) -> str:
        return " The lambda below the paper's are those of H6." if grid.weaker(self.settings) else ""

    def gain_figure(self) -> list[FigureEntry]:
        if not self.gains:
            return []
        figure = later(small_cnn_figures.gain_curves, self.gains, self.published)
        n = count_range(pd.concat(self.gains.values())["n"])
        caption = (
            f"Guided minus unguided run of the same seed at the last epoch, means over n = {n} pairs a point with 95 % "
            f"t-intervals, not corrected for the number of lambda.{self.below()}"
        )
        return [self.draw(figure, "gains", f"Gain at every lambda, `{self.family.name}`", caption)]

    def calibration_figure(self) -> list[FigureEntry]:
        curves: dict[Architecture, dict[str, pd.DataFrame]] = defaultdict(dict)
        records = self.family.calibration_records
        for record in sorted(records, key=lambda record: (record["run"]["blocks"], record["run"]["width"])):
            run = record["run"]
            if run["replicate"] == 0:
                label = "batch {batch_size}, {padding}, slope {negative_slope:g}".format(**run)
                history = {name: record["history"][name] for name in ("train_accuracy", "validation_accuracy")}
                curves[run["blocks"], run["width"]][label] = pd.DataFrame(history)
        if not curves or self.published is None:
            return []
        base = self.published.set_index(ARCHITECTURE)
        printed = {row.Index: (row.base_train_accuracy, row.base_validation_accuracy) for row in base.itertuples()}
        figure = later(small_cnn_figures.calibration, curves, printed)
        caption = (
            "Unguided networks, a point an epoch, one run a curve; training accuracy is a mean over the epoch. Star: "
            "the published baseline."
        )
        return [self.draw_of_family(figure, "calibration", "Calibration of the small CNNs' baseline", caption)]

    def calibration_table(self) -> list[TableEntry]:
        table = self.found.table("calibration")
        if table.empty:
            return []
        note = (
            "Unguided runs only, beside the base columns of Table 1, nearest first; means over the architectures. "
            f"Distance: root mean square difference in {NOISE_UNITS} The batch size, padding and slope in "
            f"use: {', '.join(str(getattr(self.settings.training, setting)) for setting in CANDIDATE)}; epochs: "
            f"{self.settings.grid.epochs}."
        )
        title = "Calibration on the published baselines"
        return [self.write(table, "calibration", title, note, command="calibrate")]

    def choice_figure(self) -> list[FigureEntry]:
        most = self.found.facts.get("choice")
        if not most or self.published is None:
            return []
        gains = self.published.set_index(ARCHITECTURE)["delta_validation_accuracy"]
        architecture = most["blocks"], most["width"]
        printed = float(gains[architecture]) if architecture in gains.index else None
        shuffled, power = self.found.table("shuffled"), self.found.table("power")
        figure = later(small_cnn_figures.choice, most, shuffled, power, printed)
        caption = (
            f"The architecture with most of the first ten replicates, n = {most['n']} at each of {most['lambdas'] + 1} "
            f"lambda. (a) Each replicate's labels of lambda shuffled {claims.DRAWS} times, those of none and "
            f"of harmful lambda among them, the best of {most['lambdas']} chosen anew. (b) From the replicate standard "
            f"deviation {most['sd']:.4f} of the two samples compared; one-tailed pooled t-test, and one of pairs, "
            f"whose gains have a standard deviation of {most['paired_sd']:.4f}."
        )
        return [self.draw_of_family(figure, "choice", "The best lambda beside shuffled labels", caption)]

    def choice_table(self) -> list[TableEntry]:
        table = self.found.table("choice")
        if table.empty:
            return []
        note = (
            "First layer, those n of the first ten replicates that have all lambda. p printed: as in Table 1. p after "
            "choice: Dunnett's distribution for candidates that share one baseline, with the spread of the two samples "
            "compared; runs of a seed are more alike than it takes them for, and where they are it is too large. Gain "
            "by choice alone: the mean best gain if no lambda did anything, from the paired gain SD. p shuffled: "
            "lambda permuted within each replicate, the best chosen anew: a test of lambda's having any effect, harm "
            'included; the columns "shuffled" are what such shuffles give, where harm at one lambda lowers the '
            "baseline of the others. Chosen on half: lambda from a random half of the replicates, gain and p from the "
            f"other, {claims.SPLITS} halves; p is twice the median. Detectable gain: found with {POWER:.0%} "
            "probability at 0.05 / number of lambda by the printed test, replicates a side for 0.005 the same; paired: "
            "by a one-tailed t-test of the pairs of a seed."
        )
        return [self.write(table, "choice", "H3: each gain after the choice of lambda", note)]

    def placebo_figure(self) -> list[FigureEntry]:
        table = self.found.table("placebos")
        if table.empty:
            return []
        largest = table["lambda"].max()
        named = placebos.by_variant(self.family.records, self.settings)
        own = {name: _at_lambda(records, largest) for name, records in named.items()}
        own["unguided"] = _at_lambda(named[CORNER], BASELINE)
        figure = later(small_cnn_figures.placebos, table, own)
        caption = (
            f"Smallest architecture, first layer. Run so far: {', '.join(table['variant'].unique())}; n = "
            f"{count_range(table['n'])} pairs a point, 95 % t-intervals. (b) Means over replicates; of weight decay "
            "and the exact form at the corner."
        )
        title = "H2 and H4: the corner weight, placebos and the exact form"
        return [self.draw_of_family(figure, "placebos", title, caption)]

    def placebo_tables(self) -> list[TableEntry]:
        table = self.found.table("placebos")
        if table.empty:
            return []
        drawn = ", ".join(self.found.facts["random_positions"])
        positions = f"Random positions, replicate by replicate: {drawn}." if drawn else ""
        note = (
            "Smallest architecture, first layer, last epoch. gain: over the unguided run of the same seed, n pairs, "
            "95 % t-interval. anchor_weight: mean |w| at the guided position at the end. corner_minus: the corner's "
            "accuracy minus the variant's, corner_n pairs. The verdicts are given at ten pairs and at all that are "
            f"planned, and their intervals corrected for these two looks. {positions}"
        )
        beside = "As the table above, with the accuracy of each run's best epoch; no verdict stands on it."
        return [
            self.write(table, "placebos", "H2 and H4: gains by variant", note),
            self.write(
                self.found.table("placebos-best-epoch"),
                "placebos-best-epoch",
                "H2 and H4: gains by variant at the best epoch",
                beside,
            ),
            self.write(
                self.found.table("placebos-late-epochs"),
                "placebos-late-epochs",
                "H2 and H4: gains by variant over the last five epochs",
                "As the first of these tables, with the mean accuracy of the last five epochs, C7's secondary outcome.",
            ),
        ]

    def late_table(self, findings: Mapping[str, Findings]) -> list[TableEntry]:
        table = statistics.by_late_epochs(findings) if self.family.name == CIFAR10 else pd.DataFrame()
        if table.empty:
            return []
        note = (
            "What each rule gives with the secondary outcome, the mean validation accuracy of the last five epochs; "
            "of a verdict that waits for runs, what it is so far. Evidence: with that outcome. It decides nothing."
        )
        names = {"last": "last epoch", "late": "mean of the last five"}
        title = "The rules with the mean of the last five epochs"
        return [self.write(table.rename(columns=names), "late-epochs", title, note)]

    def draw_of_family(self, figure: Drawing, kind: str, title: str, caption: str) -> FigureEntry:
        """FOLDER/figures/FAMILY-KIND, PNG and SVG."""
        path = figures.save(figure, self.folder, f"{self.family.name}-{kind}", self.note)
        return FigureEntry(title, path, caption)


def _at_lambda(records: list[Record], lambda_: float) -> list[Record]:
    return [record for record in records if record["run"]["lambda"] == lambda_]


def stars(p: float) -> str:
    """The paper's marks."""
    return next((mark for level, mark in STARS.items() if p < level), "")


def _printed(table: pd.DataFrame) -> pd.DataFrame:
    """Table 1's layout: accuracies, and gains with stars and p, ours beside the published."""

    def gain(value: float, p: float) -> str:
        if pd.isna(value):
            return ""
        return f"{value:+.4f}{stars(p)}" + ("" if pd.isna(p) else f" ({p:.4f})")

    columns: dict[str, Any] = {
        "blocks": table["blocks"],
        "filters": table["width"],
        "n": table["n"],
        "train": table["train"],
        "validation": table["validation"],
        "lambda": table["lambda"],
        "train gain": [gain(row.train_gain, row.train_p) for row in table.itertuples()],
        "validation gain": [gain(row.gain, row.p) for row in table.itertuples()],
        "gain, best epoch": [gain(row.best_epoch_gain, row.best_epoch_p) for row in table.itertuples()],
    }
    if "published_gain" in table:
        columns |= {
            "published train": table["published_train"],
            "published validation": table["published_validation"],
            "published train gain": [
                gain(row.published_train_gain, row.published_train_p) for row in table.itertuples()
            ],
            "published validation gain": [gain(row.published_gain, row.published_p) for row in table.itertuples()],
        }
    return pd.DataFrame(columns)
