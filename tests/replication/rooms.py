"""Which rooms the tests can visit."""

from importlib.util import find_spec

import pytest


def needs(*rooms: str) -> None:
    """Skip a test while a room that it visits has no module `room` yet."""
    for room in rooms:
        if find_spec(f"replication.{room}.room") is None:
            pytest.skip(f"the room {room} is not there yet")


def needs_all() -> None:
    """The same for all rooms."""
    needs("autoencoder", "inputs", "small_cnn", "imagenette", "coco_unet")
    needs("theory", "profiles", "cost", "published_tables")


def needs_a_report() -> None:
    """The same for what a report needs of them."""
    needs_all()
    if find_spec("replication.inputs.statistics") is None:
        pytest.skip("the room inputs has no statistics yet")
