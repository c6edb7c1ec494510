"""What training an autoencoder costs on one core of this machine: `python tests/benchmarks/engine.py [--write]`.

Two tables, as CSV under data/benchmarks with `--write`. Everything runs in one process with one thread and is measured
in CPU seconds, which other work on the machine does not stretch much; ways take turns, so that all meet the same load.

- engine.csv: CPU seconds per model-epoch (60,000 training and 10,000 validation images of MNIST, measured on a share
  of them) of the trainer and of the usual ways to write the same training. A sweep trains one model a core, as
  workers.py measures to be best; the other ways, which share the cores for one model, are thus credited with perfect
  scaling. `floor`: the matrix products alone, at the rate of a large product: nothing that multiplies in float32 can be
  faster.
- guidance.csv: what the penalty adds to a training step; the ratio is the median of n paired steps.

Keras is measured if it is installed; it is no dependency.
"""

import argparse
import importlib.util
import itertools
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from machine import processor, product_rate
from torch import nn

from replication import data as datasets
from replication.autoencoder import grid
from replication.autoencoder.settings import read
from replication.autoencoder.training import train as trainer
from replication.core.run import Run
from replication.core.settings import load
from replication.data.images import ImageSet

INPUTS, TRAIN, VALIDATION = 784, 60_000, 10_000
SHARE = 10  # an epoch is measured on a tenth of the images, divided among the models of a stack,
LEAST = 4  # but on so many batches at least
OUT = Path("data/benchmarks")
Epochs = Iterator[Any]  # advances by one epoch of every model


def runs(width: int, batch: int, models: int, lambda_: float = 0.0, **changes: Any) -> list[Run]:
    settings = read(load("paper"), "autoencoder-mnist")
    changes |= {"batch_size": batch, "monitor": "base", "min_delta": 0.0, "patience": 1000}
    return [grid.make_run(settings, width, lambda_, k, **changes) for k in range(models)]


def ours(width: int, batch: int, images: ImageSet, models: int = 1) -> Epochs:
    return trainer.train(runs(width, batch, models), images, torch.device("cpu"))


def autograd(width: int, batch: int, images: ImageSet) -> Epochs:
    """The trainer as it is on a GPU, without CUDA graphs: products through autograd."""
    written, trainer.Backpropagation = trainer.Backpropagation, lambda *_: None  # type: ignore[assignment,misc]
    epochs = ours(width, batch, images)
    yield next(epochs)
    trainer.Backpropagation = written  # type: ignore[misc]
    yield from epochs


def model_of(width: int) -> tuple[nn.Module, torch.optim.Optimizer]:
    model = nn.Sequential(nn.Linear(INPUTS, width), nn.Sigmoid(), nn.Linear(width, INPUTS), nn.Sigmoid())
    return model, torch.optim.Adam(model.parameters(), eps=1e-7)


def plain_loop(width: int, batch: int, images: ImageSet) -> Epochs:
    x, v = (t.flatten(1).float() / 255 for t in (images.train_images, images.validation_images))
    model, optimizer = model_of(width)
    while True:
        for chosen in torch.randperm(len(x)).split(batch):
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x[chosen]), x[chosen]).backward()
            optimizer.step()
        with torch.no_grad():
            error = nn.functional.mse_loss(model(v), v).item()
        yield error


def data_loader(width: int, batch: int, images: ImageSet) -> Epochs:
    from torch.utils.data import DataLoader, Subset
    from torchvision.datasets import MNIST
    from torchvision.transforms import ToTensor

    loaders = []
    for train, used in ((True, images.train_images), (False, images.validation_images)):
        data = Subset(MNIST("data/raw", train=train, transform=ToTensor()), range(len(used)))
        loaders.append(DataLoader(data, batch_size=batch, shuffle=train))
    model, optimizer = model_of(width)
    while True:
        for x, _ in loaders[0]:
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x.flatten(1)), x.flatten(1)).backward()
            optimizer.step()
        with torch.no_grad():
            error = sum(nn.functional.mse_loss(model(x.flatten(1)), x.flatten(1)).item() for x, _ in loaders[1])
        yield error


def keras_fit(width: int, batch: int, images: ImageSet) -> Epochs:
    import keras

    x, v = (t.flatten(1).float().numpy() / 255 for t in (images.train_images, images.validation_images))
    layers = [keras.layers.Dense(width, activation="sigmoid"), keras.layers.Dense(INPUTS, activation="sigmoid")]
    model = keras.Sequential([keras.layers.Input((INPUTS,)), *layers])
    model.compile(optimizer="adam", loss="mse")
    while True:
        yield model.fit(x, x, batch_size=batch, epochs=1, validation_data=(v, v), verbose=0)


WAYS: dict[str, tuple[Callable[[int, int, ImageSet], Epochs], int]] = {  # how, models
    "ours": (ours, 1),
    "ours, a stack of 10": (partial(ours, models=10), 10),
    "ours, a stack of 70": (partial(ours, models=70), 70),
    "ours, by autograd": (autograd, 1),
    "plain torch loop, resident tensors": (plain_loop, 1),
    "torch DataLoader, torchvision's MNIST": (data_loader, 1),
    "Keras fit": (keras_fit, 1),
}


def cpu_seconds(action: Callable[[], Any]) -> float:
    start = time.process_time()
    action()
    return time.process_time() - start


def part_of(full: ImageSet, batch: int, models: int) -> tuple[ImageSet, float]:
    """Whole batches of images for each model of a stack, and how many epochs on them make one model-epoch."""
    train = max(LEAST * batch, TRAIN // SHARE // models // batch * batch)
    validation = VALIDATION * train // TRAIN
    used = ImageSet(
        full.train_images[:train],
        full.train_labels[:train],
        full.validation_images[:validation],
        full.validation_labels[:validation],
    )
    return used, TRAIN / train / models


def engine_table(n: int, width: int, batch: int) -> pd.DataFrame:
    """One cell: every way's first epoch warms up, then all take turns, `n` epochs each."""
    full = datasets.load("mnist")
    ways: dict[str, tuple[Epochs, float]] = {}
    for way, (how, models) in WAYS.items():
        if way != "Keras fit" or importlib.util.find_spec("keras"):
            images, share = part_of(full, batch, models)
            ways[way] = how(width, batch, images), share
            next(ways[way][0])
    rates, seconds = [], []
    for _ in range(n):
        rates.append(product_rate())
        seconds.append([share * cpu_seconds(lambda epochs=epochs: next(epochs)) for epochs, share in ways.values()])
    table = np.array(seconds)
    rate = float(np.median(rates))
    floor = (10 * TRAIN + 4 * VALIDATION) * INPUTS * width / rate
    return pd.DataFrame(
        {
            "width": width,
            "batch": batch,
            "way": list(ways),
            "n": n,
            "cpu_seconds": np.median(table, axis=0),
            "fastest": table.min(axis=0),
            "slowest": table.max(axis=0),
            "times_ours": np.median(table / table[:, :1], axis=0),
            "floor": floor,
            "share_of_floor_rate": floor / np.median(table, axis=0),
            "product_gflops": rate / 1e9,
        }
    )


GUIDED: dict[str, dict[str, Any]] = {
    "none": {},
    "reciprocal": {"lambda_": 1.0},
    "log": {"lambda_": 1e-4, "form": "log"},
    "exact": {"lambda_": 1e-4, "form": "exact"},
}


def guidance_table(n: int, width: int, batch: int) -> pd.DataFrame:
    """One cell: single steps of each kind of guidance, in turn."""
    images = datasets.load("mnist")
    stacks = [
        trainer._Stack(runs(width, batch, 1, **changes), images, torch.device("cpu")) for changes in GUIDED.values()
    ]
    order = torch.randperm(TRAIN)[None]
    rows = []
    for k in range(n + 5):
        first = k * batch % (TRAIN - batch)
        rows.append([cpu_seconds(lambda s=s, f=first: s._step(order[:, f : f + batch])) for s in stacks])
    seconds = np.array(rows[5:])
    low, ratio, high = np.quantile(seconds / seconds[:, :1], (0.25, 0.5, 0.75), axis=0)
    return pd.DataFrame(
        {
            "width": width,
            "batch": batch,
            "guidance": list(GUIDED),
            "n": n,
            "cpu_seconds": np.median(seconds, axis=0),
            "ratio": ratio,
            "ratio_quartile_low": low,
            "ratio_quartile_high": high,
        }
    )


def about() -> dict[str, str]:
    """Hardware and versions."""
    versions = f"python {platform.python_version()}, torch {torch.__version__}"
    if importlib.util.find_spec("keras"):
        import keras

        backend = importlib.import_module(keras.backend.backend())
        versions += f", keras {keras.__version__} on {backend.__name__} {backend.__version__}"
    return {"hardware": f"one core of {processor()}", "versions": versions}


def publish(table: pd.DataFrame, file: str, *, write: bool) -> None:
    """Print a table with hardware and versions, and write it to data/benchmarks/FILE."""
    print(f"{', '.join(about().values())}\n\n{table.to_markdown(index=False, floatfmt='.3g')}")
    if write:
        table.assign(**about()).to_csv(OUT / file, index=False, float_format="%.4g")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write data/benchmarks/engine.csv and guidance.csv")
    parser.add_argument("--only", choices=["engine", "guidance"])
    parser.add_argument("--widths", nargs="+", type=int, default=[100, 260])
    parser.add_argument("-n", type=int, default=7, help="epochs to measure")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if importlib.util.find_spec("keras"):
        os.environ |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    else:
        print("Keras is not installed: left out. `pip install keras tensorflow-cpu` adds it.", file=sys.stderr)
    tables = {}
    if options.only != "guidance":
        cells = itertools.product(options.widths, (32, 128, 512))
        tables["engine"] = pd.concat([engine_table(options.n, *cell) for cell in cells], ignore_index=True)
    if options.only != "engine":
        cells = itertools.product(options.widths, (32, 128, 512))
        tables["guidance"] = pd.concat([guidance_table(200, *cell) for cell in cells], ignore_index=True)
    for name, table in tables.items():
        print(f"\n{name}: {', '.join(about().values())}\n")
        print(table.to_markdown(index=False, floatfmt=".3g"))
        if options.write:
            OUT.mkdir(parents=True, exist_ok=True)
            table.assign(**about()).to_csv(OUT / f"{name}.csv", index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
