"""Ten times the runs cost at most twelve times the seconds: reading the table, tables, tests and verdicts as data."""

import time
from dataclasses import replace
from pathlib import Path

import autoencoder_runs
import msgspec
import pytest
import small_cnn_runs

from replication.core.family import find
from replication.core.runs import write_table
from replication.core.settings import load

ROOT = Path(__file__).parents[2]
MOST = 12


def autoencoders(times):
    """Settings and a record for each of their runs: 65 runs a replicate."""
    small = autoencoder_runs.small_grid()
    replicates = 10 * times
    settings = with_grid(small, replicates=replicates, variant_replicates=replicates)
    return settings, autoencoder_runs.made(settings, autoencoder_runs.artefact)


def small_cnns(times):
    three = small_cnn_runs.three("cnn-cifar10")
    growing = tuple(name for name in three.grid.variants if three.variants[name].replicates is None)
    settings = with_grid(three, replicates=25 * times, smallest_replicates=30 * times, variants=growing)
    return settings, small_cnn_runs.made(settings, small_cnn_runs.strong)


def with_grid(settings, **changes):
    return msgspec.structs.replace(settings, grid=msgspec.structs.replace(settings.grid, **changes))


def seconds(family, repeats):
    """CPU seconds of its statistics, the fastest of some turns; how many runs they were about."""
    found = []
    for _ in range(repeats):
        again = replace(family)  # which has read nothing yet
        start = time.process_time()
        again.statistics()
        found.append(time.process_time() - start)
    return min(found), len(again.records)


@pytest.mark.parametrize(("name", "made"), [("autoencoder-mnist", autoencoders), ("cnn-cifar10", small_cnns)])
def test_ten_times_the_runs_cost_at_most_twelve_times_the_seconds(name, made, tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/published").symlink_to(ROOT / "data/published")
    parameters = load("paper", ROOT / "params.yaml")
    monkeypatch.chdir(tmp_path)
    measured = []
    for times, repeats in ((1, 2), (10, 1)):
        settings, records = made(times)
        family = replace(find(parameters, name), settings=settings)
        write_table(family.table, records)
        measured.append(seconds(family, repeats))
    (before, runs), (after, ten_times) = measured
    assert ten_times >= 9.5 * runs > 5_000
    assert after <= MOST * before
