"""What the guided inputs see, and where the determinant's change comes from."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from replication import data
from replication.autoencoder.training import guided_inputs, train
from replication.autoencoder.training.model import Autoencoders
from replication.core.runs import read_table
from replication.core.settings import load
from replication.data.images import pixels
from replication.inputs import record
from replication.inputs.report import figures
from replication.inputs.training import measure

CPU = torch.device("cpu")
PARAMS = Path(__file__).parents[3] / "params.yaml"


@pytest.fixture
def blank(images):
    """16 inputs of which 0 and 1 are always zero and 2 is lit by one of 2000 images."""
    train_images = images.train_images.repeat(40, 1, 1, 1)
    train_images[:, :, 0, :3] = 0
    train_images[7, :, 0, 2] = 90
    return replace(images, train_images=train_images)


def test_the_sources_add_up_and_are_those_of_a_plain_determinant(make_run, blank):
    run = make_run(0.1, form="log", max_epochs=2)
    seen = guided_inputs.seen(pixels(blank.train_images))
    [finished] = [r for epoch in train.train([run], blank, CPU) for r in epoch.finished]
    rows = measure.sources(run, blank, seen, [json.loads(json.dumps(finished))])
    assert [row["group"] for row in rows] == list(measure.GROUPS) and [row["inputs"] for row in rows] == [2, 1, 2]
    metrics = finished["metrics"]
    whole = metrics["entropy_change"] - metrics["initial_entropy_change"]
    assert sum(row["in_turn"] for row in rows) == pytest.approx(whole, rel=1e-9)
    assert all(row["identical"] for row in rows)
    before = train.initial_weights([run], blank).encoder_MLI[0].numpy()
    after = train.train_again(run, blank, CPU)[1].encoder_MLI[0].numpy()
    mixed = after.copy()
    mixed[:, :2] = before[:, :2]
    expected = np.linalg.slogdet(after[:, :5])[1] - np.linalg.slogdet(mixed[:, :5])[1]
    assert rows[0]["alone"] == rows[0]["in_turn"] == pytest.approx(expected)
    assert rows[0]["alone"] > 0.1  # the penalty moves weights that no image passes through


def test_another_training_is_noticed(make_run, blank):
    run = make_run(0.1, form="log", max_epochs=2)
    seen = guided_inputs.seen(pixels(blank.train_images))
    other = {"key": run.key, "history": {"validation_mse": [0.0, 0.0]}}
    assert {row["identical"] for row in measure.sources(run, blank, seen, [other])} == {False}
    assert {row["identical"] for row in measure.sources(run, blank, seen, [])} == {None}


def test_the_weights_that_a_training_starts_from(make_run, images):
    run = make_run(0.0, weight_factor=3.0)
    found = train.initial_weights([run], images)
    plain = Autoencoders.initial(16, 5, [run.seed("weights")], torch.float64)
    assert torch.equal(found.encoder_MLI, 3 * plain.encoder_MLI) and torch.equal(found.decoder_MIL, plain.decoder_MIL)


def test_the_images_are_described_by_input(images):
    found = measure.described(images, guided_inputs.seen(pixels(images.train_images)))
    flat = images.train_images.flatten(1).numpy()
    assert found["mean"] == pytest.approx(flat.mean(0), rel=1e-4) and found["shape"] == [1, 4, 4]
    assert found["variance"] == pytest.approx(flat.var(0), rel=1e-4) and found["images"] == 50


def test_a_view_shows_the_pixels_of_both_blocks():
    """Two pixels side by side in three colours: inputs 0 to 2 are the first pixel's."""
    recorded = {"shape": [3, 1, 2], "mean": [10, 20, 30, 40, 50, 60], "variance": [0, 0, 1, 0, 0, 5]}
    shown = figures.view("v", recorded, 1)
    assert shown.leading.tolist() == [[True, False]] and shown.variable.tolist() == [[False, True]]
    assert shown.mean[0].tolist() == [[10, 20, 30], [40, 50, 60]]
    assert shown.variance[0].tolist() == pytest.approx([1 / 3, 5 / 3])
    assert figures.view("v", recorded, 2).variable.tolist() == [[True, True]]


@pytest.mark.usefixtures("own_store")
def test_the_record_of_a_scale(monkeypatch, images):
    loaded = load("demo", PARAMS)
    monkeypatch.setattr(data, "load", lambda _: images)
    arms = {"unguided": {"widths": [5], "lambdas": [0.0]}, "leading": {"widths": [5], "lambdas": [0.01]}}
    grid = {"dataset": "digits", "batch_size": 16, "max_epochs": 4, "replicates": 1, "arms": arms}
    own = replace(loaded, of_scale={**loaded.of_scale, "inputs-mnist": grid})
    threads = torch.get_num_threads()
    path = measure.write(own)
    assert torch.get_num_threads() == threads
    assert record.read("demo")["inputs-mnist"]["sources"] == []  # no input is always zero
    assert record.read("paper") == {} and path.exists() and read_table(path.with_suffix(".jsonl")) == []
