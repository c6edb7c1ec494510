"""How long an epoch takes on this machine: a few steps of a run's own trainer on random images, by the clock.

No data set is needed. Small networks train three short epochs, of which the quickest counts. A large one trains two
small batches, and what is scaled up from that is an estimate, too high rather than too low: its first step is slow.
Both are scaled by the number of images: an epoch is a sum over its batches. One stack is measured at a time, with as
many threads as a sweep gives it.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

import torch

from replication.core.cores import cores
from replication.core.executors import keep_freed_memory
from replication.core.paces import Pace
from replication.core.provenance import environment
from replication.core.repeats import own_store
from replication.core.run import Run
from replication.data.catalogue import Known
from replication.data.images import ImageSet
from replication.data.mapped import MappedSet
from replication.training.trainer import Trainer, find

EPOCHS = 3  # of a small network: the first one warms up
STEPS = 3  # of one of them
FEW = {"cpu": 1, "cuda": 16}  # images of a large network's batch,
BATCHES = 2  # of which it trains so many: the first one is slow
CLASSES = 10


def pace_of(runs: Sequence[Run], place: str, about: Known, device: torch.device) -> Pace:
    """Measure some of these runs, which can share a stack: on a CPU one, on a GPU as many as train together.

    Args:
        place: of their trainer, MODULE or MODULE:NAME.
        about: their data set.
    """
    trains, first = find(place), runs[0]
    keep_freed_memory()
    _warm_up(device)
    alone = device.type != "cpu" or not trains.one_thread(first)
    with _threads(cores() if alone else 1), own_store():
        if about.kind == "small images":
            epoch, once = _small(runs, trains, about, device)
        else:
            epoch, once = _large(first, trains, about, device), 0.0
    return Pace(epoch=epoch, once=once, estimate=about.kind != "small images", alone=alone)


@cache
def _warm_up(device: torch.device) -> None:
    """What the first training of a process waits for: git, and what torch imports at an optimiser's first step."""
    environment(device, 1)
    parameter = torch.ones(1, device=device, requires_grad=True)
    parameter.grad = torch.ones_like(parameter)
    torch.optim.Adam([parameter], fused=True).step()


def _small(runs: Sequence[Run], trains: Trainer, about: Known, device: torch.device) -> tuple[float, float]:
    """Seconds of an epoch and before the first, of one run in its stack."""
    batch = runs[0]["batch_size"]
    train = min(about.train, STEPS * batch)
    images = _images(about, train, max(1, train * about.validation // about.train))
    stack = [_not_ending(run) for run in runs[: trains.stack_size(runs[0], images, device)]]
    started, seconds = time.perf_counter(), []
    for _ in trains.train(stack, images, device):  # an epoch ends with numbers read from the device
        now = time.perf_counter()
        seconds.append(now - started)
        started = now
        if len(seconds) == EPOCHS:
            break
    quickest = min(seconds[1:])
    return quickest * about.train / train / len(stack), max(seconds[0] - quickest, 0.0) / len(stack)


def _large(run: Run, trains: Trainer, about: Known, device: torch.device) -> float:
    """Seconds of an epoch, from its own clocks, which leave out the network's building and its checkpoint."""
    narrow = trains.one_thread(run)
    batch = run["batch_size"] if narrow else min(FEW[device.type], run["batch_size"])
    train, validation = (STEPS if narrow else BATCHES) * batch, batch
    epochs = 1 if device.type == "cpu" else 2  # a GPU's libraries choose kernels in the first
    few = Run(run.family, {**run.settings, "batch_size": batch, "max_epochs": epochs})
    *_, last = trains.train([few], _mapped(about, train, validation), device)
    [record] = last.finished
    training, whole = (record["history"][name][-1] for name in ("train_seconds", "seconds"))
    return float(training * about.train / train + (whole - training) * about.validation / validation)


def _not_ending(run: Run) -> Run:
    """The same training, to which nothing of its end happens within EPOCHS."""
    least = {"epochs": EPOCHS + 1, "max_epochs": EPOCHS + 1, "patience": EPOCHS + 1}
    longer = {name: max(n, run[name]) for name, n in least.items() if name in run.settings}
    return Run(run.family, {**run.settings, **longer})


def _images(about: Known, train: int, validation: int) -> ImageSet:
    """Noise, of which a part is black in every image, as on the margins of MNIST."""
    generator = torch.Generator().manual_seed(0)

    def split(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        shape = (count, about.colours, about.side, about.side)
        images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
        images[..., : about.side // 4, :] = 0
        return images, torch.arange(count).remainder(CLASSES).byte()

    return ImageSet(*split(train), *split(validation))


def _mapped(about: Known, train: int, validation: int) -> MappedSet:
    """Noise, with classes or half-filled masks."""
    generator = torch.Generator().manual_seed(0)

    def split(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        images = torch.randint(0, 256, (count, about.side, about.side, 3), dtype=torch.uint8, generator=generator)
        if about.kind == "classes":
            return images, torch.arange(count).remainder(CLASSES).byte()
        return images, (images[..., 0] > 127).byte()

    described = {
        name: {"ids": list(range(count)), "content": "noise"}
        for name, count in (("train", train), ("validation", validation))
    }
    return MappedSet(*split(train), *split(validation), about=described | {"shown": [], "size": about.side})


@contextmanager
def _threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
