"""The record of how often guided weights meet a zero (`measure` makes it). Reading it needs no torch."""

from pathlib import Path
from typing import Any, TypedDict

import msgspec
import pandas as pd

from replication.core import paths, strict_json
from replication.core.files import reading

NAME = "corner-zeros"

Row = dict[str, Any]


class Recorded(TypedDict):
    """A network with its weights, and what was measured of its guided layers."""

    network: str
    weights: str
    rows: list[Row]


def read(scale: str) -> pd.DataFrame:
    """One row a guided layer; empty where nothing is recorded.

    Columns: network, weights (untrained, or which), layer, images, corner and centre (share of zeros behind these
    weights of a filter; of a dense layer corner is its square part, and there is no centre), whole (of all that enters
    the layer), never (share of the guided weights behind which there is nothing but zero, in any image and position).
    """
    return pd.DataFrame(
        [
            {"network": line["network"], "weights": line["weights"], **row}
            for line in recorded(scale)
            for row in line["rows"]
        ]
    )


def record_path(scale: str) -> Path:
    return paths.record(scale, NAME)


def recorded(scale: str) -> list[Recorded]:
    """A network and its weights each."""
    path = record_path(scale)
    with reading(path, "restore it with git, or delete it"):
        return msgspec.convert(strict_json.loads(path.read_text()), list[Recorded]) if path.exists() else []
