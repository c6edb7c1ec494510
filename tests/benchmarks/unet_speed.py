"""Training images a second of the U-Nets: `python tests/benchmarks/unet_speed.py [--write]`.

On a GPU, the paper's size: `--widths 64 128 256 512 1024 --batch 32 --precision bfloat16 --images 1024`.

Three ways to train on the same memory-mapped images: this project's trainer; a plain loop (DataLoader that converts
image by image, PyTorch's default memory layout); the trainer with segmentation-models-pytorch's U-Net
(ResNet-34). They take turns, so that all meet the same load of the machine; the table gives medians. The last column is
what the network's arithmetic amounts to, to be held against the peak of the device. With `--write` the table is
data/benchmarks/unet.csv.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from machine import processor
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode

from replication.coco_unet.training import task
from replication.core.cores import cores
from replication.core.run import Run
from replication.data import mapped
from replication.data.mapped import Example, MappedSet
from replication.training import checkpoints
from replication.training.large_models import _Training

OUT = Path("data/benchmarks/unet.csv")


class Items(Dataset):
    """One image at a time, as most code reads them."""

    def __init__(self, data: MappedSet) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data.train_images)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, torch.Tensor]:
        image = self.data.train_images[row].permute(2, 0, 1).contiguous().float() / 255
        return image, self.data.train_targets[row][None].float()


def draw(folder: Path, count: int, size: int) -> MappedSet:
    generator = np.random.default_rng(0)

    def examples(number):
        for id_ in range(number):
            mask = np.zeros((size, size), dtype=np.uint8)
            mask[: size // 2] = 1
            yield Example(id_, generator.integers(0, 256, (size, size, 3), dtype=np.uint8), mask)

    split = {"train": examples(count), "validation": examples(2)}
    mapped.write(
        folder,
        image_shape=(size, size, 3),
        target_shape=(size, size),
        counts={"train": count, "validation": 2},
        examples=split,
        summarise=lambda _: {},
        notes={"shown": []},
    )
    return MappedSet.read(folder)


def make_run(options: argparse.Namespace, network: str) -> Run:
    settings = {"dataset": "noise", "network": network, "widths": "-".join(map(str, options.widths)), "dropout": 0.1}
    settings |= {"lambda": 0.0, "monitor": "base", "precision": options.precision, "batch_size": options.batch}
    return Run("unet-benchmark", settings | {"learning_rate": 1e-3, "patience": 1, "min_delta": 0.0, "max_epochs": 1})


def plain_epoch(model, optimizer, loader, device, precision) -> None:
    model.train()
    for images, targets in loader:
        optimizer.zero_grad()
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            output = model(images.to(device))
        loss = torch.nn.functional.mse_loss(output, targets.to(device))
        loss.backward()
        optimizer.step()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--widths", type=int, nargs="+", default=[8, 16, 32, 64, 128])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--size", type=int, default=256, help="pixels")
    parser.add_argument("--images", type=int, default=16, help="an epoch")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--write", action="store_true", help="write data/benchmarks/unet.csv")
    options = parser.parse_args()
    checkpoints.INTERVAL = float("inf")  # none within an epoch, which are not measured here
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    with tempfile.TemporaryDirectory() as folder:
        data = draw(Path(folder) / "noise", options.images, options.size)
        trainings = {
            name: _Training(make_run(options, network), data, device, task)
            for name, network in (("this trainer", "unet"), ("this trainer, smp's U-Net", "smp-unet"))
        }
        model = task.build(make_run(options, "unet")).to(device)
        optimizer = torch.optim.Adam(model.parameters())
        workers = cores() if device.type == "cuda" else 0
        loader = DataLoader(
            Items(data),
            batch_size=options.batch,
            shuffle=True,
            num_workers=workers,
            persistent_workers=workers > 0,
            multiprocessing_context="forkserver" if workers else None,
        )
        ways = {
            "this trainer": lambda: trainings["this trainer"]._train_epoch(1),
            "plain DataLoader loop": lambda: plain_epoch(model, optimizer, loader, device, options.precision),
            "this trainer, smp's U-Net": lambda: trainings["this trainer, smp's U-Net"]._train_epoch(1),
        }

        def seconds(way) -> float:
            start = time.perf_counter()
            way()
            if device.type == "cuda":
                torch.cuda.synchronize()
            return time.perf_counter() - start

        for way in ways.values():
            seconds(way)  # warm
        measured = np.array([[seconds(way) for way in ways.values()] for _ in range(options.repeats)])

        flops = {}
        networks = {"plain DataLoader loop": model} | {name: training.model for name, training in trainings.items()}
        for name, network in networks.items():
            example = torch.rand(2, 3, options.size, options.size, device=device)
            with FlopCounterMode(display=False) as counter:
                network(example.to(memory_format=torch.channels_last)).sum().backward()
            flops[name] = counter.get_total_flops() / 2

    where = (
        torch.cuda.get_device_name() if device.type == "cuda" else f"{torch.get_num_threads()} cores of {processor()}"
    )
    rows = []
    for column, name in enumerate(ways):
        speed = options.images / float(np.median(measured[:, column]))
        rows.append(
            {
                "way": name,
                "parameters": sum(parameter.numel() for parameter in networks[name].parameters()),
                "images_per_second": speed,
                "gflop_per_image": flops[name] / 1e9,
                "tflop_per_second": speed * flops[name] / 1e12,
                "n": options.repeats,
                "images": options.images,
                "pixels": options.size,
                "batch": options.batch,
                "precision": options.precision,
                "widths": "-".join(map(str, options.widths)),
                "hardware": where,
                "torch": torch.__version__,
            }
        )
    table = pd.DataFrame(rows)
    print(table.iloc[:, :5].to_string(index=False, float_format="%.4g"))
    print(table.iloc[:1, 5:].to_string(index=False))
    if options.write:
        OUT.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(OUT, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
