"""The report's section on one autoencoder family: figures, tables, and the words of the paper beside them."""

from pathlib import Path

import pandas as pd

from replication.autoencoder import claims as autoencoder_claims
from replication.autoencoder import grid as autoencoder
from replication.core import paths, published
from replication.core.families import calibration_family
from replication.core.runs import of_grid, read_current
from replication.core.settings import Settings
from replication.report import figures
from replication.report.section import (
    FamilyWriter,
    FigureEntry,
    Section,
    TableEntry,
    count_range,
    runs_about,
    runs_metrics,
)
from replication.statistics.t_tests import pairwise_tests, summarise

MEASURES = {"validation_mse": "validation MSE", "stopping_epoch": "stopping epoch"}
FIGURES = {"autoencoder-mnist": (3, 4), "autoencoder-cifar10": (5, 6)}  # the paper's numbers, in the order of MEASURES


def section(settings: Settings, family: str, folder: Path, note: str) -> Section:
    """Write the family's figures and tables under `folder` and describe them. Needs the run tables alone."""
    return _Writer(settings, family, folder, note).section()


class _Writer(FamilyWriter):
    def section(self) -> Section:
        planned = autoencoder.grid(self.settings, self.family)
        records = of_grid(read_current(paths.table(self.settings.scale, self.family)), planned)
        runs = autoencoder.frame(of_grid(records, autoencoder.paper_grid(self.settings, self.family)))
        control = autoencoder.frame(of_grid(records, autoencoder.control(self.settings, self.family)))
        drawn, tables = [], []
        tables.append(self.beside_published(runs, published.read(self.family)))
        if len(runs):
            drawn = [self.figure(runs, value) for value in MEASURES]
            tables.append(self.summary(runs, "published", "Stopping epoch and MSE"))
            tables.append(self.pairwise(runs))
        if control["lambda"].nunique() > 1:
            tables.append(self.summary(control, "control", "Control: early stopping watches the MSE alone"))
        pairs = autoencoder_claims.stopped_baseline(records, self.settings, self.family)
        if len(pairs):
            tables.append(self.stopped_baseline(pairs))
        return Section(
            title=f"Family `{self.family}`",
            about=runs_about(self.settings.scale, self.family, records, len(planned)),
            note=self.note,
            figures=drawn,
            tables=tables + self.calibration(),
            verdicts=autoencoder_claims.verdicts(records, self.settings, self.family),
            metrics={self.family: runs_metrics(records, len(planned))},
        )

    def beside_published(self, runs: pd.DataFrame, words: list[dict[str, str]]) -> TableEntry:
        note = (
            f"Section 5.2 in words, and our mean over widths above {autoencoder_claims.ABOVE} that have all lambda "
            "of the row. Each seed's mean over these lambda is one of n values, for its runs differ in little else; "
            "the 95 % t-interval is from their spread within widths, which were not drawn by chance. Larger lambda: "
            f"{autoencoder.LARGE_LAMBDA:g} and more."
        )
        table = autoencoder_claims.beside_published(runs, words)
        return self.write(table, "beside-published", "The published numbers and ours", note)

    def figure(self, runs: pd.DataFrame, value: str) -> FigureEntry:
        label, number = MEASURES[value], dict(zip(MEASURES, FIGURES[self.family], strict=True))[value]
        width = autoencoder_claims.tested_width(runs, self.settings, self.family)
        tests = pairwise_tests(autoencoder_claims.lambda_samples(runs, width, value))
        figure = figures.curves_and_tests(runs, tests, value=value, label=label, test_width=width)
        n = count_range(runs.groupby(["width", "lambda"]).size())
        caption = (
            f"{len(runs)} runs, n = {n} replicates a point; bars are 95 % t-intervals of the mean. Curves stand a "
            "little beside their width, so that none hides another."
        )
        return self.draw(figure, f"figure{number}", f"Figure {number}: {label}", caption)

    def summary(self, runs: pd.DataFrame, kind: str, title: str) -> TableEntry:
        by = ["width", "lambda"]
        epochs, mse = (summarise(runs, by, value) for value in ("stopping_epoch", "validation_mse"))
        table = epochs.rename(columns={"mean": "stopping_epoch", "low": "epoch_low", "high": "epoch_high"}).merge(
            mse.drop(columns="n").rename(columns={"mean": "validation_mse", "low": "mse_low", "high": "mse_high"}),
            on=by,
        )
        at_limit = (1 - runs["stopped_early"]).groupby([runs[column] for column in by]).sum().rename("at_epoch_limit")
        table = table.merge(at_limit.reset_index(), on=by)
        note = (
            "Means over n replicates with 95 % t-intervals (low, high). at_epoch_limit: runs that the epoch limit "
            "ended, not early stopping."
        )
        return self.write(table, kind, title, note)

    def pairwise(self, runs: pd.DataFrame) -> TableEntry:
        width = autoencoder_claims.tested_width(runs, self.settings, self.family)
        parts = []
        for value in MEASURES:
            samples = autoencoder_claims.lambda_samples(runs, width, value)
            tests = pairwise_tests(samples)
            tests.insert(0, "measure", value)
            for side in ("b", "a"):
                tests.insert(3, f"n_{side}", [len(samples[lambda_]) for lambda_ in tests[side]])
            parts.append(tests)
        note = (
            f"Pooled two-sample t-tests at width {width}, n replicates a lambda; sign: + where a is higher "
            "(p < 0.05), - where lower; sign_holm: the same after Holm's correction over all pairs."
        )
        title = f"Pairwise t-tests, width {width}"
        return self.write(pd.concat(parts, ignore_index=True), "pairwise", title, note)

    def stopped_baseline(self, pairs: pd.DataFrame) -> TableEntry:
        pairs = pairs.assign(difference=pairs["guided_mse"] - pairs["baseline_mse"]).dropna()
        by = ["width", "lambda"]
        means = pairs.groupby(by, as_index=False)[["epoch", "guided_mse", "baseline_mse"]].mean()
        difference = summarise(pairs, by, "difference").rename(columns={"mean": "difference"})
        note = (
            "Each guided run beside the unguided run of the same seed, read at the guided run's stopping epoch; means "
            "over n pairs, difference with its 95 % t-interval. Pairs whose unguided run had stopped before are left "
            "out."
        )
        return self.write(means.merge(difference, on=by), "stopped-baseline", "Stopped baseline", note)

    def calibration(self) -> list[TableEntry]:
        name = calibration_family(self.family)
        records = read_current(paths.table(self.settings.scale, name))
        if not records:
            return []
        table = autoencoder.calibration_table(records, self.settings.calibration.min_deltas)
        widths = ", ".join(str(width) for width in sorted({record["run"]["width"] for record in records}))
        note = (
            f"Unguided runs only, widths {widths}, compared with the published baseline (MSE near 0.003, stops after "
            "epoch 40, read as 40 to 60). Nearest first; last the settings with a run still improving at epoch "
            f"{records[0]['run']['max_epochs']} (capped), whose end is not known. n runs."
        )
        return [self.write(table, "calibration", "Calibration of the baseline", note, command="calibrate")]
