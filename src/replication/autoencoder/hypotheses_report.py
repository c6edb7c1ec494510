"""The report's section on hypotheses H1 and H4: what ends guided training early, and whether guidance helps."""

from functools import cached_property
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from replication.autoencoder import claims as autoencoder_claims
from replication.autoencoder import comparisons as stopping_artefact
from replication.autoencoder import grid as autoencoder
from replication.autoencoder import hypotheses as stopping_claims
from replication.autoencoder import hypotheses_figures as stopping_figures
from replication.autoencoder import pairs, replay, square_part
from replication.autoencoder.comparisons import WATCHING_MSE
from replication.autoencoder.pairs import CELL, Pair, Plan
from replication.core import paths
from replication.core.families import calibration_family
from replication.core.runs import Record, of_grid, read_current
from replication.core.settings import AUTOENCODERS, Settings
from replication.report.section import (
    FamilyWriter,
    FigureEntry,
    Section,
    TableEntry,
    count_range,
    hypothesis,
    undecided_by,
    write_table,
)

EPSILONS = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9)  # from one that hides nothing to one where every lambda ends training

TABLES = {  # name -> title, note
    "stopping": (
        "Stopping by variant of the protocol",
        "Means over n pairs of a guided run and the unguided run of its seed. replayed_epoch: predicted from the "
        "unguided run. mse and stopped_baseline, the unguided run's MSE at the guided run's stopping epoch: means over "
        "the pairs compared, whose unguided run lasts as long; difference_low and _high: 95 % t-interval of guided "
        "minus that. A run in float64 stands beside an unguided one in float64.",
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
        f"widths above {autoencoder_claims.ABOVE}, replayed as above; widths weigh alike. The paper's epsilon is "
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
    square_part.NAME: (
        "What the guided square part sees of the images",
        "The square part of the first layer has as many inputs as the layer has units: the image's first ones, row by "
        "row. lit: those that are above zero in some training image; images: share of the training images that "
        "light any of them; variance: their share of the variance of all inputs. Weights of inputs that are always "
        "zero belong to the determinant, and to nothing else.",
    ),
}


DECIDED = {
    "H1": stopping_claims.h1,
    "H1-keras": stopping_claims.h1_keras,
    "H4": stopping_claims.h4,
    "H4-scale": stopping_claims.h4_scale,
}


def section(settings: Settings, folder: Path, note: str) -> Section:
    """Write figures and tables for every family of autoencoders under `folder`. Needs the run tables alone."""
    writers = [_Writer(settings, family, folder, note) for family in AUTOENCODERS]
    metrics, paragraphs = {}, []
    for name, decide in DECIDED.items():
        found = []
        for writer in writers:
            verdict, evidence = decide(writer.runs, writer.plan)
            metrics[f"{name}-{writer.family}"] = said = undecided_by(note, verdict)
            found.append(f"**{said.capitalize()}** on `{writer.family}`: {evidence}.")
        paragraphs.append(hypothesis(name, found))
    exist, planned = (sum(counts) for counts in zip(*(writer.variant_runs() for writer in writers), strict=True))
    paragraphs.append(f"{exist} of the {planned} runs of the variants exist; `params.yaml`, variants, defines them.")
    everything = pd.concat([writer.runs.assign(family=writer.family) for writer in writers], ignore_index=True)
    return Section(
        title="What ends guided training early (H1), and whether guidance helps (H4)",
        about="\n\n".join(paragraphs),
        note=note,
        figures=[figure for writer in writers for figure in writer.figures()],
        tables=[table for writer in writers for table in writer.tables()],
        verdicts={"C12": stopping_claims.c12(everything, {writer.family: writer.plan for writer in writers})},
        metrics={"hypotheses": metrics},
    )


class _Writer(FamilyWriter):
    """One family's part of the section."""

    @cached_property
    def plan(self) -> Plan:
        return pairs.plan(self.settings, self.family)

    @cached_property
    def records(self) -> list[Record]:
        return read_current(paths.table(self.settings.scale, self.family))

    @cached_property
    def pairs(self) -> list[Pair]:
        return pairs.of_variants(self.records, self.settings, self.family)

    @cached_property
    def runs(self) -> pd.DataFrame:
        return pairs.frame(self.pairs)

    @cached_property
    def unstopped(self) -> list[Pair]:
        return pairs.unstopped(self.records, self.settings, self.family)

    @cached_property
    def frames(self) -> dict[str, pd.DataFrame]:
        """By name in TABLES; empty ones have nothing to show."""
        published = pairs.of_published(self.records, self.settings, self.family)
        return {
            "stopping": stopping_artefact.summary(self.runs),
            "threshold": stopping_artefact.thresholds(self.pairs),
            "determinant": stopping_artefact.determinants(self.pairs),
            "time-to-quality": stopping_artefact.time_to_quality(self.runs),
            "time-to-early-quality": stopping_artefact.time_to_early_quality(self.pairs),
            "replay": stopping_artefact.replays(pairs.frame(published)),
            "any-epsilon": self.any_epsilon(),
            "any-epsilon-keras": self.any_epsilon(keras=True),
            "keras-mean": self.keras_mean(),
            "other-protocols": self.other_protocols(),
            "equal-epochs": stopping_artefact.equal_epochs(pairs.frame(self.unstopped)),
            square_part.NAME: square_part.read(self.settings.scale, self.family),
        }

    def variant_runs(self) -> tuple[int, int]:
        """How many exist, of how many planned."""
        variants = autoencoder.variants(self.settings, self.family).values()
        return sum(len(of_grid(self.records, runs)) for runs in variants), sum(map(len, variants))

    @cached_property
    def unguided(self) -> list[Record]:
        """Of the published protocol."""
        planned = autoencoder.paper_grid(self.settings, self.family)
        return of_grid(self.records, [run for run in planned if run["lambda"] == 0])

    @property
    def lambdas(self) -> tuple[float, ...]:
        return self.settings.lambdas_of(self.settings.autoencoder_grids[self.family])

    def keras_mean(self) -> pd.DataFrame:
        return replay.by_rounding(self.unguided, self.lambdas, self.settings.autoencoder.epsilon)

    def other_protocols(self) -> pd.DataFrame:
        """A row a batch size and minimum improvement, a column a lambda."""
        records = read_current(paths.table(self.settings.scale, calibration_family(self.family)))
        if not records:
            return pd.DataFrame()
        epsilon, min_deltas = self.settings.autoencoder.epsilon, self.settings.calibration.min_deltas
        table = replay.other_protocols(records, min_deltas, self.lambdas, epsilon)
        return _a_column_a_lambda(table, ["batch_size", "min_delta", "n"])

    def any_epsilon(self, *, keras: bool = False) -> pd.DataFrame:
        """A row an epsilon, a column a lambda."""
        unguided = [record for record in self.unguided if record["run"]["width"] > autoencoder_claims.ABOVE]
        if not unguided:
            return pd.DataFrame()
        watched: replay.Watched = replay.plain_sum
        if keras:
            watched = replay.keras_mean(unguided[0]["run"])
        table = replay.replayed_grid(unguided, self.lambdas, EPSILONS, watched)
        shown = _a_column_a_lambda(table, ["epsilon"]).sort_values("epsilon", ascending=False, ignore_index=True)
        return shown.assign(n=len(unguided))

    def tables(self) -> list[TableEntry]:
        return [self.table(name, frame) for name, frame in self.frames.items() if len(frame)]

    def table(self, name: str, frame: pd.DataFrame) -> TableEntry:
        title, text = TABLES[name]
        title = f"{title}, `{self.family}`"
        if name != square_part.NAME:
            return self.write(frame, name, title, text)
        made = f"Made by `python -m replication {name} --scale {self.settings.scale}`."
        return write_table(self.folder, f"{self.family}-{name}", title, frame, f"{text} {made}")

    def figures(self) -> list[FigureEntry]:
        drawn = []
        if self.pairs:
            drawn += self.of_pairs()
        if self.unstopped:
            drawn.append(self.along_training())
        return drawn

    def of_pairs(self) -> list[FigureEntry]:
        points = self.runs[self.runs["epsilon"] > 0].groupby([*CELL, "epsilon"])  # the reciprocal form's
        curves = self.runs[self.runs["variant"].isin(WATCHING_MSE)].groupby(CELL)
        unguided = sum(len(pairs.baselines(self.pairs, width)) for width in self.runs["width"].unique())
        replicates = f"n = {count_range(curves.size())} replicates a guided curve ({unguided} unguided runs in all)"
        return [
            self.figure(
                "stopping-epochs",
                "Stopping epoch against lambda / epsilon",
                stopping_figures.stopping_epochs(self.pairs, self.frames["threshold"]),
                f"Points: means over n = {count_range(points.size())} guided runs, bars: smallest and largest. "
                "Lines: mean stopping epoch of the unguided runs if the constant lambda/epsilon is added to their "
                "recorded MSE in float32, by a plain sum or as Keras's running mean; no guided run enters them.",
            ),
            self.figure(
                "determinants",
                "log|det W_sq| along training",
                stopping_figures.determinants(self.pairs),
                f"Means over {replicates}, early stopping on the MSE alone. The modified form lies on the unguided "
                "curve where its gradient is zero.",
            ),
            self.figure(
                "time-to-quality",
                "Epochs to reach a given MSE",
                stopping_figures.time_to_quality(self.pairs),
                f"Means over {replicates}, as far as all of them get; early stopping on the MSE alone.",
            ),
        ]

    def along_training(self) -> FigureEntry:
        return self.figure(
            "along-training",
            "Guided and unguided training at equal epochs",
            stopping_figures.along_training(self.unstopped),
            f"Means over n = {count_range(self.frames['equal-epochs']['n'])} replicates, as far as all of them get. "
            "The unguided runs have no early stopping here; that of the guided ones watches the total, as published.",
        )

    def figure(self, name: str, title: str, drawn: Figure, caption: str) -> FigureEntry:
        return self.draw(drawn, name, f"{title}, `{self.family}`", caption)


def _a_column_a_lambda(table: pd.DataFrame, index: list[str]) -> pd.DataFrame:
    """Cells "stopping epoch (MSE)", with a + after the epoch where a run is capped; `index` are the columns before."""
    capped = table.get("capped", pd.Series(0, index=table.index))
    cells = [
        f"{epoch:.1f}{'+' if more else ''} ({mse:.4f})"
        for epoch, more, mse in zip(table["stopping_epoch"], capped, table["mse"], strict=True)
    ]
    shown = table.assign(cell=cells).pivot(index=index, columns="lambda", values="cell")
    return shown.rename(columns="lambda {:g}".format).rename_axis(columns=None).reset_index()
