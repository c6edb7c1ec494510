"""Tables on what ends guided training early, from made-up records whose answer is plain, and their section."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from autoencoder_runs import FAMILY, PARAMS, artefact, falling, frame_of, made, small_grid
from msgspec.structs import replace
from scipy import stats

from replication.autoencoder import grid
from replication.autoencoder.report import hypotheses as report
from replication.autoencoder.statistics import comparisons, pairs
from replication.core import paths
from replication.core.family import find, findings_of
from replication.core.run import Run
from replication.core.runs import of_grid, read_table, write_table
from replication.core.settings import load

FAMILIES = (FAMILY, "autoencoder-cifar10")


@pytest.fixture(scope="module")
def settings():
    return small_grid()


def test_replays_are_compared_at_every_width():
    runs = pd.DataFrame(
        {
            "width": [20, 20, 60, 60, 60],
            "lambda": [1.0, 1.0, 0.001, 0.01, 10.0],
            "epoch": [200, 13, 30, 10, 8],
            "replayed_epoch": [13, 13, 27, 11, 8],
        }
    )
    found = comparisons.replays(runs).set_index(["width", "lambda"])
    assert found.loc[(20, "0.01 and more")].tolist() == [2, 106.5, 13, 0.5, 0.5, 187]
    assert found.loc[(60, "0.01 and more")].tolist() == [2, 9, 9.5, 0.5, 1, 1]
    assert found.loc[(60, "below 0.01")].tolist() == [1, 30, 27, 0, 0, 3]
    assert comparisons.replays(runs.assign(replayed_epoch=np.nan)).empty  # a variant that watches the MSE alone


def test_earlier_targets(settings):
    """Guided runs of the exact form are twice as fast, so that they need half the epochs to any target."""
    records = made(settings, speed=lambda run: 2.0 if run["form"] == "exact" else 1.0)
    table = comparisons.time_to_early_quality(pairs.of_variants(records, settings))
    assert sorted(set(table["share"])) == [0.1, 0.2, 1 / 3, 0.5] and set(table["width"]) == {100, 260}
    for row in table.to_dict("records"):
        assert row["unguided_epochs"] == np.ceil(45 * row["share"]) and row["reached"] == row["n"] == 4
        assert row["epochs"] == np.ceil(row["unguided_epochs"] / 2) and row["high"] < 0
    assert comparisons.time_to_early_quality([]).empty


def test_thresholds_bracket_the_prediction(settings):
    found = pairs.of_variants(made(settings, artefact), settings)
    table = comparisons.thresholds(found)
    assert table["width"].tolist() == [100, 260] and table["n"].tolist() == [4, 4]
    assert (table["not_yet"] < table["replay"]).all() and (table["replay"] <= 2 * table["halved"]).all()
    falls = [falling(e) - falling(e + 1) for e in range(1, 45)]
    assert table["improvement"].to_numpy() == pytest.approx(np.median(falls), rel=0.02)


def test_thresholds_are_the_nearest_on_either_side(settings):
    found = pairs.of_variants(made(settings, artefact), settings)
    runs = pairs.frame(found)
    hidden = runs[runs["replayed_epoch"].notna() & (runs["width"] == 260)]
    epochs = hidden.groupby((hidden["lambda"] / hidden["epsilon"]).round(6))["epoch"].mean()
    halved, others = epochs.index[epochs <= 45 / 2], epochs.index[epochs > 45 / 2]
    assert len(halved) > 1 and len(others) > 1
    row = comparisons.thresholds(found).set_index("width").loc[260]
    assert (row["not_yet"], row["halved"]) == (max(others), min(halved))


def test_summary_by_hand():
    runs = pd.DataFrame(
        {"epoch": [10, 12, 50], "unguided_epoch": [45, 44, 46], "replayed_epoch": [10, 11, 15]}
        | {"mse": [0.3, 0.5, 0.1], "unguided_mse": [0.2, 0.2, np.nan], "unguided_common_mse": 0.7}
        | {"variant": "base", "width": 100, "lambda": 1.0}
    )
    (row,) = comparisons.summary(runs).to_dict("records")
    low, high = stats.ttest_1samp([0.1, 0.3], 0).confidence_interval()
    means = {"n": 3, "stopping_epoch": 24, "unguided_epoch": 45, "replayed_epoch": 12, "compared": 2, "mse": 0.4}
    means |= {"stopped_baseline": 0.2, "difference_low": low, "difference_high": high}
    assert row == pytest.approx({"variant": "base", "width": 100, "lambda": 1.0} | means)


def test_where_a_target_is_not_reached_there_is_no_interval(settings):
    runs = frame_of(settings, made(settings, speed=lambda run: 0.01 if run["form"] == "exact" else 1.0))
    table = comparisons.time_to_quality(runs).set_index(["variant", "width", "lambda"])
    slow, same = table.loc[("exact-base", 100, 1.0)], table.loc[("base", 100, 1.0)]
    assert slow["reached"] == 0 and slow[["epochs", "low", "high"]].isna().all()
    assert slow["common_mse"] > slow["unguided_common_mse"]
    assert (same["reached"], same["low"], same["high"]) == (4, 0, 0)
    assert same["unguided_epochs"] == pytest.approx(30, abs=1)


def test_one_run_that_does_not_get_there_leaves_no_interval():
    runs = pd.DataFrame(
        {"epochs_to_target": [20, 22, np.nan], "unguided_to_target": [30, 31, 32], "target": 0.1}
        | {"variant": "base", "width": 100, "lambda": 1.0, "common_mse": 0.1, "unguided_common_mse": 0.1}
    )
    (row,) = comparisons.time_to_quality(runs).to_dict("records")
    assert (row["n"], row["reached"]) == (3, 2) and np.isnan([row["low"], row["high"], row["epochs"]]).all()


def test_determinants_compare_the_last_common_epoch(settings):
    records = made(settings, lambda run: 20 if run["form"] == "exact" else 45, lambda run: 1 + (run["form"] == "log"))
    found = pairs.of_variants(records, settings)
    table = comparisons.determinants(found).set_index(["variant", "width", "lambda"])
    assert table.loc[("exact-base", 260, 1.0), ["initial", "unguided", "guided"]].tolist() == [-100, -80, -80]
    assert table.loc[("log-base", 260, 1.0), ["unguided", "guided"]].tolist() == [-55, -10]
    assert table.loc[("log-base", 260, 1.0), ["low", "high"]].tolist() == [45, 45]  # guided minus unguided


def test_guided_runs_that_outlast_the_unguided_stand_beside_longer_ones(settings):
    def epochs(run):
        unstopped = run["patience"] == 200
        return 200 if unstopped else 45 if run["lambda"] == 0 else 60 + run["replicate"]

    records = made(settings, epochs, lambda run: 2.0 if run["lambda"] == 1.0 else 1.0)
    found = pairs.unstopped(records, settings)
    assert {pair.variant for pair in found} == {"published"}
    assert {len(pair.unguided["history"]["validation_mse"]) for pair in found} == {200}
    for pair in found:
        unguided = grid.make_run(settings, 260, 0.0, pair.guided["run"]["replicate"])
        seeds = {Run(FAMILY, run).seed("weights") for run in (pair.guided["run"], pair.unguided["run"])}
        assert seeds == {unguided.seed("weights")}

    table = comparisons.equal_epochs(pairs.frame(found)).set_index(["width", "lambda"])
    assert table.index.tolist() == [(260, x) for x in (1e-4, 0.001, 0.01, 1.0)] and (table["n"] == 4).all()
    ends = [(60 + k) * (1 + 1e-3 * k) for k in range(4)]
    same, faster = table.loc[(260, 0.01)], table.loc[(260, 1.0)]
    assert same["epochs"] == 61.5 and same["low"] == same["high"] == 0
    assert same["mse"] == pytest.approx(np.mean([falling(end) for end in ends]))
    assert faster["unguided_mse"] == pytest.approx(same["mse"])
    assert faster["mse"] == pytest.approx(np.mean([falling(2 * end) for end in ends])) and faster["high"] < 0
    assert (faster["change"], faster["unguided_change"]) == (-100 + 2 * 61.5, -100 + 61.5)


def section_of(settings, folder):
    """Of two families with these settings."""
    parameters = load("paper", PARAMS)
    families = [
        dataclasses.replace(find(parameters, name), settings=replace(settings, family=name)) for name in FAMILIES
    ]
    return report.section(families, {family.name: findings_of(family) for family in families}, folder, "")


@pytest.mark.parametrize("changed", [{}, {"monitor": "base"}, {"form": "exact"}, {"form": "log"}])
def test_the_section_renders_under_any_protocol(settings, tmp_path, monkeypatch, changed):
    """What `dvc exp run -S autoencoder.monitor=base` and its like leave to be shown."""
    monkeypatch.setattr(paths, "PUBLISHED", PARAMS.parent / "data/published")
    monkeypatch.chdir(tmp_path)
    variant = replace(settings, training=replace(settings.training, **changed))
    write_table(paths.table("paper", FAMILY), made(variant, artefact))
    section = section_of(variant, tmp_path / "report")
    assert all(entry.path.exists() for entry in section.figures + section.tables) and section.figures
    told = [entry.frame["exact"].min() for entry in section.tables if "-replay" in entry.path.name]
    assert told == ([] if changed else [1.0])  # nothing is told where no constant hides the improvement


def test_the_section_renders_with_runs_in_float64_alone(settings, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "PUBLISHED", PARAMS.parent / "data/published")
    monkeypatch.chdir(tmp_path)
    records = [record for record in made(settings, artefact) if record["run"]["precision"] == "float64"]
    write_table(paths.table("paper", FAMILY), records)
    section = section_of(settings, tmp_path / "report")
    assert all(entry.path.exists() for entry in section.figures + section.tables) and section.figures


def test_the_committed_runs_belong_to_the_grid():
    """Their keys must stay what they are, or hours of training are lost."""
    loaded = load("paper", PARAMS)
    for family in FAMILIES:
        records = read_table(PARAMS.parent / f"data/runs/paper/{family}.jsonl")
        assert records and of_grid(records, find(loaded, family).grid) == records


def test_the_threshold_is_that_of_the_plain_sum(settings):
    def epochs(run):
        return 5 if run["monitor"] == "keras" else 30 if run["lambda"] and run["monitor"] == "total" else 45

    found = pairs.of_variants(made(settings, epochs), settings)
    plain = [pair for pair in found if pair.variant != "keras-mean"]
    assert len(plain) < len(found)
    pd.testing.assert_frame_equal(comparisons.thresholds(found), comparisons.thresholds(plain))
