"""The report's section on one autoencoder family: figures, tables, and the words of the paper beside them."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from replication import paths
from replication.analysis.statistics import pairwise_tests, summarise
from replication.experiments import autoencoder, autoencoder_claims, calibration_family
from replication.experiments.verdict import Verdict
from replication.report import figures
from replication.runs import Record, current, read_table
from replication.settings import Settings

MEASURES = {
    "validation_mse": ("figure3", "Figure 3", "validation MSE"),
    "stopping_epoch": ("figure4", "Figure 4", "stopping epoch"),
}


@dataclass(frozen=True)
class FigureEntry:
    title: str
    path: Path
    caption: str


@dataclass(frozen=True)
class TableEntry:
    title: str
    path: Path
    frame: pd.DataFrame
    note: str


@dataclass(frozen=True)
class Section:
    family: str
    finished: int
    planned: int
    seconds: float
    devices: list[str]
    figures: list[FigureEntry]
    tables: list[TableEntry]
    verdicts: dict[str, Verdict]


def section(settings: Settings, family: str, folder: Path, note: str) -> Section:
    """Write the family's figures and tables under `folder` and describe them. Needs the run tables alone."""
    planned = autoencoder.grid(settings, family)
    keys = {run.key for run in planned}
    records = [r for r in current(read_table(paths.table(settings.scale, family))) if r["key"] in keys]
    runs = autoencoder.frame(records)
    published = autoencoder_claims.published_runs(runs, settings, family)
    control = autoencoder_claims.control_runs(runs, settings, family)
    command = f"python -m replication sweep --scale {settings.scale} --family {family}"
    drawn, tables = [], []
    if len(published):
        for value, (name, title, label) in MEASURES.items():
            drawn.append(_figure(published, settings, family, folder, value, name, title, label, note))
        tables.append(_summary(published, folder, family, "published", "Stopping epoch and MSE", command))
        tables.append(_pairwise(published, settings, folder, family, command))
    if len(control) and len(control["lambda"].unique()) > 1:
        title = "Control: early stopping watches the MSE alone"
        tables.append(_summary(control, folder, family, "control", title, command))
    pairs = autoencoder_claims.stopped_baseline(records, settings, family)
    if len(pairs):
        tables.append(_stopped_baseline(pairs, folder, family, command))
    calibration = _calibration(settings, family, folder)
    return Section(
        family=family,
        finished=len(records),
        planned=len(planned),
        seconds=sum(record["seconds"] for record in records),
        devices=sorted({f"{r['environment']['device']}, torch {r['environment']['torch']}" for r in records}),
        figures=drawn,
        tables=tables + calibration,
        verdicts=_verdicts(records, settings, family),
    )


def _verdicts(records: list[Record], settings: Settings, family: str) -> dict[str, Verdict]:
    return autoencoder_claims.verdicts(records, settings, family)


def _figure(
    runs: pd.DataFrame,
    settings: Settings,
    family: str,
    folder: Path,
    value: str,
    name: str,
    title: str,
    label: str,
    note: str,
) -> FigureEntry:
    width = settings.grids[family].test_widths[0]
    tests = pairwise_tests(autoencoder_claims.lambda_samples(runs, width, value))
    figure = figures.curves_and_tests(runs, tests, value=value, label=label, test_width=width, note=note)
    sizes = runs.groupby(["width", "lambda"]).size()
    n = f"{sizes.min()}" if sizes.min() == sizes.max() else f"{sizes.min()} to {sizes.max()}"
    caption = f"{len(runs)} runs, n = {n} replicates a point; bars are 95 % t-intervals of the mean."
    return FigureEntry(f"{title}: {label}", figures.save(figure, folder / "figures", f"{name}-{family}"), caption)


def _summary(runs: pd.DataFrame, folder: Path, family: str, kind: str, title: str, command: str) -> TableEntry:
    by = ["width", "lambda"]
    epochs, mse = (summarise(runs, by, value) for value in ("stopping_epoch", "validation_mse"))
    table = epochs.rename(columns={"mean": "stopping_epoch", "low": "epoch_low", "high": "epoch_high"}).merge(
        mse.drop(columns="n").rename(columns={"mean": "validation_mse", "low": "mse_low", "high": "mse_high"}), on=by
    )
    at_limit = runs.groupby(by)["stopped_early"].apply(lambda flags: int((flags == 0).sum())).rename("at_epoch_limit")
    table = table.merge(at_limit.reset_index(), on=by)
    note = (
        "Means over n replicates with 95 % t-intervals (low, high). at_epoch_limit: runs that the epoch limit ended, "
        f"not early stopping. Made by `{command}`."
    )
    return _write(table, folder, f"{family}-{kind}", title, note)


def _pairwise(runs: pd.DataFrame, settings: Settings, folder: Path, family: str, command: str) -> TableEntry:
    width = settings.grids[family].test_widths[0]
    parts = []
    for value in MEASURES:
        samples = autoencoder_claims.lambda_samples(runs, width, value)
        sizes = sorted({len(sample) for sample in samples.values()})
        tests = pairwise_tests(samples)
        tests.insert(0, "measure", value)
        tests.insert(3, "n", "-".join(str(size) for size in sizes))
        parts.append(tests)
    note = (
        f"Pooled two-sample t-tests at width {width}; n = replicates a lambda; sign: + where a is higher (p < 0.05), "
        f"- where lower; sign_holm: the same after Holm's correction over all pairs. Made by `{command}`."
    )
    return _write(pd.concat(parts), folder, f"{family}-pairwise", f"Pairwise t-tests, width {width}", note)


def _stopped_baseline(pairs: pd.DataFrame, folder: Path, family: str, command: str) -> TableEntry:
    pairs = pairs.assign(difference=pairs["guided_mse"] - pairs["baseline_mse"])
    by = ["width", "lambda"]
    means = pairs.groupby(by, as_index=False)[["epoch", "guided_mse", "baseline_mse"]].mean()
    difference = summarise(pairs.dropna(), by, "difference").rename(columns={"mean": "difference"})
    note = (
        "Each guided run beside the unguided run of the same seed, read at the guided run's stopping epoch; means over "
        "n pairs, difference with its 95 % t-interval. Pairs whose unguided run had stopped before are left out of it. "
        f"Made by `{command}`."
    )
    return _write(means.merge(difference, on=by), folder, f"{family}-stopped-baseline", "Stopped baseline", note)


def _calibration(settings: Settings, family: str, folder: Path) -> list[TableEntry]:
    records = current(read_table(paths.table(settings.scale, calibration_family(family))))
    if not records:
        return []
    table = autoencoder.calibration_table(records, settings.calibration.min_deltas)
    widths = ", ".join(str(width) for width in sorted({record["run"]["width"] for record in records}))
    note = (
        f"Unguided runs only, widths {widths}, compared with the published baseline (MSE near 0.003, stops after epoch "
        f"40, read as 40 to 60); nearest first. n runs; capped: runs still improving at epoch "
        f"{records[0]['run']['max_epochs']}. Made by "
        f"`python -m replication calibrate --scale {settings.scale} --family {family}`."
    )
    return [_write(table, folder, f"{family}-calibration", "Calibration of the baseline", note)]


def _write(table: pd.DataFrame, folder: Path, name: str, title: str, note: str) -> TableEntry:
    path = folder / "tables" / f"{name}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False, float_format="%.6g")
    return TableEntry(title, path, table, note)
