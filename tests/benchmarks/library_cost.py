"""What the library costs at the size of large networks, beside an earlier version of it, on one core.

`python tests/benchmarks/library_cost.py --before SOURCES [--write]`: SOURCES is the folder src of another checkout. The
two are measured in turn, each in a process of its own. Seconds are CPU seconds of that process with one thread; medians
and quartiles over the rounds, and the median of the paired ratios. With `--write` they go into
guidance-library.csv, whose other rows stay.

- log, 4096 x 4096; exact, 11008 x 4096: a warm step of guidance on a linear layer, forward and backward.
- exact, ill-conditioned: the same with two rows that are nearly equal, for which QR takes the Gram matrix's place.
- 20 convolutions of ResNet-50: the penalty, forward and backward, log form; and its share of a step at batch 8, 224 px.
- profile of EfficientNet-B7: `profile(model).summary()`; and its peak memory above the loaded model, in GB.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from machine import processor
from torch import nn

OUT = Path("data/benchmarks/guidance-library.csv")
LARGE = (4096, 4096), (11008, 4096)


def cpu_seconds(function: Callable[[], object]) -> float:
    start = time.process_time()
    function()
    return time.process_time() - start


Found = dict[str, float]
Measure = Callable[[], Found]


def linear(shape: tuple[int, int], form: str, *, close: bool = False) -> Measure:
    from entropy_guidance import EntropyGuidance

    model = nn.Sequential(nn.Linear(shape[1], shape[0], bias=False))
    if close:
        with torch.no_grad():
            model[0].weight[:, 1] = model[0].weight[:, 0] + 1e-4 * model[0].weight[:, 1]
    guidance = EntropyGuidance(model, {"0": 1e-6}, form=form)

    def step() -> None:
        model.zero_grad()
        guidance().backward()

    step()
    return lambda: {"seconds": cpu_seconds(step)}


def convolutions(batch: int = 8, size: int = 224) -> Measure:
    from torchvision.models import resnet50

    from entropy_guidance import EntropyGuidance, selection

    model = resnet50(num_classes=10)
    names = selection.by_role(model, "pre-skip", torch.empty(1, 3, 64, 64))
    guidance = EntropyGuidance(model, dict.fromkeys(names, 1e-6), form="log")
    images, labels = torch.randn(batch, 3, size, size), torch.randint(0, 10, (batch,))

    def penalty() -> None:
        guidance().backward()

    def step() -> None:
        nn.functional.cross_entropy(model(images), labels).backward()

    def measure() -> Found:
        own = statistics.median(cpu_seconds(penalty) for _ in range(15))
        return {"seconds": own, "share of a step": own / cpu_seconds(step)}

    step()
    penalty()
    return measure


def efficientnet(name: str = "efficientnet_b7") -> Measure:
    import pandas  # noqa: F401  # so that its import is not measured
    from torchvision.models import get_model

    from entropy_guidance import profile

    model = get_model(name)

    def measure() -> Found:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        seconds = cpu_seconds(lambda: profile(model).summary())
        return {"seconds": seconds, "gigabytes": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e6}

    return measure


MEASURES: dict[str, Callable[[], Measure]] = {
    "log, 4096 x 4096": lambda: linear(LARGE[0], "log"),
    "exact, 11008 x 4096": lambda: linear(LARGE[1], "exact"),
    "exact, 11008 x 4096, ill-conditioned": lambda: linear(LARGE[1], "exact", close=True),
    "20 convolutions of ResNet-50": convolutions,
    "profile of EfficientNet-B7": efficientnet,
}
FRESH = {"profile of EfficientNet-B7"}  # a peak of memory is a process's first


class Version:
    """A process that measures one thing with one version of the library, whenever it is asked to."""

    def __init__(self, what: str, sources: Path) -> None:
        environment = os.environ | {"PYTHONPATH": str(sources), "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        command = [sys.executable, __file__, "--measure", what]
        self.process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def measured(self) -> Found:
        assert self.process.stdin and self.process.stdout
        print(file=self.process.stdin, flush=True)
        found: Found = json.loads(self.process.stdout.readline())
        return found

    def end(self) -> None:
        self.process.communicate()


def answer(what: str) -> None:
    """A measurement for each line that comes in."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    warnings.simplefilter("ignore")
    measure = MEASURES[what]()
    for _ in sys.stdin:
        print(json.dumps(measure()), flush=True)


def table(before: Path, rounds: int, measures: list[str]) -> pd.DataFrame:
    sources = {"before": before.resolve(), "ours": Path(__file__).parents[2] / "src"}
    rows = []
    for what in measures:
        found: dict[str, list[Found]] = {way: [] for way in sources}
        for turns in [1] * rounds if what in FRESH else [rounds]:
            versions = {way: Version(what, path) for way, path in sources.items()}
            for _ in range(turns):
                for way, version in versions.items():
                    found[way].append(version.measured())
            for version in versions.values():
                version.end()
        for quantity in found["ours"][0]:
            values = {way: np.array([each[quantity] for each in found[way]]) for way in sources}
            ratio = np.median(values["ours"] / values["before"])
            for way in sources:
                low, median, high = np.quantile(values[way], [0.25, 0.5, 0.75])
                row = {"what": what, "quantity": quantity, "way": way, "n": rounds, "median": median}
                row |= {"quartile_low": low, "quartile_high": high, "ratio": ratio if way == "ours" else 1.0}
                rows.append(row)
                print(row, flush=True)
    about = f"python {platform.python_version()}, torch {torch.__version__}"
    return pd.DataFrame(rows).assign(hardware=f"one core of {processor()}", versions=about)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, help="folder src of the version to compare with")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=MEASURES, action="append", help="one of the measurements; may be repeated")
    parser.add_argument("--write", action="store_true", help=f"write {OUT}")
    parser.add_argument("--measure", choices=MEASURES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        answer(options.measure)
        return
    found = table(options.before, options.rounds, options.only or list(MEASURES))
    if options.write:
        before = pd.read_csv(OUT) if OUT.exists() else found[:0]
        parts = [part for part in (before[~before["what"].isin(found["what"])], found) if len(part)]
        pd.concat(parts).to_csv(OUT, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
