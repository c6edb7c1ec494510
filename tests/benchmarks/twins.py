"""Train a recorded run again with another number of threads or other kernels, and say how far it agrees.

    python tests/benchmarks/twins.py KEY [--epochs 3] [--threads 1] [--write]

The U-Net sample's runs that differ in what stopping watches alone have to be the same training, and are not. A
narrow U-Net's sums depend on the threads that share them and on the kernels that oneDNN chooses for the processor
(`ONEDNN_MAX_CPU_ISA=AVX2` has it pass over newer instructions). --write adds a row to data/benchmarks/twins.csv.
"""

import argparse
import math
import os
from itertools import takewhile

import pandas as pd
import torch

from replication.core import executors, paths, repeats
from replication.core.family import find
from replication.core.run import Run
from replication.core.runs import read_current
from replication.core.settings import load

FAMILY = "unet-coco-sample"
FILE = paths.BENCHMARKS / "twins.csv"


def main() -> None:
    """Train, compare with the record, print a line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("key")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    row = compare(options.key, options.epochs, options.threads)
    print(row)
    if options.write:
        before = pd.read_csv(FILE) if FILE.exists() else pd.DataFrame()
        pd.concat([before, pd.DataFrame([row])]).to_csv(FILE, index=False)


def compare(key: str, epochs: int, threads: int) -> dict[str, object]:
    """Training losses of the first epochs, here and as recorded, to nine digits."""
    (record,) = (record for record in read_current(paths.table("paper", FAMILY)) if record["key"] == key)
    run = Run(FAMILY, record["run"] | {"max_epochs": epochs})  # the same seeds, and so the same training
    with repeats.own_store():
        *_, last = executors.in_process([[run]], find(load("paper"), FAMILY).trainer, torch.device("cpu"), math.inf)
    losses = last.finished[0]["history"]["train_loss"]
    recorded = record["history"]["train_loss"][: len(losses)]
    same = list(takewhile(lambda pair: pair[0] == pair[1], zip(losses, recorded, strict=True)))
    return {
        "key": key,
        "lambda": run["lambda"],
        "watched": run["monitor"],
        "threads": threads,
        "kernels": os.environ.get("ONEDNN_MAX_CPU_ISA", "native"),
        "epochs": len(losses),
        "identical": len(same),
        "first_train_loss": losses[0],
    }


if __name__ == "__main__":
    main()
