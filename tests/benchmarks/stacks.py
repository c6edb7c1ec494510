"""Small networks on this machine's GPU, or its CPU: images a second of stacks, beside plain loops of one model.

`python tests/benchmarks/stacks.py [--stacks 1 10 70 300] [--epochs 3]`. Needs no data set: images are random, of
MNIST's shape for an autoencoder and of CIFAR-10's for small CNNs, and lie on the device. Two ways:

- plain: one model, torch's layers, its fused Adam and a loop over resident tensors, as most code has it;
- stack of M: this project's trainer; images a second are those of all its models together. On a GPU `share_of_memory`
  is torch's peak over what the device has.

Ways take turns by the epoch, after one that warms up; medians over the epochs. Each epoch ends with numbers that are
read, so that a GPU has done its work.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import torch
from machine import processor
from torch import nn
from torch.nn import functional as F

from replication.autoencoder import grid as autoencoder_grid
from replication.autoencoder.settings import read as read_autoencoder
from replication.autoencoder.training import train as autoencoder
from replication.core.run import Run
from replication.core.settings import load
from replication.data.images import ImageSet
from replication.small_cnn import grid as cnn_grid
from replication.small_cnn.geometry import feature_sides
from replication.small_cnn.settings import CIFAR10
from replication.small_cnn.settings import read as read_cnn
from replication.small_cnn.training import train as small_cnn

Epochs = Iterator[Any]


def images(shape: tuple[int, int, int], count: int) -> ImageSet:
    generator = torch.Generator().manual_seed(0)

    def draw(number: int) -> tuple[torch.Tensor, torch.Tensor]:
        drawn = torch.randint(0, 256, (number, *shape), dtype=torch.uint8, generator=generator)
        return drawn, torch.arange(number).remainder(10).byte()

    return ImageSet(*draw(count), *draw(max(1, count // 6)))


def autoencoder_runs(width: int, models: int, precision: str) -> list[Run]:
    settings = read_autoencoder(load("paper"), "autoencoder-mnist")
    changes = {"monitor": "base", "patience": 1000, "max_epochs": 1000, "precision": precision}
    return [autoencoder_grid.make_run(settings, width, 0.01, k, **changes) for k in range(models)]


def cnn_runs(blocks: int, width: int, models: int, precision: str) -> list[Run]:
    settings = read_cnn(load("paper"), CIFAR10)
    runs = [cnn_grid.make_run(settings, (blocks, width), 0.01, k, precision=precision) for k in range(models)]
    return [Run(run.family, run.settings | {"epochs": 1000}) for run in runs]


def plain(
    model: nn.Module, data: ImageSet, batch: int, loss_of: Callable[..., torch.Tensor], device: torch.device
) -> Epochs:
    model.to(device)
    optimizer = torch.optim.Adam(model.parameters(), eps=1e-7, fused=True)
    x, y, v, w = (tensor.to(device) for tensor in vars(data).values())
    while True:
        for rows in torch.randperm(len(x), device=device).split(batch):
            optimizer.zero_grad()
            loss_of(model, x[rows].float() / 255, y[rows].long()).backward()
            optimizer.step()
        with torch.no_grad():
            parts = zip(v.split(500), w.split(500), strict=True)
            error = sum(loss_of(model, each.float() / 255, labels.long()) for each, labels in parts)
        yield float(error)


def plain_autoencoder(width: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(784, width), nn.Sigmoid(), nn.Linear(width, 784), nn.Sigmoid())


def plain_cnn(blocks: int, width: int) -> nn.Module:
    layers: list[nn.Module] = []
    for channels in [3, *[width] * (blocks - 1)]:
        layers += [nn.Conv2d(channels, width, 3), nn.LeakyReLU(0.3), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(width * feature_sides(32, blocks, "valid")[-1] ** 2, 10))


def measured(ways: dict[str, tuple[Epochs, int]], count: int, epochs: int, device: torch.device) -> pd.DataFrame:
    """By way: training images a second. Args: ways, by name, and how many models each trains."""
    for running, _ in ways.values():
        next(running)
    seconds = np.empty((epochs, len(ways)))
    peaks = [0.0] * len(ways)
    for turn in range(epochs):
        for place, (running, _) in enumerate(ways.values()):
            if device.type == "cuda":
                torch.cuda.reset_peak_memory_stats()
            start = time.perf_counter()
            next(running)
            seconds[turn, place] = time.perf_counter() - start
            if device.type == "cuda":
                peaks[place] = torch.cuda.max_memory_allocated() / torch.cuda.mem_get_info()[1]
    models = np.array([number for _, number in ways.values()])
    rates = models * count / np.median(seconds, axis=0)
    return pd.DataFrame(
        {"way": list(ways), "n": epochs, "images_per_second": rates, "times_plain": rates / rates[0]}
        | ({"share_of_memory": peaks} if device.type == "cuda" else {})
    )


def table(options: argparse.Namespace, device: torch.device) -> pd.DataFrame:
    tables = []
    shapes: list[tuple[str, tuple[int, ...]]] = [("autoencoder", (width,)) for width in options.widths]
    shapes += [("cnn", tuple(map(int, text.split("x")))) for text in options.cnns]
    for kind, shape in shapes:
        data = images((1, 28, 28) if kind == "autoencoder" else (3, 32, 32), options.images)

        def runs(models: int, kind: str = kind, shape: tuple[int, ...] = shape) -> list[Run]:
            made = autoencoder_runs if kind == "autoencoder" else cnn_runs
            return made(*shape, models, options.precision)  # type: ignore[operator,no-any-return]

        trainer: Any = autoencoder if kind == "autoencoder" else small_cnn
        batch = runs(1)[0]["batch_size"]
        if kind == "autoencoder":
            first = plain(
                plain_autoencoder(*shape), data, batch, lambda m, x, _: F.mse_loss(m(x), x.flatten(1)), device
            )
        else:
            first = plain(plain_cnn(*shape), data, batch, lambda m, x, y: F.cross_entropy(m(x), y), device)
        ways: dict[str, tuple[Epochs, int]] = {"plain": (first, 1)}
        for models in options.stacks:
            ways[f"stack of {models}"] = trainer.train(runs(models), data, device), models
        found = measured(ways, options.images, options.epochs, device)
        found.insert(0, "network", f"{kind} {'x'.join(map(str, shape))}")
        found.insert(1, "batch", batch)
        tables.append(found)
    return pd.concat(tables, ignore_index=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--widths", nargs="*", type=int, default=[100, 260], help="of autoencoders")
    parser.add_argument("--cnns", nargs="*", default=["1x32", "3x128"], metavar="BLOCKSxWIDTH")
    parser.add_argument("--stacks", nargs="+", type=int, default=[1, 10, 70, 300], help="models")
    parser.add_argument("--images", type=int, default=12_800, help="of an epoch, and a sixth as many of validation")
    parser.add_argument("--epochs", type=int, default=3, help="measured")
    parser.add_argument("--precision", choices=["float32", "float64", "tf32"], default="float32")
    options = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    name = torch.cuda.get_device_name() if device.type == "cuda" else processor()
    print(f"{name}, torch {torch.__version__}, {options.precision}\n")
    print(table(options, device).to_string(index=False, float_format=lambda value: f"{value:.4g}"))


if __name__ == "__main__":
    main()
