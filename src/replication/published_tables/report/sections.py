"""The report's sections on the published Tables 1 to 3 themselves: what their numbers can and cannot support."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from replication.core.family import Part
from replication.core.findings import Findings
from replication.published_tables.audit import NAME
from replication.published_tables.report import figures as audit_figures
from replication.report import figures
from replication.report.drawing import later
from replication.report.section import FigureEntry, Section, TableEntry, write_table
from replication.statistics.power import POWER
from replication.statistics.t_tests import ALPHA

# What no effect may mean for the mean gain of the best: its name, its p in the record, and how it is made.
NULLS = (
    ("relabelled rows", "p_relabelled", "any of a row's values could be the baseline's"),
    ("normal noise", "p_known", "of the SD within a row, taken as known"),
    ("normal noise, studentised", "p_studentised", "of the SD within a row, estimated anew in each simulated table"),
    (
        "normal noise of repeated baselines",
        "p_repeated",
        "of their SD, with the uncertainty of its few degrees of freedom",
    ),
)


def sections(parts: Sequence[Part], findings: Mapping[str, Findings], folder: Path, _note: str) -> list[Section]:
    """Write the audit's figures and tables under `folder` and describe them."""
    (study,) = parts
    record = findings[study.name].facts
    command = f"`python -m replication {NAME} --scale {study.scale}`"
    if not record:
        return [Section("The published tables, audited", f"Not computed yet: {command} does it in seconds.")]
    writer = _Writer(record, folder, command)
    return [writer.table1(), writer.table2(), writer.table3()]


@dataclass(frozen=True)
class _Writer:
    record: Mapping[str, Any]
    folder: Path
    command: str

    def about(self, table: str, **values: Any) -> str:
        """The prose: templates/<table>.md.jinja."""
        loader = PackageLoader("replication.published_tables.report.sections")
        environment = Environment(loader=loader, undefined=StrictUndefined, trim_blocks=True)
        template = environment.get_template(f"{table}.md.jinja")
        facts = self.record["facts"][table]
        text = template.render(command=self.command, facts=facts, **self.record[table], **values)
        return text.replace("\n  ", " ")  # one line a point

    def write(self, name: str, title: str, table: pd.DataFrame, note: str) -> TableEntry:
        return write_table(self.folder, f"{NAME}-{name}", title, table, note)

    def table1(self) -> Section:
        k, n = (self.record["facts"]["table1"][name] for name in ("candidates", "replicates"))
        rows = pd.DataFrame(self.record["table1"]["rows"])
        figure = later(audit_figures.table1, rows, k)
        caption = (
            "(a) Printed gains with the 95 % t-intervals that their p-values imply, not corrected for the choice; "
            f"crosses: mean gain of the best of {k} without any effect. (b) The p-values as printed and after the "
            f"choice. n = {n} replicates at each lambda."
        )
        path = figures.save(figure, self.folder, f"{NAME}-table1")
        return Section(
            title="Table 1 as published: small CNNs",
            about=self.about("table1", alpha=ALPHA, power_level=POWER),
            figures=[FigureEntry("Table 1: gains and p-values after the choice of lambda", path, caption)],
            tables=[self.gains1(rows, k, n), self.no_effect1(k, n), self.power1(k)],
        )

    def gains1(self, rows: pd.DataFrame, k: int, n: int) -> TableEntry:
        names = {
            "blocks": "blocks",
            "width": "width",
            "gain": "gain",
            "gain_by_choice": "gain by choice alone",
            "implied_sd": "replicate SD",
            "p_printed": "p printed",
            "p_after_choice": "p after choice",
            "p_sidak": "Sidak",
            "p_bonferroni": f"{k} p",
            "p_after_choice_and_rows": "and Holm over rows",
        }
        note = (
            f"Replicate SD: implied by the gain and its p (one-tailed pooled t-test, {n} replicates a side, "
            f"{2 * n - 2} degrees of freedom). Gain by choice alone: what the best of {k} would gain on average "
            f"without any effect. p after choice: exact for the best of {k} normal samples that share one baseline "
            f"(Dunnett); Sidak and the factor {k} ignore that it is shared and are a little stricter. Last column: p "
            "after choice, with Holm's correction over the rows. Inferred: which row is which network, from their "
            "order, and that the one gain of 2 x 128, whose row is a value short, is of validation accuracy."
        )
        table = rows[list(names)].rename(columns=names)
        return self.write("table1-gains", "Table 1: each gain after the choice of lambda", table, note)

    def no_effect1(self, k: int, n: int) -> TableEntry:
        part = self.record["table1"]
        none, rows = part["no_effect"], len(part["rows"])
        lines = [
            (
                f"rows with printed p < {ALPHA:g}",
                f"{none['significant_share']:.1%} (simulated: {none['significant_share_simulated']:.1%})",
                f"{part['rows_below_alpha']['printed']} of {rows}",
            ),
            (
                "mean printed gain",
                f"{none['expected_gain']:.4f} (simulated: {none['expected_gain_simulated']:.4f})",
                f"{part['mean_gain']:.4f}",
            ),
            (f"chance that all {rows} rows print p < {ALPHA:g}", f"{none['all_rows_significant']:.1e}", ""),
        ]
        note = (
            f"Simulated: {none['repeats']} experiments of {n} replicates at {k + 1} values of lambda that all do the "
            "same; the best mean is tested against the baseline, one-tailed. The numbers before them are exact "
            "integrals. Gains at the median replicate SD."
        )
        table = pd.DataFrame(lines, columns=["quantity", "without any effect", "published"])
        return self.write("table1-no-effect", "Table 1: what no effect would print", table, note)

    def power1(self, k: int) -> TableEntry:
        table = pd.DataFrame(self.record["table1"]["power"]).set_axis(
            ["replicate SD", "SD", "detectable gain", "detectable after choice", "replicates for 0.005"], axis=1
        )
        note = (
            "Smallest, median and largest of the implied replicate SDs. Detectable: found with a probability of "
            f"{POWER:.0%} by the paper's test at {ALPHA:g}, and at {ALPHA:g} / {k}. Last column: replicates a side for "
            f"a gain of 0.005 at {ALPHA:g} / {k}."
        )
        return self.write("table1-power", "Table 1: power", table, note)

    def table2(self) -> Section:
        part, n = self.record["table2"], self.record["facts"]["table2"]["validation_images"]
        rows = pd.DataFrame(part["rows"])
        figure = later(audit_figures.table2, rows, part["lambdas"], part["relabelled_histogram"], part["gain"])
        caption = (
            f"(a) Every guided cell minus the baseline of its row, with one binomial standard error (n = {n} images, "
            "one training a cell); grey: the baseline's own standard error; ringed: the best. (b) The mean of the best "
            "gains, and its distribution when any of a row's values could be the baseline's "
            f"({part['gain']['draws']} draws)."
        )
        path = figures.save(figure, self.folder, f"{NAME}-table2")
        return Section(
            title="Table 2 as published: VGG16 and ResNet-50 on Imagenette",
            about=self.about("table2", se_at=part["standard_error_at_0.8"]),
            figures=[FigureEntry("Table 2: cells with their errors, and the gain that choosing makes", path, caption)],
            tables=[self.noise2(part, n), self.rows2(rows, n), self.columns2(), self.placements2(n)],
        )

    def noise2(self, part: dict[str, Any], n: int) -> TableEntry:
        k = len(part["lambdas"]) - 1
        gain, off, within, repeated = (
            part[name] for name in ("gain", "off_baseline", "within_row", "repeated_baselines")
        )

        def interval(spread: dict[str, float]) -> str:
            return f"95 %: {spread['low']:.4f} to {spread['high']:.4f}, {spread['df']} degrees of freedom"

        lines = [
            ("standard error of one accuracy", f"{part['standard_error_at_0.8']:.4f}", f"binomial at 0.8, n = {n}"),
            ("SD within a row", f"{within['sd']:.4f}", interval(within)),
            (
                "the same, row means taken as known",
                f"{part['within_row_raw_sd']:.4f}",
                "SD of all deviations from the row means: too small",
            ),
            (
                "SD of repeated unguided trainings",
                f"{repeated['sd']:.4f}",
                f"{interval(repeated)}; {part['configurations']} networks and trainings",
            ),
            ("mean gain of the best, published", f"{gain['observed']:.4f}", f"{off['rows']} rows"),
            (
                "the same without any effect, normal noise",
                f"{gain['expected_normal']:.4f}",
                f"SD within a row times {gain['expected_normal'] / within['sd']:.3f}, the mean of the best of {k} "
                f"({gain['expected_normal_raw']:.4f} from the smaller SD)",
            ),
            (
                "the same without any effect, relabelled rows",
                f"{gain['expected_relabelled']:.4f}",
                f"SD {gain['sd_relabelled']:.4f}",
            ),
            *((f"p of the published gain, {name}", f"{gain[p]:.3f}", how) for name, p, how in NULLS),
            (
                "rows with the best off the baseline",
                f"{off['off']} of {off['rows']}",
                f"p = {off['p']:.4f} (binomial, {k}/{k + 1}); {off['expected']:.1f} expected",
            ),
            ("rows where the baseline ties with the best", f"{off['tied']}", "a tie would count for the baseline"),
        ]
        note = (
            "All runs of a row are evaluated on the same images, so what these have in common cancels within a row: "
            "the scatter within rows, not the binomial error, is the noise of a comparison."
        )
        table = pd.DataFrame(lines, columns=["quantity", "value", "how"])
        return self.write("table2-noise", "Table 2: noise, and what choosing the best makes of it", table, note)

    def rows2(self, rows: pd.DataFrame, n: int) -> TableEntry:
        names = {
            "model": "model",
            "training": "training",
            "guided_layers": "guided layers",
            "baseline": "baseline",
            "baseline_se": "its SE",
            "row_sd": "SD of the row",
            "best": "best",
            "candidate": "at lambda",
            "gain": "gain",
        }
        note = (
            f"SE: binomial standard error of the baseline cell, n = {n} images. Best: the best guided cell. The "
            "training is inferred from the order of the rows: the available text has lost its check marks."
        )
        return self.write("table2-rows", "Table 2: each row", rows[list(names)].rename(columns=names), note)

    def columns2(self) -> TableEntry:
        table = pd.DataFrame(self.record["table2"]["columns"]).rename(
            columns={"candidate": "lambda", "n": "n rows", "p_holm": "p (Holm)"}
        )
        note = "Paired two-sided t-tests over rows against the lambda = 0 column; difference with its 95 % t-interval."
        return self.write("table2-columns", "Table 2: each lambda against the baseline", table, note)

    def placements2(self, n: int) -> TableEntry:
        table = pd.DataFrame(self.record["table2"]["placements"]).rename(columns=_words)
        note = (
            "The best guided cells of the two best placements, each the best of several single trainings. Images "
            f"between: their difference as a number of the {n} validation images."
        )
        return self.write("table2-placements", "Table 2: the two best placements", table, note)

    def table3(self) -> Section:
        return Section(
            title="Table 3 as published: U-Net on COCO",
            about=self.about("table3"),
            tables=[self.runs3(), self.measures3()],
        )

    def runs3(self) -> TableEntry:
        table = pd.DataFrame(self.record["table3"]["rows"])
        table["training_seconds"] = table["training_seconds"].map("{:.0f}".format)
        table = table.rename(columns=_words)
        note = (
            "One run a lambda. Ratios to the lambda = 0 run: time ratio = epochs ratio x seconds per epoch ratio. "
            "Differences: guided - baseline."
        )
        return self.write("table3-runs", "Table 3: where the time goes", table, note)

    def measures3(self) -> TableEntry:
        part, n = self.record["table3"], self.record["facts"]["table3"]["validation_images"]
        table = pd.DataFrame(part["measures"])
        table["better"] = [f"{better} of {k}" for better, k in zip(table["better"], table["candidates"], strict=True)]
        table = table.drop(columns="candidates").rename(
            columns={
                "p_signs": "p by signs",
                "p_rank": "p, shared baseline",
                "difference": "mean difference",
                "candidates_sd": "SD of guided runs",
                "p_t": "p against that SD",
            }
        )
        note = (
            "One-sided p-values. By signs: as if each guided run had a baseline of its own. Shared baseline: by the "
            "rank of the one baseline among all runs. Against that SD: t-test of the one baseline against the guided "
            f"runs. The sampling error of one accuracy, a mean over n = {n} images, is at most "
            f"{part['accuracy_se_bound']:.4f} (as if each image were all right or all wrong). The runs share the "
            "images, so much of it cancels between them; the scatter between runs is what counts."
        )
        return self.write("table3-measures", "Table 3: accuracy and IoU against one baseline run", table, note)


def _words(name: str) -> str:
    return name.replace("_", " ")
