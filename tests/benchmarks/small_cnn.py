"""Small CNNs on one CPU core: what a training step costs, and which way of making it won.

`python tests/benchmarks/small_cnn.py [--write]`; `--write` puts its rows into data/benchmarks/small-cnn.csv.

All ways take turns of some steps, on random images of CIFAR-10's shape and number, so that all meet the same load of
the machine; each has a process of one thread to itself, because what a process has freed shapes how long its next
allocations take. Medians are printed, and the median of the paired ratios to the plain loop. Milliseconds are processor
time of one model's step, core_seconds_an_epoch those of 50,000 images without validation. `floor` is the time of the
multiplications alone, at the rate of a large product: nothing that multiplies in float32 can be faster.

- plain: the loop with resident tensors, channels first; `plain, DataLoader` reads them through torch's DataLoader;
- kept: freed memory stays in the process, as the workers of a sweep have it (executors.keep_freed_memory);
- late: bias and leaky ReLU after the pooling; channels-last: images and features so;
- the trainer: all three, features flattened without a copy, the dense gradient by rows, sums over parts of 32 images;
- stack: the trainer's code with four models as one grouped convolution, as on a GPU; unfold: four models as unfolded
  products.
"""

import argparse
import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from machine import processor, product_rate
from torch import Tensor, nn
from torch.nn import functional as F

from replication.core import executors
from replication.core.settings import load
from replication.data.images import ImageSet
from replication.small_cnn import grid
from replication.small_cnn.geometry import feature_sides
from replication.small_cnn.settings import CIFAR10, read
from replication.small_cnn.training import train as trainer

OUT = Path("data/benchmarks/small-cnn.csv")
IMAGES = 50_000
STACK = 4
CELL = ["blocks", "width", "batch"]

TURN = 0.2  # seconds: enough steps to warm the caches that another way has filled
WARM_UP = 2  # turns
Step = Callable[[], None]


def images() -> ImageSet:
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (IMAGES, 3, 32, 32), generator=generator, dtype=torch.uint8)
    y = torch.randint(0, 10, (IMAGES,), generator=generator, dtype=torch.uint8)
    return ImageSet(x, y, x[:100], y[:100])


def plain_model(blocks: int, width: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in [3, *[width] * (blocks - 1)]:
        layers += [nn.Conv2d(channels, width, 3), nn.LeakyReLU(0.3), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(width * feature_sides(32, blocks, "valid")[-1] ** 2, 10))


def late_scores(model: nn.Sequential, x: Tensor) -> Tensor:
    for layer in model:
        if isinstance(layer, nn.Conv2d):
            assert layer.bias is not None
            x = F.leaky_relu(F.max_pool2d(F.conv2d(x, layer.weight), 2) + layer.bias[:, None, None], 0.3)
    return model[-1](x.flatten(1))


def plain(blocks: int, width: int, batch: int, *, late: bool = False, last: bool = False, loader: bool = False) -> Step:
    data, model = images(), plain_model(blocks, width)
    optimizer = torch.optim.Adam(model.parameters(), eps=1e-7, fused=True)
    labels, order = data.train_labels.long(), iter(())
    if loader:
        pairs = [(image.numpy(), int(label)) for image, label in zip(data.train_images, labels, strict=True)]
        dataset = [(torch.from_numpy(image).float().div(255), label) for image, label in pairs]

    def step() -> None:
        nonlocal order
        chosen = next(order, None)
        if chosen is None:
            if loader:
                order = iter(torch.utils.data.DataLoader(dataset, batch_size=batch, shuffle=True, drop_last=True))
            else:
                order = iter(torch.randperm(IMAGES).split(batch))
            chosen = next(order)
        x, y = chosen if loader else (data.train_images[chosen].float() / 255, labels[chosen])
        if last:
            x = x.contiguous(memory_format=torch.channels_last)
        optimizer.zero_grad()
        scores = late_scores(model, x) if late else model(x)
        loss = F.cross_entropy(scores, y)
        loss.backward()
        loss.item()
        optimizer.step()

    return step


def ours(blocks: int, width: int, batch: int, models: int = 1, lambda_: float = 0.0, **changes: str) -> Step:
    settings = read(load("paper"), CIFAR10)
    runs = [grid.make_run(settings, (blocks, width), lambda_, k, batch_size=batch, **changes) for k in range(models)]
    stack = trainer._Stack(runs, images(), torch.device("cpu"))
    stack.part = min(stack.part, max(1, 32 // models))
    batches = iter(())

    def step() -> None:
        nonlocal batches
        indices = next(batches, None)
        if indices is None:
            batches = iter(stack.orders.draw(runs, IMAGES).split(batch, dim=1))
            indices = next(batches)
        stack._step(indices)

    return step


def unfolded(blocks: int, width: int, batch: int) -> Step:
    """Four models: patches by unfold, one product for all of a block."""
    data = images()
    sizes = [(width, c * 9) for c in [3, *[width] * (blocks - 1)]]
    side = feature_sides(32, blocks, "valid")[-1]
    kernels = [(torch.randn(STACK, *size) * 0.05).requires_grad_() for size in sizes]
    biases = [torch.zeros(STACK, 1, width, 1, 1, requires_grad=True) for _ in sizes]
    dense = (torch.randn(STACK, width * side**2, 10) * 0.01).requires_grad_()
    optimizer = torch.optim.Adam([*kernels, *biases, dense], eps=1e-7, fused=True)

    def step() -> None:
        chosen = torch.randperm(IMAGES)[:batch]
        optimizer.zero_grad()
        for part in chosen.split(8):
            x = (data.train_images[part].float() / 255).expand(STACK, -1, -1, -1, -1)
            for kernel, bias in zip(kernels, biases, strict=True):
                out = x.shape[-1] - 2
                patches = F.unfold(x.flatten(0, 1), 3).unflatten(0, (STACK, -1))
                z = (kernel[:, None] @ patches).view(-1, width, out, out)
                x = F.leaky_relu(F.max_pool2d(z, 2).unflatten(0, (STACK, -1)) + bias, 0.3)
            scores = torch.bmm(x.flatten(2), dense).flatten(0, 1)
            loss = F.cross_entropy(scores, data.train_labels[part].long().repeat(STACK), reduction="sum") / batch
            loss.backward()
        optimizer.step()

    return step


WAYS: dict[str, tuple[Callable[[int, int, int], Step], int, bool]] = {  # name -> maker, models in a step, kept memory
    "plain": (plain, 1, False),
    "plain, DataLoader": (lambda *shape: plain(*shape, loader=True), 1, False),
    "plain, kept": (plain, 1, True),
    "late, kept": (lambda *shape: plain(*shape, late=True), 1, True),
    "late, channels-last, kept": (lambda *shape: plain(*shape, late=True, last=True), 1, True),
    "the trainer": (ours, 1, True),
    "the trainer, not kept": (ours, 1, False),
    "the trainer, reciprocal": (lambda *shape: ours(*shape, lambda_=0.01), 1, True),
    "the trainer, exact": (lambda *shape: ours(*shape, lambda_=0.01, form="exact"), 1, True),
    "stack of 4": (lambda *shape: ours(*shape, models=STACK), STACK, True),
    "unfold of 4": (unfolded, STACK, True),
}


def work(name: str, shape: tuple[int, int, int], turns: Connection) -> None:
    """One way's process: for every message some steps, and their mean seconds; None ends it."""
    torch.set_num_threads(1)
    make, models, kept = WAYS[name]
    if kept:
        executors.keep_freed_memory()
    step = make(*shape)
    steps = 1
    while turns.recv():
        start = time.thread_time()
        for _ in range(steps):
            step()
        seconds = (time.thread_time() - start) / steps
        turns.send(seconds / models)
        steps = max(1, round(TURN / seconds))


@contextmanager
def at_work(shape: tuple[int, int, int]) -> Iterator[list[Connection]]:
    """A process for every way, waiting for its turns."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = zip(*(context.Pipe() for _ in WAYS), strict=True)
    processes = [context.Process(target=work, args=(name, shape, end)) for name, end in zip(WAYS, theirs, strict=True)]
    for process in processes:
        process.start()
    yield list(ours)
    for end, process in zip(ours, processes, strict=True):
        end.send(None)
        process.join()


def multiplications(blocks: int, width: int) -> float:
    """Of one image, forward and both gradients (the first layer needs one only), in operations."""
    sides = feature_sides(32, blocks, "valid")
    total = 0.0
    for k, channels in enumerate([3, *[width] * (blocks - 1)]):
        total += (3 if k else 2) * 2 * 9 * channels * width * (sides[k] - 2) ** 2
    return total + 3 * 2 * 10 * width * sides[-1] ** 2


def measure(blocks: int, width: int, batch: int, n: int, rate: float) -> pd.DataFrame:
    def turn(way: Connection) -> float:
        way.send("go on")
        return float(way.recv())

    with at_work((blocks, width, batch)) as ways:
        rows = [[turn(way) for way in ways] for _ in range(WARM_UP + n)]
    seconds = np.array(rows[WARM_UP:])
    return pd.DataFrame(
        {
            "blocks": blocks,
            "width": width,
            "batch": batch,
            "way": list(WAYS),
            "n": n,
            "ms": 1e3 * np.median(seconds, axis=0),
            "fastest_ms": 1e3 * seconds.min(axis=0),
            "times_plain": np.median(seconds[:, :1] / seconds, axis=0),
            "core_seconds_an_epoch": np.median(seconds, axis=0) * IMAGES / batch,
            "floor_ms": 1e3 * multiplications(blocks, width) * batch / rate,
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help=f"write {OUT}")
    parser.add_argument("--shapes", nargs="+", default=["1x32", "1x128", "2x128", "3x128"], metavar="BLOCKSxWIDTH")
    parser.add_argument("--batches", nargs="+", type=int, default=[32, 128])
    parser.add_argument("-n", type=int, default=7, help="turns to measure")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rate = product_rate()
    shapes = [tuple(int(number) for number in shape.split("x")) for shape in options.shapes]
    table = pd.concat(
        [measure(blocks, width, batch, options.n, rate) for blocks, width in shapes for batch in options.batches]
    )
    about = {"hardware": f"one core of {processor()}", "torch": torch.__version__}
    print(f"{about['hardware']}, torch {about['torch']}, {rate / 1e9:.0f} GFLOPS in a large product\n")
    print(table.to_markdown(index=False, floatfmt=".3g"))
    if options.write:
        OUT.parent.mkdir(parents=True, exist_ok=True)
        table = table.assign(product_gflops=rate / 1e9, **about)
        if OUT.exists():  # keep what was not measured now
            table = pd.concat([pd.read_csv(OUT), table]).drop_duplicates([*CELL, "way"], keep="last")
        table.sort_values(CELL, kind="stable").to_csv(OUT, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
