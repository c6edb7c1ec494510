"""What all families' runs have in common: which of their settings count, and their table."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from replication.core.runs import Record

if TYPE_CHECKING:
    import pandas as pd


def blanked(described: Mapping[str, Any], **unguided: Any) -> dict[str, Any]:
    """Settings of a run without what it does not use, so that every variant of the guidance has the same unguided runs.

    That is an epsilon where the form has none, and of an unguided run all guidance.

    Args:
        unguided: what else an unguided run says in place of a setting.
    """
    settings = dict(described)
    if settings["form"] != "reciprocal":
        settings |= {"epsilon": 0.0}
    if settings["lambda"] == 0:
        settings |= {"form": "none", "epsilon": 0.0, **unguided}
    return settings


def frame(records: Iterable[Record], columns: Sequence[str]) -> "pd.DataFrame":
    """One row a run: its settings, metrics, seconds and key.

    Args:
        columns: those of a table without runs.
    """
    import pandas as pd  # takes half a second, which listing runs need not wait

    rows = [r["run"] | r["metrics"] | {"seconds": r["seconds"], "key": r["key"]} for r in records]
    return pd.DataFrame(rows, columns=None if rows else columns)
