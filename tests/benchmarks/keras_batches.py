"""Train runs that watch Keras's mean again, keep the error of each validation batch, and replay it.

    python tests/benchmarks/keras_batches.py [--write]

The replay of an unguided run has one error for all batches of an epoch. Where it tells another last epoch than the run
has, does the error of each batch tell it? Of MNIST's runs that differ, --write makes data/benchmarks/keras-batches.csv:

    trained             last epoch, as recorded
    by_mean             as replayed with one error an epoch, from the run that is trained again
    by_batches          as replayed with the error of each batch
    better_by_mean, better_by_batches   epochs at which the watched value was better than all before, had it gone on
"""

import argparse
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from replication import data
from replication.autoencoder.statistics.replay import keras_mean, replayed_epoch
from replication.autoencoder.training import train
from replication.core import paths
from replication.core.run import Run
from replication.core.runs import Record, read_current
from replication.training.stopping import EarlyStopping, stopping_epoch

FAMILY = "autoencoder-mnist"
FILE = paths.BENCHMARKS / "keras-batches.csv"
BEYOND = 2  # epochs that are trained after both have ended


def main() -> None:
    """Print a row a run; with --write, those so far are the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for record, told in differing(read_current(paths.table("paper", FAMILY))):
        rows.append(compare(record, max(told, record["metrics"]["stopping_epoch"]) + BEYOND))
        print(rows[-1], flush=True)
        if options.write:
            pd.DataFrame(rows).sort_values(["width", "lambda", "replicate"]).to_csv(FILE, index=False)


def differing(records: list[Record]) -> Iterator[tuple[Record, int]]:
    """Runs that watch Keras's mean and end at another epoch than the unguided run of the seed tells; and that epoch."""
    protocol = {"lambda": 0.0, "precision": "float32", "patience": 7, "monitor": "base"}
    unguided = {
        (record["run"]["width"], record["run"]["replicate"]): record
        for record in records
        if protocol.items() <= record["run"].items() and "adam" not in record["run"]
    }
    for record in records:
        run = record["run"]
        if run["monitor"] == "keras":
            beside = unguided[run["width"], run["replicate"]]
            told = replayed_epoch(beside, run["lambda"], run["epsilon"], keras_mean(beside["run"]))
            if told != record["metrics"]["stopping_epoch"]:
                yield record, told


class _WithBatches(train._Stack):
    """The stack of one run, which keeps the error of every validation batch."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.batches: list[list[float]] = []

    def _running_mean(self, penalty_M: torch.Tensor) -> torch.Tensor:
        self.batches.append([self._mse(batch_BI).item() for batch_BI in self.validation_VI.split(self.batch_size)])
        return super()._running_mean(penalty_M)


def compare(record: Record, epochs: int) -> dict[str, Any]:
    """Train a recorded run again for some epochs, unstopped, and replay it both ways."""
    run = Run(FAMILY, record["run"] | {"patience": epochs, "max_epochs": epochs})  # the same seeds: the same training
    stack = _WithBatches([run], data.load(run["dataset"]), torch.device("cpu"))
    for number in range(1, epochs + 1):
        finished = stack.epoch(number).finished
    history = np.array(finished[0]["history"]["validation_mse"])
    recorded = record["history"]["validation_mse"]
    assert list(history[: len(recorded)]) == recorded, "another training"
    constant = np.float32(run["lambda"]) / np.float32(run["epsilon"])
    by_mean = keras_mean(record["run"])(history, constant)
    by_batches = summed(np.array(stack.batches, np.float32), constant, len(stack.validation_VI), run["batch_size"])
    patience, min_delta = record["run"]["patience"], record["run"]["min_delta"]
    row: dict[str, Any] = {name: run[name] for name in ("width", "lambda", "replicate")} | {"trained": len(recorded)}
    for name, watched in (("mean", by_mean), ("batches", by_batches)):
        values = [float(value) for value in watched]
        row[f"by_{name}"] = stopping_epoch(values, patience, min_delta)
        row[f"better_by_{name}"] = " ".join(map(str, better(values, min_delta)))
    return row


def summed(mse_EB: NDArray[np.float32], constant: np.float32, images: int, batch: int) -> NDArray[np.float32]:
    """Keras's mean of each epoch from the errors of its batches."""
    total = np.zeros(len(mse_EB), np.float32)
    for number, first in enumerate(range(0, images, batch)):
        total += (mse_EB[:, number] + constant) * np.float32(min(batch, images - first))
    return total / np.float32(images)


def better(values: list[float], min_delta: float) -> list[int]:
    """The 1-based epochs whose value early stopping takes for an improvement."""
    rule, found = EarlyStopping(len(values), min_delta), []
    for epoch, value in enumerate(values, 1):
        rule.should_stop(value)
        if not rule.epochs_without_improvement:
            found.append(epoch)
    return found


if __name__ == "__main__":
    main()
