"""The record that the theory stage leaves: rows of numbers and names. Reading it needs no torch."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from replication.core import paths, studies
from replication.core.files import reading

NAME = "theory"
TABLES = ("layers", "witness", "filters")
CORNERS = {"c11": (0, 0), "c1q": (0, -1), "cp1": (-1, 0), "cpq": (-1, -1)}  # columns of `filters`

Row = dict[str, Any]


def save(record: dict[str, list[Row]], path: Path) -> None:
    """Write a record: one row a line, seven significant digits, -inf as null."""
    tables = []
    for name, rows in record.items():
        lines = ",\n".join(f"  {json.dumps(_map(_rounded, row), allow_nan=False)}" for row in rows)
        tables.append(f' "{name}": [\n{lines}\n ]')
    studies.write(path, "{\n" + ",\n".join(tables) + "\n}\n")


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
