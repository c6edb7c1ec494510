"""What it takes to verify prepared data: `python tests/benchmarks/verification.py [--write]`.

CPU seconds a GB of random images, every one hashed with its class as before a training, medians of n turns; beside them
the rate of SHA-256 itself, over all bytes at once. --write puts the table into data/benchmarks/verification.csv.
"""

import argparse
import hashlib
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from engine import publish

from replication.data.images import ImageSet
from replication.data.verify import hashes

BYTES = 1 << 28
SIZES = ((1, 28), (3, 32), (3, 64), (3, 224))  # channels, pixels: digits, CIFAR-10, small and large photographs
GB = 10**9


def seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def of_size(content: torch.Tensor, channels: int, size: int) -> ImageSet:
    """As many images as the bytes hold; the other split has one."""
    images = content[: len(content) // (channels * size**2) * channels * size**2].view(-1, channels, size, size)
    labels = torch.zeros(len(images), dtype=torch.uint8)
    return ImageSet(images, labels, images[:1], labels[:1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write data/benchmarks/verification.csv")
    parser.add_argument("-n", type=int, default=7, help="turns")
    options = parser.parse_args()
    content = torch.randint(0, 256, (BYTES,), dtype=torch.uint8)
    sets = {size: of_size(content, *size) for size in SIZES}
    turns: dict[str, list[float]] = {}
    for _ in range(options.n):
        turns.setdefault("SHA-256 alone", []).append(seconds(lambda: hashlib.sha256(content.numpy())) * GB / BYTES)
        for (channels, size), data in sets.items():
            taken = seconds(lambda data=data: hashes("random", data))  # type: ignore[misc]
            turns.setdefault(f"{channels} x {size} x {size}", []).append(taken * GB / data.train_images.nbytes)
    rows = [
        {"images": what, "seconds": np.median(found), "lowest": min(found), "highest": max(found), "n": len(found)}
        for what, found in turns.items()
    ]
    publish(pd.DataFrame(rows), "verification.csv", write=options.write)


if __name__ == "__main__":
    main()
