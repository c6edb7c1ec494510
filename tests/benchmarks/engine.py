"""Seconds of training an autoencoder takes on this machine's CPU: `python tests/benchmarks/engine.py [--write]`.

Two tables, as CSV under data/benchmarks with `--write`:

- engine.csv: seconds per model-epoch (60,000 training and 10,000 validation images of MNIST) of the trainer and of the
  usual ways to write the same training. The trainer runs as a sweep does, one process of one thread a core; the
  others as their users run them, one process with all cores. Both count the machine's time: with two processes an
  epoch of each in 2 s is 1 s per model-epoch. `floor` is the time of the matrix products alone, at the rate of a large
  product on all cores: nothing that multiplies in float32 can be faster. `n` epochs were measured, medians are printed.
- guidance.csv: what the penalty adds to a training step on one core. Steps with and without it alternate, so that both
  meet the same load of the machine; the ratio is the median of the paired ones.

Keras is measured if it is installed; it is no dependency. Run it on a machine that does nothing else.
"""

import argparse
import importlib.util
import itertools
import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from replication import datasets, settings
from replication.datasets.images import ImageSet
from replication.experiments import autoencoder
from replication.runs import Run
from replication.training import replicas

FAMILY = "autoencoder-mnist"
INPUTS, TRAIN, VALIDATION = 784, 60_000, 10_000
OUT = Path("data/benchmarks")
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
Epochs = Iterator[None]  # advances by one epoch of every model


def runs(width: int, batch: int, models: int, lambda_: float = 0.0, **changes: Any) -> list[Run]:
    loaded = settings.load("paper")
    return [autoencoder.make_run(loaded, FAMILY, width, lambda_, k, batch_size=batch, **changes) for k in range(models)]


def ours(width: int, batch: int, models: int, images: ImageSet) -> Epochs:
    yield from (None for _ in replicas.train(runs(width, batch, models), images, torch.device("cpu")))


def autograd(width: int, batch: int, models: int, images: ImageSet) -> Epochs:
    """The trainer as it is on a GPU, without CUDA graphs: stacked products through autograd."""
    replicas.Backpropagation = lambda *_: None  # type: ignore[assignment,misc]
    yield from ours(width, batch, models, images)


def model_of(width: int) -> tuple[nn.Module, torch.optim.Optimizer]:
    model = nn.Sequential(nn.Linear(INPUTS, width), nn.Sigmoid(), nn.Linear(width, INPUTS), nn.Sigmoid())
    return model, torch.optim.Adam(model.parameters(), eps=1e-7)


def plain_loop(width: int, batch: int, _models: int, images: ImageSet) -> Epochs:
    x, v = (t.flatten(1).float() / 255 for t in (images.train_images, images.validation_images))
    model, optimizer = model_of(width)
    while True:
        for chosen in torch.randperm(len(x)).split(batch):
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x[chosen]), x[chosen]).backward()
            optimizer.step()
        with torch.no_grad():
            nn.functional.mse_loss(model(v), v).item()
        yield


def data_loader(width: int, batch: int, _models: int, _images: ImageSet) -> Epochs:
    from torch.utils.data import DataLoader
    from torchvision.datasets import MNIST
    from torchvision.transforms import ToTensor

    loaders = [
        DataLoader(MNIST("data/raw", train=train, transform=ToTensor()), batch_size=batch, shuffle=train)
        for train in (True, False)
    ]
    model, optimizer = model_of(width)
    while True:
        for x, _ in loaders[0]:
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x.flatten(1)), x.flatten(1)).backward()
            optimizer.step()
        with torch.no_grad():
            sum(nn.functional.mse_loss(model(x.flatten(1)), x.flatten(1)).item() for x, _ in loaders[1])
        yield


def keras_fit(width: int, batch: int, _models: int, images: ImageSet) -> Epochs:
    import keras

    x, v = (t.flatten(1).float().numpy() / 255 for t in (images.train_images, images.validation_images))
    layers = [keras.layers.Dense(width, activation="sigmoid"), keras.layers.Dense(INPUTS, activation="sigmoid")]
    model = keras.Sequential([keras.layers.Input((INPUTS,)), *layers])
    model.compile(optimizer="adam", loss="mse")
    while True:
        model.fit(x, x, batch_size=batch, epochs=1, validation_data=(v, v), verbose=0)
        yield


# name -> how, processes, numbers of models
WAYS: dict[str, tuple[Callable[[int, int, int, ImageSet], Epochs], int, tuple[int, ...]]] = {
    "ours": (ours, CORES, (1, 10, 70)),
    "ours, by autograd": (autograd, CORES, (1, 10, 70)),
    "plain torch loop, resident tensors": (plain_loop, 1, (1,)),
    "torch DataLoader, torchvision's MNIST": (data_loader, 1, (1,)),
    "Keras fit": (keras_fit, 1, (1,)),
}


def work(case: tuple[str, int, int, int], n: int, barrier: Any, results: Any) -> None:
    """Seconds of `n` epochs of one process; the first epoch warms up. Many models see a part of the images."""
    way, width, batch, models = case
    how, processes, _ = WAYS[way]
    torch.set_num_threads(1 if processes > 1 else CORES)
    share = 1 if models == 1 else 10 * models
    full = datasets.load("mnist")
    images = ImageSet(*(tensor[: len(tensor) // share] for tensor in vars(full).values()))
    if way == "torch DataLoader, torchvision's MNIST":
        share = 1
    epochs = how(width, batch, models, images)
    next(epochs)
    barrier.wait()
    for _ in range(n):
        start = time.perf_counter()
        next(epochs)
        results.put((time.perf_counter() - start) * share / models / processes)


def in_processes(target: Callable[..., None], processes: int, *arguments: Any) -> list[float]:
    """What `processes` concurrent calls put into their results, in processes of their own."""
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(processes), context.Queue()
    workers = [context.Process(target=target, args=(*arguments, barrier, results)) for _ in range(processes)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert all(worker.exitcode == 0 for worker in workers), "a measurement failed"
    return [results.get(timeout=10) for _ in range(results.qsize())]


def product_rate(barrier: Any, results: Any) -> None:
    """Floating-point operations a second of a 1024 x 1024 x 1024 float32 product on one core."""
    torch.set_num_threads(1)
    a, b, out = (torch.rand(1024, 1024) for _ in range(3))
    barrier.wait()
    best = 0.0
    for _ in range(40):
        start = time.perf_counter()
        torch.mm(a, b, out=out)
        best = max(best, 2 * 1024**3 / (time.perf_counter() - start))
    results.put(best)


def engine_table(n: int, ways: list[str], widths: list[int], batches: list[int], most_models: int) -> pd.DataFrame:
    rate = sum(in_processes(product_rate, CORES))
    rows = []
    for width, batch, way in itertools.product(widths, batches, ways):
        for models in WAYS[way][2]:
            if models > most_models:
                continue
            seconds = in_processes(work, WAYS[way][1], (way, width, batch, models), n)
            floor = (10 * TRAIN + 4 * VALIDATION) * INPUTS * width / rate
            rows.append(
                {
                    "way": way,
                    "width": width,
                    "batch": batch,
                    "models": models,
                    "processes": WAYS[way][1],
                    "n": len(seconds),
                    "seconds": np.median(seconds),
                    "fastest": min(seconds),
                    "slowest": max(seconds),
                    "floor": floor,
                }
            )
            print(f"{way}, width {width}, batch {batch}, M = {models}: {np.median(seconds):.3f} s", file=sys.stderr)
    table = pd.DataFrame(rows)
    one = table[(table["way"] == "ours") & (table["models"] == 1)].set_index(["width", "batch"])["seconds"]
    table["times_ours"] = [row.seconds / one.get((row.width, row.batch), np.nan) for row in table.itertuples()]
    table["share_of_floor_rate"] = table["floor"] / table["seconds"]
    return table.assign(product_gflops=rate / 1e9, **about())


GUIDED = {
    "none": {},
    "reciprocal": {"lambda_": 1.0},
    "log": {"lambda_": 1e-4, "form": "log"},
    "exact": {"lambda_": 1e-4, "form": "exact"},
}


def guidance(width: int, batch: int, n: int, barrier: Any, results: Any) -> None:
    """Seconds of single steps: n rows of one step of each kind of guidance, in turn."""
    torch.set_num_threads(1)
    images = datasets.load("mnist")
    stacks = {
        form: replicas._Stack(runs(width, batch, 1, **changes), images, torch.device("cpu"))
        for form, changes in GUIDED.items()
    }
    order = torch.randperm(TRAIN)[None]
    barrier.wait()
    for k in range(n + 5):
        row = []
        for stack in stacks.values():
            first = k * batch % (TRAIN - batch)
            start = time.perf_counter()
            stack._step(order[:, first : first + batch])
            row.append(time.perf_counter() - start)
        if k >= 5:
            results.put(row)


def guidance_table(n: int, widths: list[int], batches: list[int]) -> pd.DataFrame:
    rows = []
    for width, batch in itertools.product(widths, batches):
        seconds = np.array(in_processes(guidance, 1, width, batch, n))
        for column, form in enumerate(GUIDED):
            low, ratio, high = np.quantile(seconds[:, column] / seconds[:, 0], (0.25, 0.5, 0.75))
            median = np.median(seconds[:, column])
            rows.append((form, width, batch, len(seconds), median, ratio, low, high))
    columns = ["guidance", "width", "batch", "n", "seconds", "ratio", "ratio_quartile_low", "ratio_quartile_high"]
    return pd.DataFrame(rows, columns=columns).assign(**about())


def about() -> dict[str, str]:
    """Hardware and versions."""
    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    names = {line.split(":")[1].strip() for line in info.splitlines() if line.startswith("model name")}
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    if importlib.util.find_spec("keras"):
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        import keras

        versions["keras"] = f"{keras.__version__} on {keras.backend.backend()}"
    text = ", ".join(f"{name} {version}" for name, version in versions.items())
    return {"hardware": f"{CORES} cores {', '.join(sorted(names)) or platform.machine()}", "versions": text}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write data/benchmarks/engine.csv and guidance.csv")
    parser.add_argument("--only", choices=["engine", "guidance"])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--widths", nargs="+", type=int, default=[100, 260])
    parser.add_argument("--batches", nargs="+", type=int, default=[32, 128])
    parser.add_argument("--models", type=int, default=70, help="leave out larger stacks than this")
    parser.add_argument("-n", type=int, default=3, help="epochs to measure")
    options = parser.parse_args()
    ways = list(options.ways)
    if "Keras fit" in ways and not importlib.util.find_spec("keras"):
        print("Keras is not installed: left out. `pip install keras tensorflow-cpu` adds it.", file=sys.stderr)
        ways.remove("Keras fit")
    tables = {}
    if options.only != "guidance":
        tables["engine"] = engine_table(options.n, ways, options.widths, options.batches, options.models)
    if options.only != "engine":
        tables["guidance"] = guidance_table(100, options.widths, [32, 128, 512])
    for name, table in tables.items():
        print(f"\n{name}: {table['hardware'][0]}; {table['versions'][0]}\n")
        print(table.drop(columns=["hardware", "versions"]).to_markdown(index=False, floatfmt=".3g"))
        if options.write:
            OUT.mkdir(parents=True, exist_ok=True)
            table.to_csv(OUT / f"{name}.csv", index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
