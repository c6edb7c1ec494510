"""How to share a CPU's cores among trainings: `python tests/benchmarks/workers.py [--write]`, on an idle machine.

A process a core with one thread each, or one process whose threads share the cores, and what lies between: wall-clock
seconds per model-epoch (validation included) when all processes train, each its own model, on random images of the data
set's shape. The trainers' `one_thread` answers from this table, which `--write` puts into data/benchmarks/workers.csv.
"""

import argparse
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from machine import processor
from unet_speed import draw

from replication.autoencoder import grid as autoencoder
from replication.autoencoder import settings as autoencoder_settings
from replication.coco_unet import grid as unet
from replication.coco_unet import settings as unet_settings
from replication.core import executors, settings
from replication.core.cores import cores
from replication.core.family import find
from replication.core.run import Run
from replication.data.images import ImageSet
from replication.data.mapped import MappedSet
from replication.small_cnn import grid as small_cnn
from replication.small_cnn import settings as small_cnn_settings
from replication.training import trainer

OUT = Path("data/benchmarks/workers.csv")
WARM_UP = 2  # epochs


def autoencoders(width: int) -> Run:
    own = autoencoder_settings.read(settings.load("paper"), "autoencoder-mnist")
    return autoencoder.make_run(own, width, 0.0, 0, patience=1000)


def small_cnns(blocks: int, width: int) -> Run:
    own = small_cnn_settings.read(settings.load("paper"), small_cnn_settings.CIFAR10)
    return small_cnn.make_run(own, (blocks, width), 0.0, 0, epochs=1000)


def u_net() -> Run:
    return unet.make_run(unet_settings.read(settings.load("paper"), "unet-coco-sample"), 0.0, patience=1000)


def images(shape: tuple[int, ...], train: int, validation: int) -> ImageSet:
    generator = torch.Generator().manual_seed(0)
    parts = []
    for number in (train, validation):
        parts.append(torch.randint(0, 256, (number, *shape), generator=generator, dtype=torch.uint8))
        parts.append(torch.randint(0, 10, (number,), generator=generator, dtype=torch.uint8))
    return ImageSet(*parts)


def mnist(share: float, _folder: Path) -> ImageSet:
    return images((1, 28, 28), round(share * 60_000), round(share * 10_000))


def cifar10(share: float, _folder: Path) -> ImageSet:
    return images((3, 32, 32), round(share * 50_000), round(share * 10_000))


def coco(share: float, folder: Path) -> MappedSet:
    return draw(folder / "noise", round(share * 320), 256)  # 2 validation images


@dataclass(frozen=True)
class Model:
    run: Callable[[], Run]
    data: Callable[[float, Path], ImageSet | MappedSet]
    share: float  # of the images: what an epoch is measured on


MODELS = {
    "autoencoder, width 20": Model(partial(autoencoders, 20), mnist, 1 / 2),
    "autoencoder, width 100": Model(partial(autoencoders, 100), mnist, 1 / 2),
    "autoencoder, width 260": Model(partial(autoencoders, 260), mnist, 1 / 4),
    "small CNN, 1 x 32": Model(partial(small_cnns, 1, 32), cifar10, 1 / 16),
    "small CNN, 3 x 128": Model(partial(small_cnns, 3, 128), cifar10, 1 / 256),
    "U-Net, 4 to 64 filters": Model(u_net, coco, 1 / 20),
}


def work(name: str, threads: int, turns: Barrier) -> None:
    """One process: an epoch between any two meetings."""
    torch.set_num_threads(threads)
    executors.keep_freed_memory()
    model = MODELS[name]
    run = model.run()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["REPLICATION_STORE"] = folder  # checkpoints
        trains = trainer.find(find(settings.load("paper"), run.family).trainer)
        epochs = trains.train([run], model.data(model.share, Path(folder)), torch.device("cpu"))
        while True:
            turns.wait()
            next(epochs)
            turns.wait()


def measure(name: str, workers: int, threads: int, n: int) -> dict[str, object]:
    """Seconds per model-epoch with so many processes of so many threads."""
    context = multiprocessing.get_context("spawn")
    turns = context.Barrier(workers + 1)
    processes = [context.Process(target=work, args=(name, threads, turns), daemon=True) for _ in range(workers)]
    for process in processes:
        process.start()
    seconds = []
    for _ in range(WARM_UP + n):
        turns.wait()
        start = time.perf_counter()
        turns.wait()
        seconds.append((time.perf_counter() - start) / workers / MODELS[name].share)
    for process in processes:
        process.terminate()
        process.join()
    found = np.array(seconds[WARM_UP:])
    return {
        "model": name,
        "workers": workers,
        "threads": threads,
        "n": n,
        "seconds": np.median(found),
        "fastest": found.min(),
        "slowest": found.max(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help=f"write {OUT}")
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("-n", type=int, default=7, help="epochs to measure")
    options = parser.parse_args()
    ways = [(cores() // threads, threads) for threads in range(1, cores() + 1) if cores() % threads == 0]
    table = pd.DataFrame([measure(name, *way, options.n) for name in options.models for way in ways])
    about = {"hardware": f"{cores()} cores of {processor()}", "torch": torch.__version__}
    print(f"{about['hardware']}, torch {about['torch']}\n")
    print(table.to_markdown(index=False, floatfmt=".3g"))
    if options.write:
        OUT.parent.mkdir(parents=True, exist_ok=True)
        table.assign(**about).to_csv(OUT, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
