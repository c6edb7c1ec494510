"""Baselines beside those of Table 1, on made-up records and on the committed ones."""

import numpy as np
import pytest
from small_cnn_runs import ROOT

from replication.core.runs import make_record, read_table
from replication.small_cnn import grid
from replication.small_cnn.settings import CANDIDATE
from replication.small_cnn.statistics import calibration


def off(run, published, train, validation, epochs=20):
    """A record whose last epoch lies so far from the published baseline."""
    printed = published.set_index(["blocks", "width"]).loc[(run["blocks"], run["width"])]
    history = {
        "train_accuracy": [0.0] * (epochs - 1) + [printed["base_train_accuracy"] + train],
        "validation_accuracy": [0.0] * (epochs - 1) + [printed["base_validation_accuracy"] + validation],
    }
    return make_record(run, {}, history, 1, {})


def test_calibration_finds_the_setting_that_the_published_numbers_came_from(settings, nine):
    """A candidate whose history passes through the printed accuracies at epoch 8 is the nearest, with distance 0."""
    printed, records = nine.iloc[0], []
    for run in grid.calibration_grid(settings):
        if run["blocks"] > 1:
            continue
        drift = 0.01 if run["batch_size"] == 128 else 0.02
        epochs = np.arange(1, run["epochs"] + 1) - 8
        shift = 0 if run["batch_size"] == 128 else 0.003
        history = {
            "train_accuracy": list(printed["base_train_accuracy"] + drift * epochs + shift),
            "validation_accuracy": list(printed["base_validation_accuracy"] + 0.002 * epochs - shift),
        }
        records.append(make_record(run, {}, history, 1, {}))
    table = calibration.calibration_table(records, [5, 8, 20], nine)
    assert len(table) == 3 * len(settings.calibration.candidates)
    assert table.loc[0, ["batch_size", "epochs"]].tolist() == [128, 8] and table.loc[0, "distance"] < 1e-9
    train, validation = calibration.implied_noise(nine)
    row = table[(table["batch_size"] == 128) & (table["epochs"] == 5)].iloc[0]
    assert row["distance"] == pytest.approx(np.sqrt(((0.03 / train) ** 2 + (0.006 / validation) ** 2) / 2))
    assert table["distance"].is_monotonic_increasing and set(table["n"]) == {1}
    assert calibration.calibration_table([], [5], nine).empty


def test_every_architecture_counts_the_same_in_the_calibration_whatever_its_replicates(settings, nine):
    train, validation = calibration.implied_noise(nine)
    runs = [grid.make_run(settings, (blocks, 32), 0.0, k, epochs=20) for blocks, k in ((1, 0), (1, 1), (2, 0))]
    shifts = [(train, 0), (3 * train, 2 * validation), (0, -4 * validation)]
    records = [off(run, nine, *shift) for run, shift in zip(runs, shifts, strict=True)]
    cells = calibration.baseline_table(records, [20], nine)
    assert cells[["blocks", "width", "n"]].to_numpy().tolist() == [[1, 32, 2], [2, 32, 1]]
    distances = [np.sqrt((2**2 + 1) / 2), np.sqrt(4**2 / 2)]  # of the means
    assert cells["distance"].tolist() == pytest.approx(distances)
    assert cells["best_validation_accuracy"].tolist() == cells["validation_accuracy"].tolist()  # the last is the best
    records[0]["history"]["validation_accuracy"][3] = 0.9
    peak = calibration.baseline_table(records, [20], nine)["best_validation_accuracy"]
    assert peak[0] == pytest.approx((0.9 + records[1]["history"]["validation_accuracy"][-1]) / 2)
    [whole] = calibration.calibration_table(records, [20], nine).itertuples()
    assert (whole.architectures, whole.n) == (2, 3)
    assert whole.distance == pytest.approx(np.sqrt(np.mean(np.square(distances))))
    assert whole.published_train == pytest.approx((0.7387 + 0.7444) / 2)


def test_the_defaults_are_what_the_calibration_chose(settings, nine):
    records = read_table(ROOT / "data/runs/paper/cnn-cifar10-calibration.jsonl")
    table = calibration.calibration_table(records, settings.calibration.lengths, nine)
    assert (table["architectures"] == len(settings.calibration.blocks)).all()
    best = table.iloc[0]
    assert {name: best[name] for name in CANDIDATE} == {name: getattr(settings.training, name) for name in CANDIDATE}
    assert best["epochs"] == settings.grid.epochs


def test_settings_compared_in_fewer_architectures_stand_last_in_the_calibration(settings, nine):
    runs = [grid.make_run(settings, (blocks, 32), 0.0, 0, epochs=20) for blocks in (1, 2)]
    other = grid.make_run(settings, (1, 32), 0.0, 0, epochs=20, padding="same")
    records = [off(run, nine, 0.02, 0.02) for run in runs] + [off(other, nine, 0, 0)]
    table = calibration.calibration_table(records, [20], nine)
    assert table["padding"].tolist() == ["valid", "same"] and table["architectures"].tolist() == [2, 1]


def test_baselines_of_unpublished_architectures_are_not_compared(settings, nine):
    run = grid.make_run(settings, (1, 16), 0.0, 0, epochs=20)
    record = make_record(run, {}, {"train_accuracy": [0.5] * 20, "validation_accuracy": [0.5] * 20}, 1, {})
    assert calibration.baseline_table([record], [20], nine).empty


def test_the_best_epoch_of_a_shorter_training(settings, nine):
    record = off(grid.make_run(settings, (1, 32), 0.0, 0, epochs=20), nine, 0, 0)
    record["history"]["validation_accuracy"][12] = 0.99
    table = calibration.baseline_table([record], [5, 20], nine).set_index("epochs")
    assert table.loc[20, "best_validation_accuracy"] == 0.99 > table.loc[5, "best_validation_accuracy"]
