"""What the guided inputs see of the images, and where the change of log|det W_sq| comes from: measured on data, for the
report, which has none.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from entropy_guidance import dense_entropy_change
from replication import data
from replication.autoencoder.training import guided_inputs
from replication.autoencoder.training.guided_inputs import Seen
from replication.autoencoder.training.train import initial_weights, train_again
from replication.core import paths, strict_json, studies
from replication.core.run import Run
from replication.core.runs import Record, read_current
from replication.core.settings import Parameters
from replication.data.images import ImageSet, pixels
from replication.inputs.grid import arms
from replication.inputs.record import NAME
from replication.inputs.settings import read as read_settings
from replication.inputs.statistics.claims import EFFECT_LAMBDA
from replication.inputs.statistics.pairs import LEADING

RARE = 0.001  # of the images, below which an input is rare
GROUPS = ("always zero", "rare", "alive")
CPU = torch.device("cpu")


def write(parameters: Parameters) -> Path:
    """Measure every family's data set, train some runs again, write data/runs/<scale>/guided-inputs.json; the path."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as a sweep's workers, for the same bits
    record = {}
    for family in (name for name, room in parameters.families.items() if room == "inputs"):
        settings = read_settings(parameters, family)
        if settings is None:
            continue
        images = data.load(settings.grid.dataset)
        assert isinstance(images, ImageSet)
        seen = guided_inputs.seen(pixels(images.train_images))
        again = dissected(arms(settings).get(LEADING, [])) if (seen.lit_I == 0).any() else []
        table = read_current(paths.table(parameters.scale, family))
        record[family] = {
            **described(images, seen),
            "sources": [row for run in again for row in sources(run, images, seen, table)],
        }
    torch.set_num_threads(threads)
    path = paths.record(parameters.scale, NAME)
    studies.write(path, strict_json.dumps(record) + "\n")
    return path


def dissected(runs: Iterable[Run]) -> list[Run]:
    """Of the leading block's runs the first at each width, at the lambda at which H9 asks for an effect."""
    return [run for run in runs if run["replicate"] == 0 and run["lambda"] == EFFECT_LAMBDA]


def described(images: ImageSet, seen: Seen) -> dict[str, Any]:
    """Of the training images: how many, their shape (C, H, W), and for each input, as `pixels` orders them, the mean
    and the variance of its bytes and the number of images that light it.
    """
    count = len(images.train_images)
    return {
        "images": count,
        "shape": list(images.train_images.shape[1:]),
        "mean": _short(seen.sum_I / count),
        "variance": _short(seen.spread_I.double() / count**2),
        "lit": seen.lit_I.tolist(),
    }


def _short(values: Tensor) -> list[float]:
    return [float(f"{value:.5g}") for value in values.tolist()]


def sources(run: Run, images: ImageSet, seen: Seen, table: Iterable[Record]) -> list[dict[str, Any]]:
    """Which inputs the change of log|det W_sq| over a training comes from. Trains the run again.

    A row a group of the guided inputs, with width, lambda, replicate, group, inputs (how many), alone (nats that are
    lost when their columns alone get their initial values back), in_turn (the same when those of the groups before have
    them back already: these add up to the whole change), and identical (whether the training repeated the recorded one
    bit for bit; none where there is no record).
    """
    record, weights = train_again(run, images, CPU)
    guided = record.get("inputs") or list(range(run["width"]))
    before, after = (
        encoder[0, :, guided].double() for encoder in (initial_weights([run], images).encoder_MLI, weights.encoder_MLI)
    )
    groups = grouped(seen.lit_I[guided], len(images.train_images))
    known = next((other["history"] for other in table if other["key"] == run.key), None)
    rows, left, last = [], after.clone(), _change(after)
    for name, columns in groups.items():
        alone = after.clone()
        alone[:, columns] = before[:, columns]
        left[:, columns] = before[:, columns]
        rows.append(
            {
                **{setting: run[setting] for setting in ("width", "lambda", "replicate")},
                "group": name,
                "inputs": int(columns.sum()),
                "alone": _change(after) - _change(alone),
                "in_turn": last - _change(left),
                "identical": None if known is None else known == record["history"],
            }
        )
        last = _change(left)
    return rows


def grouped(lit_L: Tensor, images: int) -> dict[str, Tensor]:
    """Which of some inputs are in each group, (L,) bool, by how many images light them."""
    dead, rare = lit_L == 0, lit_L < RARE * images
    return dict(zip(GROUPS, (dead, rare & ~dead, ~rare), strict=True))


def _change(block_LL: Tensor) -> float:
    return float(dense_entropy_change(block_LL))
