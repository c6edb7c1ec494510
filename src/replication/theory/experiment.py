"""The theory stage: claim C1 by experiment (paper, section 3). Seeded, float64, entropies in nats."""

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from entropy_guidance import conv_entropy_change, exact_conv_entropy_change
from replication.core import paths
from replication.core.files import reading, write_text
from replication.core.settings import Parameters
from replication.theory.layers import CORNERS, Row, glorot, random_layers, stream
from replication.theory.settings import Theory
from replication.theory.settings import read as read_settings
from replication.theory.witness import witness

FILTER_IMAGE = (8, 8)
NAMED_FILTERS = {
    "copy (1 in the centre)": ((0, 0, 0), (0, 1, 0), (0, 0, 0)),
    "shift (1 in the upper left)": ((1, 0, 0), (0, 0, 0), (0, 0, 0)),
    "Laplace": ((0, 1, 0), (1, -4, 1), (0, 1, 0)),
    "sharpen": ((0, -1, 0), (-1, 5, -1), (0, -1, 0)),
    "Sobel": ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1)),
    "binomial blur": ((1 / 16, 1 / 8, 1 / 16), (1 / 8, 1 / 4, 1 / 8), (1 / 16, 1 / 8, 1 / 16)),
}
TABLES = ("layers", "witness", "filters")
NAME = "theory"


def write(parameters: Parameters) -> Path:
    """Do every experiment and write data/runs/<scale>/theory.json; the path."""
    path = paths.record(parameters.scale, NAME)
    save(run(read_settings(parameters)), path)
    return path


def run(settings: Theory) -> dict[str, list[Row]]:
    """Every experiment of the stage as rows: `layers` (a to e), `witness` (c, d) and `filters` (e)."""
    rows = random_layers(settings.layers), witness(settings.samples, settings.repeats), filters(settings.filters)
    return dict(zip(TABLES, map(list, rows), strict=True))


def filters(count: int) -> Iterator[Row]:
    """Named filters and `count` random 3 x 3 filters without padding, in nats per output pixel.

    exact: `exact_conv_entropy_change`; c11, c1q, cp1, cpq: the formula of each corner's completion; for comparison
    centre and rms: the logarithm of the central weight and of the root mean square of all.
    """
    rng = stream("filters")
    named = {name: torch.tensor(rows, dtype=torch.float64) for name, rows in NAMED_FILTERS.items()}
    drawn = [("random", glorot(rng, 1, 1, 3, 3)[0, 0]) for _ in range(count)]
    yield from ({"filter": name, **_filter_row(filter_)} for name, filter_ in [*named.items(), *drawn])


def _filter_row(filter_: Tensor) -> Row:
    pixels = (FILTER_IMAGE[0] - 2) * (FILTER_IMAGE[1] - 2)
    return {
        "exact": exact_conv_entropy_change(filter_[None, None], FILTER_IMAGE, "valid").item() / pixels,
        **{name: conv_entropy_change(filter_, anchor=corner).item() for name, corner in CORNERS.items()},
        "centre": conv_entropy_change(filter_, anchor="center").item(),
        "rms": filter_.square().mean().sqrt().log().item(),
    }


def save(record: dict[str, list[Row]], path: Path) -> None:
    """Write a record: one row a line, seven significant digits, -inf as null."""
    tables = []
    for name, rows in record.items():
        lines = ",\n".join(f"  {json.dumps(_map(_rounded, row), allow_nan=False)}" for row in rows)
        tables.append(f' "{name}": [\n{lines}\n ]')
    write_text(path, "{\n" + ",\n".join(tables) + "\n}\n")


def read(scale: str) -> dict[str, list[Row]]:
    """The rows of a scale's record; none where there is no file."""
    path = paths.record(scale, NAME)
    if not path.exists():
        return {name: [] for name in TABLES}
    with reading(path, "`python -m replication theory` writes it anew"):
        record: dict[str, list[Row]] = _map(
            lambda value: -math.inf if value is None else value, json.loads(path.read_text())
        )
        return {name: record[name] for name in TABLES}


def _rounded(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return None if value == -math.inf else float(f"{value:.7g}")


def _map(function: Callable[[Any], Any], value: Any) -> Any:
    """The same nested lists and mappings with `function` applied to every leaf."""
    if isinstance(value, dict):
        return {key: _map(function, item) for key, item in value.items()}
    return [_map(function, item) for item in value] if isinstance(value, list) else function(value)
