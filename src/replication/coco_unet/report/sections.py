"""The report's sections on the U-Nets: Table 3, Figure 10, and claim C11."""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from replication.coco_unet import grid as unet
from replication.coco_unet.report import figures as unet_figures
from replication.coco_unet.statistics import claims as unet_claims
from replication.core import paths, published
from replication.core.runs import Record, of_grid, read_current
from replication.core.settings import UNETS, Settings
from replication.report.section import FamilyWriter, FigureEntry, Section, TableEntry, runs_about, runs_metrics

TITLES = {"unet-coco": "U-Net on COCO", "unet-coco-sample": "U-Net on a sample of COCO"}


def sections(settings: Settings, folder: Path, note: str) -> list[Section]:
    """A section for each family of this scale; the first decides C11, from the sample while it has no runs itself."""
    families = [family for family in UNETS if family in settings.unet_grids]
    writers = [_Writer(settings, family, folder, _note(settings, family, note)) for family in families]
    found = [writer.section() for writer in writers]
    deciding = next((writer for writer in writers if len(writer.runs()) > 1), writers[0])
    verdict = unet_claims.c11(deciding.runs(), published.table(3))
    return [replace(found[0], verdicts={"C11": verdict}), *found[1:]]


def _note(settings: Settings, family: str, stand_in: str) -> str:
    """Printed at every figure and table: what keeps the numbers from being compared with the paper's."""
    if stand_in or not family.endswith("sample"):
        return stand_in
    grid = settings.unet_grids[family]
    _, train, validation = grid.dataset.rsplit("-", 2)
    return f"a sample of {train} + {validation} images, {grid.widths[0]} to {grid.widths[-1]} filters"


class _Writer(FamilyWriter):
    def records(self) -> list[Record]:
        table = read_current(paths.table(self.settings.scale, self.family))
        return of_grid(table, unet.grid(self.settings, self.family))

    def runs(self) -> pd.DataFrame:
        return unet.frame(self.records())

    def section(self) -> Section:
        records = self.records()
        planned = len(unet.grid(self.settings, self.family))
        about = [runs_about(self.settings.scale, self.family, records, planned)]
        drawn: list[FigureEntry] = []
        tables: list[TableEntry] = []
        baseline = unet_claims.unguided(records)
        if baseline is not None:
            about += self.words(records, baseline)
            scores = unet_claims.scores(records, baseline)
            tables = [self.table3(scores), self.gains(scores)]
            drawn = [self.figure10(records, baseline)] if baseline["shown"] else []  # few images may have none to show
            drawn.append(self.histories(records))
        return Section(
            title=f"{TITLES[self.family]} (`{self.family}`)",
            about="\n\n".join(about),
            note=self.note,
            figures=drawn,
            tables=tables,
            metrics={self.family: runs_metrics(records, planned)},
        )

    def words(self, records: list[Record], baseline: Record) -> list[str]:
        trivial = unet_claims.trivial(baseline)
        data = sorted({record["environment"]["data"] for record in records})
        return [
            f'Data: {"; ".join(data)}. Without any network, "no object anywhere" has an accuracy of '
            f'{trivial["accuracy"]:.4f}, and "object everywhere" an IoU of {trivial["iou"]:.4f}.',
            "Early stopping on the total goes on as long as the penalty falls by more than the minimum change, "
            "whatever the error does: runs at different lambda may end after very different numbers of epochs.",
            self.timing(records),
        ]

    def timing(self, records: list[Record]) -> str:
        """Published and own seconds per epoch: how much of a difference in time is the clock's."""
        printed = published.table(3)
        theirs = printed["training_seconds"] / printed["epochs"]
        ours = [record["metrics"]["seconds_per_epoch"] for record in records]
        text = (
            f"Time: the published seconds per epoch range from {theirs.min():.0f} to {theirs.max():.0f} "
            f"({theirs.max() / theirs.min():.2f} times) though every epoch does the same work"
        )
        if len(ours) > 1:
            text += f"; ours from {min(ours):.4g} to {max(ours):.4g} ({max(ours) / min(ours):.2f} times)"
        return text + ". Seconds therefore say little of guidance; epochs are what C11 is decided on."

    def table3(self, scores: pd.DataFrame) -> TableEntry:
        grid = self.settings.unet_grids[self.family]
        ours = unet_claims.of_protocol(scores, grid.placement, self.settings.unet.monitor).set_index("lambda")
        printed = published.table(3).set_index("lambda")
        rows = []
        for lambda_ in sorted({*printed.index, *ours.index}):
            line: dict[str, float | str] = {"lambda": lambda_}
            if lambda_ in printed.index:
                row = printed.loc[lambda_]
                line |= {
                    "epochs, published": row["epochs"],
                    "seconds per epoch, published": row["training_seconds"] / row["epochs"],
                    "accuracy, published": row["accuracy"],
                    "IoU, published": row["iou"],
                }
            if lambda_ in ours.index:
                line |= self.own(ours.loc[lambda_])
            rows.append(line)
        note = (
            f"Layers {grid.placement}, early stopping on the {self._watched()}, one run a lambda. Accuracy and IoU at "
            "a threshold of 0.5 over all validation pixels together, after the last epoch; 95 % bootstrap intervals "
            "over validation images, which leave out how much one training differs from the next. Image IoU: the mean "
            "of every image's own. The paper does not say which IoU it prints."
        )
        return self.write(pd.DataFrame(rows), "table3", "Table 3, published and ours", note)

    @staticmethod
    def own(run: pd.Series) -> dict[str, float | str]:
        return {
            "epochs": run["stopping_epoch"],
            "ended by": "early stopping" if run["stopped_early"] else "epoch limit",
            "seconds per epoch": run["seconds_per_epoch"],
            "accuracy": run["accuracy"],
            "accuracy, 95 %": f"{run['accuracy_low']:.4f} to {run['accuracy_high']:.4f}",
            "IoU": run["iou"],
            "IoU, 95 %": f"{run['iou_low']:.4f} to {run['iou_high']:.4f}",
            "image IoU": run["image_iou"],
        }

    def gains(self, scores: pd.DataFrame) -> TableEntry:
        base = scores[(scores["lambda"] == 0) & (scores["replicate"] == 0)].iloc[0]
        rows = [
            {
                "layers": run["placement"],
                "lambda": run["lambda"],
                "watched": run["monitor"],
                "seed": run["replicate"],
                "epochs": run["stopping_epoch"],
                "times the unguided": run["stopping_epoch"] / base["stopping_epoch"],
                "best epoch": run["best_epoch"],
                "validation MSE": run["validation_loss"],
                "accuracy gain": run["accuracy_gain"],
                "accuracy gain, equal epochs": run["accuracy_gain_equal_epochs"],
                "accuracy gain, 95 %": f"{run['accuracy_gain_low']:.4f} to {run['accuracy_gain_high']:.4f}",
                "IoU gain": run["iou_gain"],
                "IoU gain, 95 %": f"{run['iou_gain_low']:.4f} to {run['iou_gain_high']:.4f}",
                "images per second": run["images_per_second"],
            }
            for _, run in scores.sort_values(["placement", "monitor", "lambda", "replicate"]).iterrows()
        ]
        note = (
            "Every run against the unguided one of seed 0, which the guided ones share: gains with paired 95 % "
            "bootstrap intervals over validation images. Equal epochs: both read after the last epoch that both had; "
            "the other gains also hold what more or fewer epochs do. Unguided runs of other seeds show what a change "
            "of seed alone does. Watched: total has the penalty in what early stopping watches, base the MSE alone. "
            "Whether too large a lambda slows convergence (C12) is decided on the autoencoders; these epochs are more "
            "evidence."
        )
        return self.write(pd.DataFrame(rows), "gains", "All runs against the unguided one", note)

    def figure10(self, records: list[Record], baseline: Record) -> FigureEntry:
        found = self.by_lambda(records, self.settings.unet.monitor).values()
        guided = [record for record in found if record["run"]["lambda"] != 0]
        figure = unet_figures.masks(baseline, guided)
        ids = ", ".join(str(entry["id"]) for entry in baseline["shown"])
        caption = (
            "Masks at a threshold of 0.5, white is object. The images are the first of the validation split, by "
            f"number, whose licence allows passing them on and whose objects cover 10 to 90 % (numbers {ids}): a rule, "
            "not a choice by eye. Each run after its last epoch: "
            + ", ".join(
                f"{r['metrics']['stopping_epoch']} (lambda {r['run']['lambda']:g})" for r in [baseline, *guided]
            )
            + "."
        )
        return self.draw(figure, "figure10", "Figure 10: masks without and with guidance", caption)

    def histories(self, records: list[Record]) -> FigureEntry:
        curves = {
            f"early stopping on {'the total' if monitor == 'total' else 'the MSE alone'}": found
            for monitor in ("total", "base")
            if len(found := self.by_lambda(records, monitor)) > 1
        } or {"no guidance": self.by_lambda(records, "base")}
        figure = unet_figures.histories(curves, published.table(3))
        caption = (
            "Validation MSE after every epoch; a dot where early stopping ended training, a ring where the limit of "
            f"{records[0]['run']['max_epochs']} epochs did. Marks on the axis: the published numbers of "
            "epochs, black without guidance."
        )
        return self.draw(figure, "histories", "Convergence of the U-Nets", caption)

    def by_lambda(self, records: list[Record], monitor: str) -> dict[float, Record]:
        placement = self.settings.unet_grids[self.family].placement
        keys = unet_claims.of_protocol(unet.frame(records), placement, monitor)["key"]
        return {record["run"]["lambda"]: record for key in keys for record in records if record["key"] == key}

    def _watched(self) -> str:
        return {"total": "total", "base": "MSE alone"}[self.settings.unet.monitor]
