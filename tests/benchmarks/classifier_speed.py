"""Training images a second of VGG16 and ResNet-50: `python tests/benchmarks/classifier_speed.py [--write]`.

On a GPU: `--batch 128 --precision bfloat16 --steps 50`. Needs some of Imagenette under data/raw/imagenette2.

Four ways take turns, so that all meet the same load of the machine; the table gives medians over n turns:

- reference: a loop as in torchvision's references/classification/train.py. A DataLoader decodes and augments the
  image files one by one, with as many workers as cores on a GPU, none on a CPU; float32, or autocast with bfloat16;
  PyTorch's default memory layout; cudnn.benchmark.
- this trainer, on images decoded beforehand, augmented as a batch.
- this trainer, guiding the first convolution, and guiding Table 2's widest placement.

The share is that of the arithmetic of forward and backward pass in what the device can do: the data sheet's dense
bfloat16 rate of the cards that are known here, else the rate of a large matrix product in the same precision.

With `--write` the table is data/benchmarks/classifiers.csv.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from machine import processor
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode
from torchvision.io import ImageReadMode, decode_image
from torchvision.transforms import v2

from entropy_guidance import selection
from replication.core.cores import cores
from replication.core.run import Run
from replication.data import imagenette
from replication.data.mapped import MappedSet
from replication.imagenette.training import model as networks
from replication.imagenette.training import task
from replication.training import checkpoints
from replication.training.large_models import _Training

OUT = Path("data/benchmarks/classifiers.csv")
RAW = Path("data/raw/imagenette2")
PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12}  # dense bfloat16, data sheets of the SXM cards
PRODUCT = {"cpu": 2048, "cuda": 8192}  # side of the large matrix product


class Files(Dataset):
    """Image files, decoded and augmented one at a time."""

    def __init__(self, files: list[Path], size: int) -> None:
        self.files = files
        self.classes = sorted({file.parent.name for file in files})
        self.transform = v2.Compose(
            [
                v2.Resize((size, size)),
                v2.RandomHorizontalFlip(),
                v2.RandomAffine(degrees=72, scale=(0.8, 1.2), interpolation=v2.InterpolationMode.BILINEAR),
                v2.ToDtype(torch.float32, scale=True),
            ]
        )

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        file = self.files[row]
        image = decode_image(str(file), mode=ImageReadMode.RGB)
        return self.transform(image), self.classes.index(file.parent.name)


def decoded(files: list[Path], size: int) -> MappedSet:
    """The same files as the trainer wants them; two of them are the validation split."""
    examples = list(imagenette._examples(files, sorted({file.parent.name for file in files}), size, "pillow", {}))
    images = torch.from_numpy(np.stack([example.image for example in examples]))
    labels = torch.from_numpy(np.stack([example.target for example in examples]))
    return MappedSet(images, labels, images[:2], labels[:2], about={})


def make_run(options: argparse.Namespace, network: str, layers: str) -> Run:
    settings = {
        "dataset": "files",
        "network": network,
        "divisor": 1,
        "training": "augmentation+dropout",
        "dropout": 0.5,
    }
    settings |= {"lambda": 1e-4 if layers else 0.0, "layers": layers, "form": "reciprocal", "epsilon": 0.1}
    settings |= {"reduction": "mean", "initialisation": "he-normal", "learning_rate": 0.01, "momentum": 0.0}
    settings |= {"weight_decay": 0.0, "schedule_patience": 10, "patience": 25, "min_delta": 0.0, "max_epochs": 1}
    return Run(f"{network}-benchmark", settings | {"precision": options.precision, "batch_size": options.batch})


def reference(options: argparse.Namespace, network: str, files: list[Path], device: torch.device) -> Callable[[], None]:
    """Some steps of the plain loop, each call going on where the last one ended."""
    workers = cores() if device.type == "cuda" else 0
    loader = DataLoader(
        Files(files, options.size),
        batch_size=options.batch,
        shuffle=True,
        num_workers=workers,
        pin_memory=device.type == "cuda",
        persistent_workers=workers > 0,
        multiprocessing_context="forkserver" if workers else None,
    )

    def forever() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        while True:
            yield from loader

    batches = forever()
    model = networks.build(network, dropout=0.5)
    networks.initialise_(model, "he-normal", 0)
    model.to(device).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    criterion = nn.CrossEntropyLoss()

    def steps() -> None:
        with torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=False):
            for _ in range(options.steps):
                image, target = next(batches)
                image, target = image.to(device, non_blocking=True), target.to(device, non_blocking=True)
                with torch.autocast(device.type, torch.bfloat16, enabled=options.precision == "bfloat16"):
                    loss = criterion(model(image), target)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

    return steps


def trained(training: _Training) -> Callable[[], None]:
    def epoch() -> None:
        training._train_epoch(1)

    return epoch


def seconds(way: Callable[[], None], device: torch.device) -> float:
    """Of the wall; on a CPU with one thread, of its processor, so that other processes do not count."""
    clock = time.process_time if device.type == "cpu" and torch.get_num_threads() == 1 else time.perf_counter
    start = clock()
    way()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return clock() - start


def flops_per_image(network: str, size: int) -> float:
    """Of forward and backward pass, in operations (a multiplication and an addition are two)."""
    with torch.device("meta"):
        model = networks.build(network)
        with FlopCounterMode(display=False) as counter:
            model(torch.empty(1, 3, size, size)).sum().backward()
    return counter.get_total_flops()


def bound(device: torch.device, precision: str) -> tuple[float, str]:
    """Operations a second, and what they are."""
    if device.type == "cuda" and precision == "bfloat16":
        for name, peak in PEAKS.items():
            if name in torch.cuda.get_device_name(device):
                return peak, f"data sheet, {peak / 1e12:.0f} TFLOP/s"
    side = PRODUCT[device.type]
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    a = torch.rand(side, side, device=device, dtype=dtype)
    rate = 2 * side**3 / min(seconds(lambda: a @ a, device) for _ in range(5))
    return rate, f"a large product, {rate / 1e12:.3g} TFLOP/s"


def measure(options: argparse.Namespace, network: str, device: torch.device) -> pd.DataFrame:
    files = [file for place, file in enumerate(imagenette._files(RAW / "train")) if place % 7 == 0]
    files = files[:: max(1, len(files) // (options.batch * options.steps))][: options.batch * options.steps]
    data = decoded(files, options.size)
    with torch.device("meta"):
        model = networks.build(network)
    widest = "1-2"
    if network == "resnet50":
        chosen = selection.by_role(model, "pre-skip", torch.empty(1, 3, 64, 64))
        widest = "-".join(str(selection.convolutions(model).index(name) + 1) for name in chosen)
    placements = {
        "this trainer": "",
        "this trainer, layer 1 guided": "1",
        f"this trainer, {widest.count('-') + 1} layers guided": widest,
    }
    ways = {"reference": reference(options, network, files, device)}
    for name, layers in placements.items():
        ways[name] = trained(_Training(make_run(options, network, layers), data, device, task))
    for way in ways.values():
        seconds(way, device)  # warm
    measured = np.array([[seconds(way, device) for way in ways.values()] for _ in range(options.repeats)])
    flops = flops_per_image(network, options.size)
    rate, what = bound(device, options.precision)
    speed = options.batch * options.steps / np.median(measured, axis=0)
    return pd.DataFrame(
        {
            "network": network,
            "way": list(ways),
            "n": options.repeats,
            "images_per_second": speed,
            "seconds_per_step": np.median(measured, axis=0) / options.steps,
            "times_reference": np.median(measured[:, :1] / measured, axis=0),
            "step_over_unguided": np.median(measured / measured[:, 1:2], axis=0),
            "gflop_per_image": flops / 1e9,
            "share_of_bound": speed * flops / rate,
            "bound": what,
            "pixels": options.size,
            "batch": options.batch,
            "precision": options.precision,
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=["vgg16", "resnet50"], default=["vgg16", "resnet50"])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--size", type=int, default=224, help="pixels")
    parser.add_argument("--steps", type=int, default=1, help="a turn")
    parser.add_argument("--repeats", type=int, default=5, help="turns")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--threads", type=int, help="of the CPU (default: one a core)")
    parser.add_argument("--write", action="store_true", help=f"write {OUT}")
    options = parser.parse_args()
    checkpoints.INTERVAL = float("inf")  # none within an epoch, which are not measured here
    if not RAW.is_dir():
        parser.error(f"no {RAW}: `python -m replication prepare imagenette --scale paper` fetches it")
    torch.set_num_threads(options.threads or torch.get_num_threads())
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    table = pd.concat([measure(options, network, device) for network in options.networks])
    threads = torch.get_num_threads()
    cores = f"{threads} core{'s' * (threads > 1)} of {processor()}"
    table["hardware"] = torch.cuda.get_device_name() if device.type == "cuda" else cores
    table["torch"] = torch.__version__
    print(f"{table['hardware'].iloc[0]}, torch {torch.__version__}\n")
    print(table.drop(columns=["hardware", "torch"]).to_markdown(index=False, floatfmt=".3g"))
    if options.write:
        OUT.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(OUT, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
