"""What square parts see, against numpy and on images whose answer is plain."""

import numpy as np
import pytest
import torch

from replication import data as datasets
from replication.autoencoder import record, square_part
from replication.autoencoder.training import train
from replication.core import paths
from replication.core.family import find
from replication.core.settings import load
from replication.data.images import pixels


def test_what_is_seen_of_random_images():
    images = torch.randint(0, 256, (123, 3, 4, 5), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    images *= torch.rand(123, 1, 1, 1, generator=torch.Generator().manual_seed(2)) < 0.3
    images[:, :, 0, :2] = 0  # the first six inputs
    table = square_part.seen(pixels(images), [6, 7, 60]).set_index("width")

    inputs = np.moveaxis(images.numpy(), 1, -1).reshape(123, 60).astype(float)  # as numpy flattens a colour image
    variance = inputs.var(axis=0)
    for width in (6, 7, 60):
        assert table["lit"][width] == (inputs[:, :width] > 0).any(axis=0).sum()
        assert table["images"][width] == pytest.approx((inputs[:, :width] > 0).any(axis=1).mean())
        assert table["variance"][width] == pytest.approx(variance[:width].sum() / variance.sum())
    assert table.loc[6].tolist() == [0, 0, 0] and table["lit"][7] == 1 and table["variance"][60] == pytest.approx(1)


def test_chunks_change_nothing(monkeypatch):
    inputs = torch.randint(0, 256, (50, 9), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    whole = square_part.seen(inputs, [2, 5])
    monkeypatch.setattr(square_part, "CHUNK", 7)
    assert square_part.seen(inputs, [2, 5]).to_numpy() == pytest.approx(whole.to_numpy())


def test_written_for_every_family_and_read_again(tmp_path, monkeypatch):
    parameters = load("demo")
    monkeypatch.setattr(paths, "record", lambda scale, name: tmp_path / f"{scale}-{name}.json")
    assert record.read("demo", "autoencoder-mnist").empty
    square_part.write(parameters)
    for family in ("autoencoder-mnist", "autoencoder-cifar10"):
        grid = find(parameters, family).settings.grid
        images = datasets.load(grid.dataset).train_images
        expected = square_part.seen(pixels(images), grid.widths)
        assert record.read("demo", family).to_numpy() == pytest.approx(expected.to_numpy())


def test_where_no_image_lights_the_square_part_guidance_changes_no_mse(make_run, images):
    """Why it matters: such a determinant can be moved at will, and the network stays the same function."""
    for part in (images.train_images, images.validation_images):
        part[:, :, 0] = 0  # the first row, four pixels
    assert square_part.seen(pixels(images.train_images), [4])["lit"].tolist() == [0]
    changes = {"width": 4, "max_epochs": 5, "monitor": "base", "patience": 5}
    runs = [make_run(**changes), make_run(lambda_=1e-3, form="log", **changes)]
    records = {r["key"]: r for e in train.train(runs, images, torch.device("cpu")) for r in e.finished}
    unguided, guided = (records[run.key]["history"] for run in runs)
    assert guided["validation_mse"] == pytest.approx(unguided["validation_mse"], rel=1e-12)
    assert guided["entropy_change"][-1] > unguided["entropy_change"][-1] + 0.01
