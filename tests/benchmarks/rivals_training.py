"""What a rival's training costs: `python tests/benchmarks/rivals_training.py [--write]`.

The table, data/benchmarks/rivals-training.csv with `--write`: CPU milliseconds of one core a step, of the smallest CNN
at CIFAR-10's shape (32 maps, batches of 32), for every form; medians of n turns of STEPS steps in which the forms
alternate. times_unguided: the median of the ratios within a turn. measurement: CPU seconds of one measurement of the
layers on both splits at four widths; share: of all measurements in 15 epochs of 50,000 images in the time of the steps.
What an unguided run measures of its maps before and after training comes on top: maps, seconds a measurement.
"""

import argparse
import time

import numpy as np
import pandas as pd
import torch
from engine import publish

from replication.core.executors import keep_freed_memory
from replication.core.run import Run
from replication.core.settings import load
from replication.data.images import ImageSet
from replication.rivals.grid import make_run
from replication.rivals.record import EPOCHS
from replication.rivals.settings import WITHOUT_LAMBDA, Arm, read
from replication.rivals.training.train import _Training

STEPS = 32  # a turn: the window of the feedback is full for half of them
IMAGES, EPOCH, TRAINED = 1024, 1563, 15  # images; steps of an epoch of 50,000; epochs
LAMBDA = 0.1


def run_of(form: str) -> Run:
    settings = read(load("paper"), "rivals-cifar10")
    assert settings is not None
    arm = Arm(form=form, lambdas=None if form in WITHOUT_LAMBDA else (LAMBDA,))
    return make_run(settings, arm, lambda_=WITHOUT_LAMBDA.get(form, LAMBDA), replicate=0)


def random_images(count: int) -> ImageSet:
    images = torch.randint(0, 256, (count, 3, 32, 32), dtype=torch.uint8)
    labels = torch.randint(0, 10, (count,), dtype=torch.uint8)
    return ImageSet(images, labels, images, labels)


def turn(training: _Training) -> float:
    """CPU milliseconds a step."""
    start = time.thread_time()
    with training.action:
        for batch in torch.randperm(IMAGES)[: STEPS * 32].split(32):
            training._step(batch)
    return 1e3 * (time.thread_time() - start) / STEPS


def measurement(training: _Training, n: int, pairs: torch.Generator | None = None) -> float:
    """CPU seconds."""
    found = []
    for _ in range(n):
        start = time.thread_time()
        training.measurement.record(training.network, 0, pairs=pairs)
        found.append(time.thread_time() - start)
    return float(np.median(found))


def table(forms: list[str], n: int) -> pd.DataFrame:
    trainings = {form: _Training(run_of(form), random_images(IMAGES), torch.device("cpu")) for form in forms}
    turns = pd.DataFrame([{form: turn(training) for form, training in trainings.items()} for _ in range(n)])
    rows = []
    for form, training in trainings.items():
        ms, seconds = turns[form].median(), measurement(training, max(1, n // 10))
        share = len(EPOCHS) * seconds / (TRAINED * EPOCH * ms / 1e3)
        row = {"form": form, "n": n, "ms": ms, "times_unguided": (turns[form] / turns["none"]).median()}
        rows.append(row | {"measurement": seconds, "share": share})
    maps = measurement(trainings["none"], 1, torch.Generator().manual_seed(0)) - rows[0]["measurement"]
    return pd.DataFrame(rows).assign(maps=[maps, *[np.nan] * (len(rows) - 1)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write data/benchmarks/rivals-training.csv")
    parser.add_argument("-n", type=int, default=40, help="turns; measurements take a tenth")
    parser.add_argument("--forms", nargs="+", default=["penalty", "smoothing", *WITHOUT_LAMBDA, "bottleneck", "exact"])
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    forms = ["none", *(form for form in options.forms if form != "none")]
    found = table(forms, options.n)
    publish(found, "rivals-training.csv", write=options.write)


if __name__ == "__main__":
    main()
