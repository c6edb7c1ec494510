"""Replays against float32 sums of their own, closed forms and a real small training."""

import dataclasses

import numpy as np
import pytest
import torch
from autoencoder_runs import by_batches, made, small_grid

from replication import data as datasets
from replication.autoencoder import grid
from replication.autoencoder.statistics import replay
from replication.autoencoder.training import train
from replication.core.runs import make_record, of_grid
from replication.data import digits, shapes


@pytest.fixture(scope="module")
def settings():
    return small_grid()


def test_keras_mean_rounds_as_its_sum_does():
    """An independent float32 sum, batch by batch; at a constant of 1e5 neighbours lie 64 / 10,000 apart, and more."""

    def watched(batch):
        return replay.keras_mean({"dataset": "mnist", "batch_size": batch})

    mse = np.array([0.05, 0.049, 0.04, 0.01])
    for batch in (32, 512):
        for constant in (0.0, 1e3, 1e5):
            losses = torch.tensor(mse, dtype=torch.float32) + torch.tensor(constant, dtype=torch.float32)
            expected = [by_batches(loss, batch).item() for loss in losses]
            found = watched(batch)(mse, np.float32(constant))
            assert found.dtype == np.float32 and found.tolist() == expected
    plain = replay.plain_sum(mse, np.float32(1e5))
    exact = watched(512)(mse, np.float32(0.0))
    assert exact == pytest.approx(mse, rel=1e-6) and len(set(plain.tolist())) > 2
    assert abs(found.astype(float) - 1e5 - mse).max() > abs(plain.astype(float) - 1e5 - mse).max()


def test_replays_by_either_rounding(settings):
    unguided = of_grid(made(settings), [r for r in grid.paper_grid(settings) if r["lambda"] == 0])
    table = replay.by_rounding(unguided, [0.0, 0.01], 1e-7)
    assert table["n"].unique().tolist() == [4] and table["width"].unique().tolist() == [100, 260]
    for row in table.to_dict("records"):
        here = [r for r in unguided if r["run"]["width"] == row["width"]]
        plain = [replay.replayed_epoch(r, row["lambda"], 1e-7) for r in here]
        keras = [replay.replayed_epoch(r, row["lambda"], 1e-7, replay.keras_mean(r["run"])) for r in here]
        assert (row["plain_sum"], row["keras_mean"]) == (np.mean(plain), np.mean(keras))
        ends = [r["history"]["validation_mse"][epoch - 1] for r, epoch in zip(here, keras, strict=True)]
        assert row["keras_mse"] == pytest.approx(np.mean(ends)) and row["unguided_epoch"] == 45
        assert row["keras_mean"] < row["plain_sum"] < 45 if row["lambda"] else row["keras_mean"] == row["plain_sum"]


def test_other_minimum_improvements_by_hand(settings):
    """A watched MSE that falls by 0.1 %, of 0.5: less than 0.001 an epoch, more than 0."""
    run = grid.make_run(settings, 100, 0.0, 0, min_delta=0.0)
    history = {"validation_mse": [0.5 - 0.0005 * epoch for epoch in range(20)], "entropy_change": [0.0] * 20}
    record = make_record(run, {}, history, 1.0, {})
    table = replay.other_protocols([record], [0.0, 1e-3], [0.0, 1.0], 1e-7).set_index(["min_delta", "lambda"])
    assert table.loc[(0.0, 0.0), ["stopping_epoch", "capped"]].tolist() == [20, 1]
    assert table.loc[(1e-3, 0.0), "stopping_epoch"] == 20  # 0.0005 x 3 is an improvement again and again
    assert table.loc[(0.0, 1.0), "stopping_epoch"] == table.loc[(1e-3, 1.0), "stopping_epoch"] == 8
    assert table.loc[(0.0, 1.0), "mse"] == history["validation_mse"][7] and (table["n"] == 1).all()


def test_any_epsilon_is_told_from_unguided_runs(settings):
    unguided = [r for r in made(settings) if r["run"]["lambda"] == 0 and r["run"]["patience"] == 7]
    table = replay.replayed_grid(unguided, [0.0, 0.01, 1.0], [1e-7, 1e-5]).set_index(["epsilon", "lambda"])
    by_hand = {}
    for width in (100, 260):
        here = [r for r in unguided if r["run"]["width"] == width]
        epochs = [replay.replayed_epoch(r, 1.0, 1e-5) for r in here]
        mse = [r["history"]["validation_mse"][epoch - 1] for r, epoch in zip(here, epochs, strict=True)]
        by_hand[width] = np.mean(epochs), np.mean(mse)
    assert table.loc[(1e-5, 1.0), ["stopping_epoch", "mse"]].tolist() == pytest.approx(
        np.mean(list(by_hand.values()), 0)
    )
    # lambda / epsilon decides, but for its rounding
    assert table.loc[(1e-7, 0.01)].tolist() == pytest.approx(table.loc[(1e-5, 1.0)].tolist(), rel=0.05)
    assert table.loc[(1e-7, 0.0)].equals(table.loc[(1e-5, 0.0)]) and (table["n"] == len(unguided)).all()


@pytest.mark.parametrize("improvement", [2.0**-12, 3e-4])
def test_the_rounding_threshold_is_where_floats_lie_that_far_apart(improvement):
    spacing = np.spacing(np.float32(replay.rounding_threshold(improvement)))
    assert improvement / 2 < spacing <= improvement


def test_validation_images_are_those_of_the_data_sets():
    """Of those that are embedded; the others' are checked in test_datasets.py."""
    for module, name in ((digits, "digits"), (shapes, "shapes")):
        assert len(module.read().validation_images) == replay.VALIDATION_IMAGES[name]
    assert set(replay.VALIDATION_IMAGES) == set(datasets.NAMES)


@pytest.mark.parametrize(
    ("lambda_", "monitor"),
    # By Keras's mean of these two batches, 16 and 4 images, 1e-3 is told too early: the replay has one MSE for both
    [(1e-6, "total"), (1e-3, "total"), (10.0, "total"), (1e-6, "keras"), (10.0, "keras")],
)
def test_replay_tells_the_epoch_of_a_real_guided_training(make_run, images, monkeypatch, lambda_, monitor):
    """Trained, not made up: a 144-unit model whose determinant is far below epsilon."""
    monkeypatch.setitem(replay.VALIDATION_IMAGES, "small", 20)
    large = dataclasses.replace(
        images,
        train_images=images.train_images.repeat(1, 1, 3, 3),
        validation_images=images.validation_images.repeat(1, 1, 3, 3),
    )
    changes = {"precision": "float32", "max_epochs": 40, "learning_rate": 1e-3, "width": 144, "epsilon": 1e-7}
    runs = [make_run(**changes), make_run(lambda_=lambda_, monitor=monitor, **changes)]
    records = {r["key"]: r for e in train.train(runs, large, torch.device("cpu")) for r in e.finished}
    unguided, guided = records[runs[0].key], records[runs[1].key]
    watched = replay.keras_mean(runs[1]) if monitor == "keras" else replay.plain_sum
    predicted = replay.replayed_epoch(unguided, lambda_, 1e-7, watched)
    assert guided["metrics"]["stopping_epoch"] == predicted
    if lambda_ == 10.0:
        assert predicted == 4 < unguided["metrics"]["stopping_epoch"]
