"""Made-up records of MNIST autoencoders, for the tests of pairs, replays, tables and verdicts."""

from pathlib import Path

import numpy as np
import torch
from msgspec.structs import replace

from replication.autoencoder import grid
from replication.autoencoder.settings import AutoencoderSettings, read
from replication.autoencoder.statistics import pairs
from replication.core.runs import make_record
from replication.core.settings import load

FAMILY = "autoencoder-mnist"
PARAMS = Path(__file__).parents[2] / "params.yaml"


def small_grid() -> AutoencoderSettings:
    """Settings of the paper scale with two widths, five lambda and four replicates."""
    settings = read(load("paper", PARAMS), FAMILY)
    small = replace(
        settings.grid,
        widths=(100, 260),
        unstopped_widths=(260,),
        variant_widths=(100, 260),
        lambdas=(0.0, 1e-4, 0.001, 0.01, 1.0),
        replicates=4,
        variant_replicates=4,
    )
    return replace(settings, grid=small, variants=without_own_baselines(settings))


def without_own_baselines(settings):
    """The variants of the grid's widths: those with widths of their own are compared elsewhere."""
    return {name: variant for name, variant in settings.variants.items() if variant.widths is None}


def falling(epoch):
    return 0.12 / (epoch + 2) + 0.0002


def made(settings, epochs=lambda _: 45, speed=lambda _: 1.0):
    """A record for each run: its MSE falls `speed(run)` times as fast as unguided, for `epochs(run)` epochs."""
    records = []
    for run in grid.grid(settings):
        wobble = 1 + 1e-3 * run["replicate"]
        history = {
            "validation_mse": [falling(speed(run) * wobble * epoch) for epoch in range(1, epochs(run) + 1)],
            "entropy_change": [-100.0 + speed(run) * epoch for epoch in range(1, epochs(run) + 1)],
        }
        metrics = {"stopping_epoch": epochs(run), "stopped_early": 1, "validation_mse": history["validation_mse"][-1]}
        metrics["initial_entropy_change"] = -100.0
        records.append(make_record(run, metrics, history, 1, {}))
    return records


def frame_of(settings, records):
    return pairs.frame(pairs.of_variants(records, settings))


def artefact(run):
    """Epochs by the mechanism of H1: what a float32 sum with the constant would do to the unguided history.

    Keras's running mean is a float32 sum too, of all images.
    """
    if run["form"] != "reciprocal" or run["monitor"] == "base" or run["precision"] == "float64":
        return 45
    constant = torch.tensor(run["lambda"], dtype=torch.float32) / torch.tensor(run["epsilon"], dtype=torch.float32)
    best, waited = float("inf"), 0
    for epoch in range(1, 46):
        loss = torch.tensor(falling((1 + 1e-3 * run["replicate"]) * epoch), dtype=torch.float32) + constant
        value = (by_batches(loss, run["batch_size"]) if run["monitor"] == "keras" else loss).item()
        best, waited = (value, 0) if value < best - run["min_delta"] else (best, waited + 1)
        if waited == run["patience"]:
            return epoch
    return 45


def by_batches(loss, batch_size):
    """The mean over 10,000 images with equal losses, summed up in float32 as keras.metrics.Mean does."""
    total = torch.zeros((), dtype=torch.float32)
    for images in torch.ones(10_000).split(batch_size):
        total = total + loss * len(images)
    return total / 10_000


def without(runs, **cell):
    """All pairs but those of a cell."""
    return runs[~np.logical_and.reduce([runs[name] == value for name, value in cell.items()])]
