"""The record behind Figures 1 and 7 to 9 (`measure` makes it). Reading it needs no torch."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from replication.core import paths, strict_json
from replication.core.files import reading

Layer = dict[str, Any]
SAME_FUNCTION = ("-rescaled", "-pixels", "-folded")  # how kinds of weights end that compute what another computes


def record_path(scale: str, network: str) -> Path:
    return paths.table(scale, f"profile-{network}")


def read_record(path: Path) -> list[Layer]:
    """Layers of a record; [] where there is none."""
    with reading(path, "delete it and run `python -m replication profile-stage`, or restore it with git"):
        if not path.exists():
            return []
        layers = [dict(strict_json.loads(line)) for line in path.read_text().splitlines()]
        if not any(layers):
            raise ValueError("it is empty")
        return layers


def frame(layers: Iterable[Layer]) -> pd.DataFrame:
    """One row a convolution and kind of weights, with `residual` = mean - log_sigma, and whether it is `transposed`."""
    table = pd.DataFrame(list(layers))
    if len(table):
        table["residual"] = table["mean"] - table["log_sigma"]
        table["transposed"] = table["transposed"].eq(True) if "transposed" in table else False
        if "relative" not in table:
            table["relative"] = float("nan")
    return table


def own(layers: pd.DataFrame) -> pd.DataFrame:
    """The convolutions of the networks themselves: no transposed ones, no other weights of the same function."""
    if layers.empty:
        return layers
    return layers[~layers["transposed"] & ~layers["weights"].str.endswith(SAME_FUNCTION)].reset_index(drop=True)
