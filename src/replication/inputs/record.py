"""The record of what the guided inputs see of the images (`training.measure` makes it). Reading it needs no torch."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pandas as pd

from replication.core import paths, strict_json
from replication.core.files import reading

NAME = "guided-inputs"


def read(scale: str) -> dict[str, dict[str, Any]]:
    """The record, by family; empty where nothing is recorded."""
    path = paths.record(scale, NAME)
    with reading(path, f"`python -m replication {NAME}` writes it anew"):
        content = strict_json.loads(path.read_text()) if path.exists() else {}
        return msgspec.convert(content, dict[str, dict[str, Any]])


def sources_table(recorded: Mapping[str, Any] | None) -> pd.DataFrame:
    """The rows of `measure.sources` in a family's record, with the share of each group in the change."""
    table = pd.DataFrame(recorded["sources"] if recorded else [])
    if len(table):
        table["share"] = table["in_turn"] / table.groupby("width")["in_turn"].transform("sum")
    return table
