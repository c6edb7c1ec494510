"""Made-up records of small CNNs, for the tests of Table 1, the placebos, findings and the report."""

import zlib
from pathlib import Path

import numpy as np
from msgspec.structs import replace
from scipy import stats

from replication.core import published
from replication.core.runs import make_record, of_grid
from replication.core.settings import load
from replication.small_cnn import grid
from replication.small_cnn.settings import read
from replication.small_cnn.statistics import claims, placebos

ROOT = Path(__file__).parents[2]
QUANTILES = stats.norm.ppf((np.arange(10) + 0.5) / 10)


def paper(family):
    """Settings of the paper scale."""
    return read(load("paper", ROOT / "params.yaml"), family)


def three(family):
    """The same with three architectures."""
    return with_grid(paper(family), blocks=(1, 2), widths=(32,), smallest_replicates=12)


def with_grid(settings, **changes):
    return replace(settings, grid=replace(settings.grid, **changes))


def made(settings, gain=lambda _: 0.0, sd=0.002):
    """A record for each run of the grid: 0.64, the gain, and noise."""
    records = []
    for run in grid.grid(settings):
        value = 0.64 + gain(run) + sd * noise(run)
        metrics = {"validation_accuracy": value, "train_accuracy": value + 0.1, "best_validation_accuracy": value}
        metrics |= {"best_epoch": 1, "anchor_weight": 0.5}
        ends = {"anchor_weight": 0.5, "train_accuracy": 0.7, "validation_accuracy": value}
        history = {name: [end / 2] * (run["epochs"] - 1) + [end] for name, end in ends.items()}
        records.append(make_record(run, metrics, history, 1, {"device": "x", "torch": "y"}))
    return records


def noise(run):
    """Ten replicates of a cell have ten fixed values of mean 0 and deviation 1, in an order of the cell's own.

    So no verdict hangs on which cell is lucky: without an effect the printed test would find one in 18 % of
    the architectures.
    """
    tens, place = divmod(run["replicate"], 10)
    cell = [run[name] for name in ("dataset", *grid.SETTINGS) if name != "replicate"]
    order = np.random.default_rng(zlib.crc32(repr([tens, *cell]).encode())).permutation(10)
    return (QUANTILES / QUANTILES.std(ddof=1))[order[place]]


def frame(settings, records, placement="first"):
    return grid.frame(of_grid(records, grid.paper_grid(settings, placement)))


def counted(settings, records, placement="first"):
    found = claims.choices(frame(settings, records, placement))
    return claims.counting(found, settings, published.table(1))


def strong(run):
    return 0.01 if run["placement"] == "first" and run["form"] == "reciprocal" and run["lambda"] == 0.01 else 0.0


def corner_alone(run):
    return strong(run) if run["anchor"] == "corner" else 0.0


def positions(records, settings):
    return placebos.Decisive.of(records, settings, ["corner", "center", "random"])


def exact(records, settings):
    return placebos.Decisive.of(records, settings, ["exact"])


def verdicts(settings, gain):
    """C7, H2, H3 and H4-cnn of runs with this gain."""
    records, table1 = made(settings, gain), published.table(1)
    tested, smallest = counted(settings, records), table1["delta_validation_accuracy"].min()
    runs = positions(records, settings)
    h2, better = placebos.h2(runs, smallest)[0], placebos.corner_better(runs)
    rows = claims.table1(frame(settings, records), table1)
    c7 = claims.c7(rows, tested, table1, h2, corner_better=better)
    h4 = placebos.h4(exact(records, settings), smallest)[0]
    return c7, h2, claims.h3(tested, table1)[0], h4
