"""The report's sections on the small CNNs: Table 1, the choice of lambda (H3), placebos and the exact form (H2, H4)."""

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from replication.core import paths, published
from replication.core.families import calibration_family
from replication.core.runs import Record, of_grid, read_current
from replication.core.settings import CNNS, Settings
from replication.core.verdict import Verdict
from replication.report import figures
from replication.report.section import (
    FigureEntry,
    Section,
    TableEntry,
    count_range,
    hypothesis,
    made_by,
    runs_about,
    runs_metrics,
    undecided_by,
    write_table,
)
from replication.small_cnn import grid as small_cnn
from replication.small_cnn.report import figures as small_cnn_figures
from replication.small_cnn.statistics import claims as small_cnn_claims
from replication.small_cnn.statistics import placebos as small_cnn_placebos
from replication.small_cnn.statistics.claims import BASELINE, Choice
from replication.small_cnn.statistics.placebos import CORNER, EXACT, PLACEBOS, Decisive
from replication.small_cnn.training.train import anchor
from replication.statistics.power import POWER

CIFAR10, MNIST = CNNS
LAYERS = {"first": "first layer", "all": "all layers"}
NOISE_UNITS = (
    "units of the replicate noise that Table 1's gains and p-values imply (of training accuracy from the one row that "
    "has a p)."
)
ONE_BLOCK = (
    "In a network of one block all layers are the first layer, so that three of the nine networks have one "
    "experiment and not two; the paper's text finds significant gains for them in the one and none in the other."
)


def sections(settings: Settings, folder: Path, note: str) -> list[Section]:
    """Write figures and tables under `folder` and describe them. Needs the run tables alone."""
    writer = _Writer(settings, folder, note)
    return [writer.table1(), writer.hypotheses()]


@dataclass(frozen=True)
class _Writer:
    settings: Settings
    folder: Path
    note: str

    @cached_property
    def published(self) -> pd.DataFrame:
        return published.table(1)

    @cached_property
    def records(self) -> dict[str, list[Record]]:
        """The records of each family's grid."""
        return {
            family: of_grid(
                read_current(paths.table(self.settings.scale, family)), small_cnn.grid(self.settings, family)
            )
            for family in CNNS
        }

    @cached_property
    def runs(self) -> dict[str, dict[str, pd.DataFrame]]:
        """Runs by family and placement, with the unguided ones; for all layers without networks of one block."""
        return {
            family: {placement: self._runs(family, placement) for placement in small_cnn.PLACEMENTS} for family in CNNS
        }

    def _runs(self, family: str, placement: str) -> pd.DataFrame:
        wanted = small_cnn.paper_grid(self.settings, family, placement)
        runs = small_cnn.frame(of_grid(self.records[family], wanted))
        return runs[runs["blocks"] > 1] if placement == "all" else runs

    def with_weaker(self, family: str) -> dict[str, pd.DataFrame]:
        """The same runs, and those with weaker guidance than the paper's."""
        weaker = of_grid(self.records[family], small_cnn.weaker(self.settings, family))
        if not weaker:
            return self.runs[family]
        first = pd.concat([self.runs[family]["first"], small_cnn.frame(weaker)], ignore_index=True)
        return self.runs[family] | {"first": first}

    @cached_property
    def choices(self) -> dict[str, dict[str, list[Choice]]]:
        return {
            family: {placement: small_cnn_claims.choices(runs) for placement, runs in by_placement.items()}
            for family, by_placement in self.runs.items()
        }

    @cached_property
    def placebos(self) -> pd.DataFrame:
        return small_cnn_placebos.gains(self.records[CIFAR10], self.settings, CIFAR10)

    @cached_property
    def decided(self) -> dict[str, tuple[str, str]]:
        """Verdict and evidence of each hypothesis."""
        smallest = float(self.published["delta_validation_accuracy"].min())
        return {
            "H2": small_cnn_placebos.h2(self.positions, smallest),
            "H3": small_cnn_claims.h3(self.counting(CIFAR10, "first"), self.published),
            "H4-cnn": small_cnn_placebos.h4(self.decisive([EXACT]), smallest),
            "H6": small_cnn_claims.h6(
                self.with_weaker(CIFAR10)["first"],
                {run["lambda"] for run in small_cnn.weaker(self.settings, CIFAR10)},
                smallest,
            ),
        }

    @cached_property
    def positions(self) -> Decisive:
        """What H2 stands on."""
        return self.decisive([CORNER, *PLACEBOS])

    def decisive(self, names: list[str]) -> Decisive:
        return Decisive.of(self.records[CIFAR10], self.settings, CIFAR10, names)

    def counting(self, family: str, placement: str) -> list[Choice]:
        found = self.choices[family].get(placement, [])
        return small_cnn_claims.counting(found, self.settings, family, self.published)

    def table1(self) -> Section:
        about, drawn, tables = [], [], []
        metrics: dict[str, Any] = {}
        for family in CNNS:
            planned, records = len(small_cnn.grid(self.settings, family)), self.records[family]
            about.append(f"`{family}`: {runs_about(self.settings.scale, family, records, planned)}")
            metrics[family] = runs_metrics(records, planned)
            curves = {name: small_cnn_claims.gain_curves(runs) for name, runs in self.with_weaker(family).items()}
            tables += self.means(family) + self.gain_tables(family, curves)
            drawn += self.gain_figure(family, curves)
        first = small_cnn_claims.table1(self.runs[CIFAR10]["first"], self.published)
        return Section(
            title="Table 1: small CNN classifiers, and the MNIST control",
            about="\n\n".join([*about, ONE_BLOCK]),
            note=self.note,
            figures=drawn + self.calibration_figure(),
            tables=tables + self.baselines() + self.calibration_table(),
            verdicts={
                "C7": small_cnn_claims.c7(
                    first,
                    self.counting(CIFAR10, "first"),
                    self.published,
                    self.decided["H2"][0],
                    corner_better=small_cnn_placebos.corner_better(self.positions),
                ),
                "C8": self.c8(),
            },
            metrics=metrics,
        )

    def c8(self) -> Verdict:
        def part(family: str, *placements: str) -> small_cnn_claims.Part:
            started = any(self.choices[family].get(placement) for placement in placements)
            return started, {placement: self.counting(family, placement) for placement in placements}

        return small_cnn_claims.c8(part(CIFAR10, "all"), part(MNIST, "first", "all"), self.published)

    def means(self, family: str) -> list[TableEntry]:
        printed = self.published if family == CIFAR10 else self.published.iloc[:0]
        entries = []
        for placement, runs in self.runs[family].items():
            table = small_cnn_claims.table1(runs, printed if placement == "first" else self.published.iloc[:0])
            if table.empty:
                continue
            numbers = "Table 1" if (family, placement) == (CIFAR10, "first") else "As Table 1"
            note = (
                "Means at the last epoch over the first n replicates (ten at most) that have all lambda. lambda: the "
                "one with the highest mean validation accuracy, as the paper chooses; gains and one-tailed p of a "
                "pooled t-test at that lambda, not corrected for the choice. Stars as in the paper: * 0.05, ** 0.01, "
                "*** 0.001. Gain, best epoch: the same with each run's best epoch, lambda chosen anew. Training "
                "accuracy as Keras prints it, a mean over the epoch."
            )
            title = f"{numbers}, {LAYERS[placement]}, `{family}`"
            entries.append(self.write(family, f"table1-{placement}", title, _printed(table), note))
        return entries

    def baselines(self) -> list[TableEntry]:
        records = [record for record in self.records[CIFAR10] if record["run"]["lambda"] == BASELINE]
        table = small_cnn.baseline_table(records, [self.settings.cnn_grids[CIFAR10].epochs], self.published)
        if table.empty:
            return []
        note = (
            "Unguided runs at the last epoch, all replicates; best validation accuracy: at each run's best epoch. "
            "Distance: root mean square of the differences of train and validation accuracy to the published ones, in "
            f"{NOISE_UNITS}"
        )
        shown = table.drop(columns=[*small_cnn.CANDIDATE, "epochs"])
        return [self.write(CIFAR10, "baselines", "Baselines beside the published ones", shown, note)]

    def gain_tables(self, family: str, curves: dict[str, pd.DataFrame]) -> list[TableEntry]:
        note = (
            "Guided minus unguided run of the same seed: validation accuracy at the last epoch with its 95 % "
            "t-interval over n pairs, not corrected for the number of lambda, training accuracy there, and validation "
            "accuracy at each run's best epoch."
        )
        return [
            self.write(
                family,
                f"gains-{placement}",
                f"Gain at every lambda, {LAYERS[placement]}, `{family}`",
                curve,
                note + self.below(family) * (placement == "first"),
            )
            for placement, curve in curves.items()
            if len(curve)
        ]

    def below(self, family: str) -> str:
        return " The lambda below the paper's are those of H6." if small_cnn.weaker(self.settings, family) else ""

    def gain_figure(self, family: str, curves: dict[str, pd.DataFrame]) -> list[FigureEntry]:
        if all(frame.empty for frame in curves.values()):
            return []
        figure = small_cnn_figures.gain_curves(curves, self.published if family == CIFAR10 else None)
        n = count_range(pd.concat(curves.values())["n"])
        caption = (
            f"Guided minus unguided run of the same seed at the last epoch, means over n = {n} pairs a point with 95 % "
            f"t-intervals, not corrected for the number of lambda.{self.below(family)}"
        )
        path = figures.save(figure, self.folder, f"gains-{family}", self.note)
        return [FigureEntry(f"Gain at every lambda, `{family}`", path, caption)]

    @cached_property
    def calibration(self) -> list[Record]:
        return read_current(paths.table(self.settings.scale, calibration_family(CIFAR10)))

    def calibration_figure(self) -> list[FigureEntry]:
        if not self.calibration:
            return []
        curves: dict[small_cnn.Architecture, dict[str, pd.DataFrame]] = defaultdict(dict)
        for record in sorted(self.calibration, key=lambda record: (record["run"]["blocks"], record["run"]["width"])):
            run = record["run"]
            if run["replicate"] == 0:
                label = "batch {batch_size}, {padding}, slope {negative_slope:g}".format(**run)
                history = {name: record["history"][name] for name in ("train_accuracy", "validation_accuracy")}
                curves[run["blocks"], run["width"]][label] = pd.DataFrame(history)
        if not curves:
            return []
        base = self.published.set_index(small_cnn.ARCHITECTURE)
        printed = {row.Index: (row.base_train_accuracy, row.base_validation_accuracy) for row in base.itertuples()}
        figure = small_cnn_figures.calibration(curves, printed)
        caption = (
            "Unguided networks, a point an epoch, one run a curve; training accuracy is a mean over the epoch. Star: "
            "the published baseline."
        )
        path = figures.save(figure, self.folder, f"{CIFAR10}-calibration", self.note)
        return [FigureEntry("Calibration of the small CNNs' baseline", path, caption)]

    def calibration_table(self) -> list[TableEntry]:
        if not self.calibration:
            return []
        lengths = self.settings.cnn_calibration.lengths
        table = small_cnn.calibration_table(self.calibration, lengths, self.published)
        note = (
            "Unguided runs only, beside the base columns of Table 1, nearest first; means over the architectures. "
            f"Distance: root mean square difference in {NOISE_UNITS} The batch size, padding and slope in "
            f"use: {', '.join(str(getattr(self.settings.cnn, setting)) for setting in small_cnn.CANDIDATE)}; epochs: "
            f"{self.settings.cnn_grids[CIFAR10].epochs}."
        )
        title = "Calibration on the published baselines"
        return [self.write(CIFAR10, "calibration", title, table, note, command="calibrate")]

    def hypotheses(self) -> Section:
        paragraphs, verdicts = [], {}
        for name, (verdict, evidence) in self.decided.items():
            verdicts[name] = undecided_by(self.note, verdict)
            paragraphs.append(hypothesis(name, [f"**{verdicts[name].capitalize()}**: {evidence}."]))
        found, table = self.choices[CIFAR10]["first"], self.placebos
        return Section(
            title="Is Table 1 more than a choice (H3), and is it the corner weight (H2, H4)?",
            about="\n\n".join(paragraphs),
            note=self.note,
            figures=self.choice_figure(found) + self.placebo_figure(table),
            tables=self.choice_tables(found) + self.placebo_tables(table),
            metrics={"small-cnn-hypotheses": verdicts},
        )

    def choice_figure(self, found: list[Choice]) -> list[FigureEntry]:
        if not found:
            return []
        most = max(found, key=lambda choice: choice.n)
        gains = self.published.set_index(small_cnn.ARCHITECTURE)["delta_validation_accuracy"]
        printed = float(gains[most.architecture]) if most.architecture in gains.index else None
        path = figures.save(small_cnn_figures.choice(most, printed), self.folder, f"{CIFAR10}-choice", self.note)
        caption = (
            f"The architecture with most of the first ten replicates, n = {most.n} at each of {most.lambdas + 1} "
            f"lambda. (a) Each replicate's labels of lambda shuffled {small_cnn_claims.DRAWS} times, those of none and "
            f"of harmful lambda among them, the best of {most.lambdas} chosen anew. (b) From the replicate standard "
            f"deviation {most.sd:.4f} of the two samples compared; one-tailed pooled t-test, and one of pairs, whose "
            f"gains have a standard deviation of {most.paired_sd:.4f}."
        )
        return [FigureEntry("The best lambda beside shuffled labels", path, caption)]

    def choice_tables(self, found: list[Choice]) -> list[TableEntry]:
        if not found:
            return []
        note = (
            "First layer, those n of the first ten replicates that have all lambda. p printed: as in Table 1. p after "
            "choice: Dunnett's distribution for candidates that share one baseline, with the spread of the two samples "
            "compared; runs of a seed are more alike than it takes them for, and where they are it is too large. Gain "
            "by choice alone: the mean best gain if no lambda did anything, from the paired gain SD. p shuffled: "
            "lambda permuted within each replicate, the best chosen anew: a test of lambda's having any effect, harm "
            'included; the columns "shuffled" are what such shuffles give, where harm at one lambda lowers the '
            "baseline of the others. Chosen on half: lambda from a random half of the replicates, gain and p from the "
            f"other, {small_cnn_claims.SPLITS} halves; p is twice the median. Detectable gain: found with {POWER:.0%} "
            "probability at 0.05 / number of lambda by the printed test, replicates a side for 0.005 the same; paired: "
            "by a one-tailed t-test of the pairs of a seed."
        )
        table = small_cnn_claims.choice_table(found)
        return [self.write(CIFAR10, "choice", "H3: each gain after the choice of lambda", table, note)]

    def placebo_figure(self, table: pd.DataFrame) -> list[FigureEntry]:
        if table.empty:
            return []
        largest = table["lambda"].max()
        named = small_cnn_placebos.by_variant(self.records[CIFAR10], self.settings, CIFAR10)
        own = {name: _at_lambda(records, largest) for name, records in named.items()}
        own["unguided"] = _at_lambda(named[CORNER], BASELINE)
        path = figures.save(small_cnn_figures.placebos(table, own), self.folder, f"{CIFAR10}-placebos", self.note)
        caption = (
            f"Smallest architecture, first layer. Run so far: {', '.join(table['variant'].unique())}; n = "
            f"{count_range(table['n'])} pairs a point, 95 % t-intervals. (b) Means over replicates; of weight decay "
            "and the exact form at the corner."
        )
        return [FigureEntry("H2 and H4: the corner weight, placebos and the exact form", path, caption)]

    def placebo_tables(self, table: pd.DataFrame) -> list[TableEntry]:
        if table.empty:
            return []
        note = (
            "Smallest architecture, first layer, last epoch. gain: over the unguided run of the same seed, n pairs, "
            "95 % t-interval. anchor_weight: mean |w| at the guided position at the end. corner_minus: the corner's "
            "accuracy minus the variant's, corner_n pairs. The verdicts are given at ten pairs and at all that are "
            f"planned, and their intervals corrected for these two looks. {self.drawn_positions()}"
        )
        best = small_cnn_placebos.gains(
            self.records[CIFAR10], self.settings, CIFAR10, value="best_validation_accuracy"
        ).drop(columns=["anchor_weight", "unguided_anchor_weight"])
        beside = "As the table above, with the accuracy of each run's best epoch; no verdict stands on it."
        return [
            self.write(CIFAR10, "placebos", "H2 and H4: gains by variant", table, note),
            self.write(CIFAR10, "placebos-best-epoch", "H2 and H4: gains by variant at the best epoch", best, beside),
        ]

    def drawn_positions(self) -> str:
        """Where the random position lies in each replicate."""
        existing = {record["key"] for record in self.records[CIFAR10]}
        planned = small_cnn_placebos.planned_runs(self.settings, CIFAR10).get("random", [])
        drawn = {run["replicate"]: anchor(run) for run in planned if run.key in existing}
        named = ", ".join(f"c{row + 1}{column + 1}" for _, (row, column) in sorted(drawn.items()))
        return f"Random positions, replicate by replicate: {named}." if named else ""

    def write(
        self, family: str, kind: str, title: str, table: pd.DataFrame, note: str, *, command: str = "sweep"
    ) -> TableEntry:
        made = made_by(self.settings.scale, family, command)
        return write_table(self.folder, f"{family}-{kind}", title, table, f"{note} {made}")


def _at_lambda(records: list[Record], lambda_: float) -> list[Record]:
    return [record for record in records if record["run"]["lambda"] == lambda_]


def _printed(table: pd.DataFrame) -> pd.DataFrame:
    """Table 1's layout: accuracies, and gains with stars and p, ours beside the published."""

    def gain(value: float, p: float) -> str:
        if pd.isna(value):
            return ""
        return f"{value:+.4f}{small_cnn_claims.stars(p)}" + ("" if pd.isna(p) else f" ({p:.4f})")

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
