"""Which inputs form the square part."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from replication.autoencoder.inputs import RULES
from replication.autoencoder.training.guided_inputs import BY_RULE, chosen, seen
from replication.core.errors import UserError


def test_what_is_seen_is_what_numpy_counts(monkeypatch):
    monkeypatch.setattr("replication.autoencoder.training.guided_inputs.CHUNK", 7)
    images = torch.randint(0, 4, (50, 9), generator=torch.Generator().manual_seed(0), dtype=torch.uint8) * 60
    found = seen(images)
    assert found.lit_I.tolist() == np.count_nonzero(images.numpy(), axis=0).tolist()
    assert (found.spread_I.double() / 50**2).tolist() == pytest.approx(images.numpy().var(axis=0).tolist())


def test_large_sums_stay_whole_numbers():
    """As many white pixels as MNIST has images, but for one."""
    images = torch.full((60_000, 1), 255, dtype=torch.uint8)
    images[0] = 0
    assert seen(images).spread_I.item() == 255**2 * 59_999


def striped(images):
    """16 inputs: 4 to 7 are dead, 8 to 11 lit by one image, 12 to 15 the same in all images; 0 to 3 vary most."""
    train = torch.zeros(50, 1, 4, 4, dtype=torch.uint8)
    train[::2, :, 0] = torch.tensor([200, 100, 200, 200], dtype=torch.uint8)
    train[0, :, 2] = 255
    train[:, :, 3] = 9
    return replace(images, train_images=train)


@pytest.mark.parametrize(
    ("inputs", "width", "expected"),
    [
        ("most-variable", 2, [0, 2]),  # of equal ones the first
        ("most-variable", 4, [0, 1, 2, 3]),
        ("most-variable", 8, [0, 1, 2, 3, 8, 9, 10, 11]),
        ("dead-only", 3, [4, 5, 6]),
        ("rarest", 6, [4, 5, 6, 7, 8, 9]),
        ("rarest", 16, list(range(16))),
        ("0,7,15", 3, [0, 7, 15]),
    ],
)
def test_the_chosen_inputs(make_run, images, inputs, width, expected):
    assert chosen(make_run(0.1, inputs=inputs, width=width), striped(images)).tolist() == expected


def test_the_papers_inputs_are_the_leading_ones(make_run):
    assert chosen(make_run(0.1), SimpleNamespace()) is None  # it takes no look at the images


@pytest.mark.parametrize(
    ("inputs", "width", "message"),
    [
        ("most-variable", 9, "width 9 needs 9 guided inputs that vary, and the training images have 8"),
        ("dead-only", 5, "width 5 needs 5 guided inputs that are always zero, and the training images have 4"),
        ("rarest", 17, "width 17 needs 17 guided inputs in all, and the training images have 16"),
        ("0,3", 3, "inputs lists 2 inputs for width 3"),
        ("0,3,16", 3, "inputs lists 16, but small has inputs 0 to 15 only"),
    ],
)
def test_inputs_that_cannot_be(make_run, images, inputs, width, message):
    with pytest.raises(UserError, match=message):
        chosen(make_run(0.1, inputs=inputs, width=width), striped(images))


def test_every_rule_is_one_that_settings_name():
    assert set(BY_RULE) == set(RULES)
