"""The report's section on hypotheses H1 and H4: what ends guided training early, and whether guidance helps."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from replication.autoencoder import record
from replication.autoencoder.report import figures
from replication.autoencoder.settings import AutoencoderSettings
from replication.autoencoder.statistics import added, claims, pairs
from replication.autoencoder.statistics import findings as computed
from replication.autoencoder.statistics.comparisons import WATCHING_MSE
from replication.autoencoder.statistics.pairs import CELL, Pair
from replication.core.findings import Findings
from replication.report.drawing import Drawing, later
from replication.report.section import (
    FamilyWriter,
    FigureEntry,
    Section,
    TableEntry,
    count_range,
    hypotheses,
    write_table,
)

TABLES = {  # name -> title, note
    "stopping": (
        "Stopping by variant of the protocol",
        "Means over n pairs of a guided run and the unguided run of its seed. replayed_epoch: the end of the "
        "replay, which is explained where this section begins. mse and stopped_baseline, the unguided run's MSE at the "
        "guided run's stopping epoch: means over the pairs compared, whose unguided run lasts as long; difference_low "
        "and _high: 95 % t-interval of guided minus that. A run in float64 stands beside an unguided one in float64.",
    ),
    "threshold": (
        "Rounding threshold in lambda / epsilon",
        "From which lambda/epsilon on training ends in at most half the unguided epochs. Predicted: rounding = "
        "2^23 times the typical (median) improvement of the MSE in an epoch, where rounding begins to hide it; "
        "replay = smallest power of two at which the replayed unguided runs are halved. Observed: between not_yet "
        "and halved. Rounding tells the onset, and is below what is observed: the MSE may fall by one such improvement "
        "in each epoch of patience. n unguided runs.",
    ),
    "determinant": (
        "Does guidance move the determinant?",
        "log|det W_sq| in nats, means over n pairs: at the start, and after the last epoch that both runs have; "
        "low, high: 95 % t-interval of guided minus unguided.",
    ),
    "time-to-quality": (
        "Epochs to a given MSE",
        "Target: the best MSE that the unguided run had reached after two thirds of its epochs, to 0.1 %. "
        "reached: guided runs that got there before early stopping ended them. Where all did: mean epochs, and "
        "low, high, the 95 % t-interval of the paired difference. common_mse: after the last epoch that both have.",
    ),
    "time-to-early-quality": (
        "Epochs to an MSE that the unguided run reaches early, exact form",
        "As the table above, with the best MSE of the unguided run after an earlier share of its epochs. No rule was "
        "written for these targets: they were chosen when all of these runs were known, and several are looked at. "
        "95 % t-intervals, not corrected.",
    ),
    "replay": (
        "Stopping epochs told from unguided runs, every width",
        "The published protocol. replayed_epoch: where early stopping would have ended the unguided run of the seed, "
        "had lambda/epsilon been added to its recorded MSE in float32; its own last epoch where that would not have "
        "ended it, so that guided runs which outlast it are missed. Means over n pairs; exact, within_one: shares of "
        "the pairs told to the epoch, and to one; largest: difference in epochs.",
    ),
    "any-epsilon": (
        "What any epsilon would show, told from unguided runs",
        "Stopping epoch (and MSE at it) by lambda, were the penalty the constant lambda/epsilon: unguided runs of "
        f"widths above {claims.ABOVE}, replayed as above; widths weigh alike. The paper's epsilon is "
        "unknown. Published: 8 to 10 epochs for large lambda, over 40 for none (MNIST), and two groups of lambda with "
        "nothing between them.",
    ),
    "any-epsilon-keras": (
        "What any epsilon would show with Keras's mean, told from unguided runs",
        "As the table above, with the loss that Keras's callbacks see: a running mean, for which each batch's loss "
        "times its images is summed up in float32 before it is divided by the images. That rounds more coarsely than "
        "the plain sum of the published protocol's runs; those of variant keras-mean watch it. All batches of an epoch "
        "are taken to have its MSE. Where they differ by more than the rounding step, the sum hides less than is told "
        "here, and training goes on longer (at lambda 0.001: the variant's epochs and replayed_epoch, first table).",
    ),
    "keras-mean": (
        "Stopping epochs with the plain sum and with Keras's mean, every width",
        "Replayed from n unguided runs at the epsilon of the runs, as in the two tables above. unguided_epoch: their "
        "own stopping epoch; keras_mse: their MSE where Keras's mean would end them. Added after all of these runs "
        "were known: the verdict on H1-keras stands on the runs of variant keras-mean.",
    ),
    "other-protocols": (
        "Stopping epochs with other batch sizes and minimum improvements, told from unguided runs",
        "The calibration's unguided runs, n widths, replayed with the plain sum: mean stopping epoch (and MSE at it); "
        "+ where a run went on to the limit of its epochs. What a large lambda does hardly depends on the minimum "
        "improvement; what it is compared with does. In use: see the settings at the end.",
    ),
    "equal-epochs": (
        "Guided and unguided training at equal epochs",
        "Each guided run after its last epoch beside the unguided run of its seed, trained without early stopping, "
        "after as many, at the widths that params.yaml names for it (unstopped_widths): of the paper's, the one at "
        "which guided runs on MNIST outlast those that early stopping ends. Means over n pairs; low, high: 95 % "
        "t-interval of guided minus unguided MSE; change: log|det W_sq| in nats. Planned after MNIST's guided runs "
        "had been seen: no rule was written before.",
    ),
    "optimiser": (
        "Unguided training with Keras's rule for Adam's epsilon",
        "Keras adds epsilon before it corrects the bias of the mean square, torch after it. torch, keras: mean "
        "stopping epochs of n unguided runs by each rule, from the same weights and batches; difference: Keras's minus "
        "torch's, with its t-interval of 95 %, corrected over the widths above 100 (low, high); torch_mse and "
        "keras_mse after the last epoch that both have.",
    ),
    added.AGAIN: (
        "The exact form and the norm alone once more (H12), in seeds that H4 has not seen",
        "As epochs to the target above, by seeds: H4's, the new ones, and all.",
    ),
    added.WEAKER: (
        "The exact form below the grid's lambda (H13)",
        "As epochs to the target above; intervals corrected over the planned cells (Bonferroni).",
    ),
    "unstopped": (
        "The log and the exact form with a patience of 60 epochs (H14)",
        "As epochs to the target above; the unguided runs are the published protocol's.",
    ),
    "ten-seeds": (
        "C6's second line: ten seeds at lambda 0.01",
        "Mean stopping epochs with lambda 0.01 and without guidance; excess: epochs above half of those of the seed's "
        "unguided run, with its 95 % t-interval over n pairs. It decides of the clause on lambda 0.01 alone.",
    ),
    record.NAME: (
        "What the guided square part sees of the images",
        "The square part of the first layer has as many inputs as the layer has units: the image's first ones, row by "
        "row. lit: those that are above zero in some training image; images: share of the training images that "
        "light any of them; variance: their share of the variance of all inputs. Weights of inputs that are always "
        "zero belong to the determinant, and to nothing else.",
    ),
}


REPLAY = (
    "A *replay* asks when an unguided run would have ended, had it been guided. It takes the error that the run "
    "recorded after each epoch, adds the constant lambda / epsilon in float32, and lets early stopping read the sums. "
    "Nothing is trained. The epoch at which early stopping ends is a prediction: no guided run enters it."
)


def section(families: Sequence[Any], findings: Mapping[str, Findings], folder: Path, note: str) -> Section:
    """Write figures and tables for every family of autoencoders under `folder`."""
    writers = [_Writer(family, family.settings, findings[family.name], folder, note) for family in families]
    paragraphs = [REPLAY, *hypotheses(computed.decided(findings), note)]
    exist, planned = (
        sum(counts) for counts in zip(*(writer.found.facts["variant_runs"] for writer in writers), strict=True)
    )
    paragraphs.append(f"{exist} of the {planned} runs of the variants exist; `params.yaml`, variants, defines them.")
    return Section(
        title="What ends guided training early (H1), and whether guidance helps (H4)",
        about="\n\n".join(paragraphs),
        note=note,
        figures=[figure for writer in writers for figure in writer.figures()],
        tables=[table for writer in writers for table in writer.tables()],
    )


class _Writer(FamilyWriter[AutoencoderSettings]):
    """One family's part of the section."""

    @cached_property
    def pairs(self) -> list[Pair]:
        return pairs.of_variants(self.family.records, self.settings)

    @cached_property
    def unstopped(self) -> list[Pair]:
        return pairs.unstopped(self.family.records, self.settings)

    def tables(self) -> list[TableEntry]:
        return [self.table(name) for name in TABLES if len(self.found.table(name))]

    def table(self, name: str) -> TableEntry:
        title, text = TABLES[name]
        title, table = f"{title}, `{self.family.name}`", self.found.table(name)
        if name != record.NAME:
            return self.write(table, name, title, text)
        made = f"Made by `python -m replication {name} --scale {self.family.scale}`."
        return write_table(self.folder, f"{self.family.name}-{name}", title, table, f"{text} {made}")

    def figures(self) -> list[FigureEntry]:
        drawn = []
        if self.pairs:
            drawn += self.of_pairs()
        if self.unstopped:
            drawn.append(self.along_training())
        return drawn

    def of_pairs(self) -> list[FigureEntry]:
        runs = self.found.table("pairs")
        points = runs[runs["epsilon"] > 0].groupby([*CELL, "epsilon"])  # the reciprocal form's
        curves = runs[runs["variant"].isin(WATCHING_MSE)].groupby(CELL)
        unguided = sum(len(pairs.baselines(self.pairs, width)) for width in runs["width"].unique())
        replicates = f"n = {count_range(curves.size())} replicates a guided curve ({unguided} unguided runs in all)"
        return [
            self.figure(
                "stopping-epochs",
                "Stopping epoch against lambda / epsilon",
                later(figures.stopping_epochs, self.pairs, self.found.table("threshold")),
                f"Points: means over n = {count_range(points.size())} guided runs, bars: smallest and largest. "
                "Lines: mean stopping epoch of the unguided runs if the constant lambda/epsilon is added to their "
                "recorded MSE in float32, by a plain sum or as Keras's running mean; no guided run enters them.",
            ),
            self.figure(
                "determinants",
                "log|det W_sq| along training",
                later(figures.determinants, self.pairs),
                f"Means over {replicates}, early stopping on the MSE alone. The modified form lies on the unguided "
                "curve where its gradient is zero.",
            ),
            self.figure(
                "time-to-quality",
                "Epochs to reach a given MSE",
                later(figures.time_to_quality, self.pairs),
                f"Means over {replicates}, as far as all of them get; early stopping on the MSE alone.",
            ),
        ]

    def along_training(self) -> FigureEntry:
        return self.figure(
            "along-training",
            "Guided and unguided training at equal epochs",
            later(figures.along_training, self.unstopped),
            f"Means over n = {count_range(self.found.table('equal-epochs')['n'])} replicates, as far as all of them "
            "get. The unguided runs have no early stopping here; that of the guided ones watches the total, as "
            "published.",
        )

    def figure(self, name: str, title: str, drawn: Drawing, caption: str) -> FigureEntry:
        return self.draw(drawn, name, f"{title}, `{self.family.name}`", caption)
