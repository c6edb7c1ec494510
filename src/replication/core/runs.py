"""Records of runs: made, kept in tables that git sees, compared and selected.

A record is what a training left: run, key, final metrics, per-epoch history, seconds, and where it was made.
`core.records` says what one has to be; `core.run` what a run is; `core.store` where they lie while a sweep goes on.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replication.core import tables
from replication.core.records import line
from replication.core.run import TRAINING_VERSION, Run

if TYPE_CHECKING:
    import pandas as pd

# Metrics and histories that no two trainings of a run share.
CLOCKS = frozenset({"seconds", "train_seconds", "seconds_per_epoch", "images_per_second"})

Record = dict[str, Any]


def make_record(
    run: Run,
    metrics: Mapping[str, float | int],
    history: Mapping[str, list[float]],
    seconds: float,
    environment: Mapping[str, str],
) -> Record:
    """A self-describing record. Histories keep nine significant digits: a float32 survives unchanged.

    In files a number that is not finite is null; read again, it is NaN.
    """
    return {
        "key": run.key,
        "family": run.family,
        "version": TRAINING_VERSION,
        "run": dict(run.settings),
        "metrics": dict(metrics),
        "history": {name: [nine_digits(value) for value in values] for name, values in history.items()},
        "seconds": round(seconds, 3),
        "environment": dict(environment),
    }


def nine_digits(value: float) -> float:
    """The value with so many significant digits, as histories keep it."""
    return float(f"{value:.9g}")


def read_table(path: Path) -> list[Record]:
    """Records of a table, one JSON object a line; [] where there is none. Lines that are refused are said.

    Raises:
        UserError: the file cannot be read.
    """
    records, refused = tables.split(path, TRAINING_VERSION)
    tables.say(refused)
    return records


def write_table(path: Path, records: Iterable[Record]) -> None:
    """Write records sorted by key, atomically: the same records give the same bytes. Refused lines are kept aside."""
    tables.write(path, records, TRAINING_VERSION)


def current(records: Iterable[Record]) -> list[Record]:
    """The records made by this version of the training code."""
    return [record for record in records if record["version"] == TRAINING_VERSION]


def read_current(path: Path) -> list[Record]:
    """`current` of `read_table`: what every reader but `runs merge` wants."""
    return current(read_table(path))


def table_of(records: Iterable[Record], columns: Sequence[str]) -> "pd.DataFrame":
    """One row a run: its settings, metrics, seconds and key.

    Args:
        columns: those of a table without runs.
    """
    import pandas as pd  # takes half a second, which listing runs need not wait

    rows = [r["run"] | r["metrics"] | {"seconds": r["seconds"], "key": r["key"]} for r in records]
    return pd.DataFrame(rows, columns=None if rows else columns)


def same_numbers(one: Record, other: Record) -> bool:
    """Whether two records of a run agree in all that does not depend on when and where it was trained."""
    return all(line(_timeless(one[part])) == line(_timeless(other[part])) for part in ("metrics", "history"))


def _timeless(part: Mapping[str, Any]) -> dict[str, Any]:
    return {name: part[name] for name in sorted(part) if name not in CLOCKS}


def of_grid(records: Iterable[Record], runs: Iterable[Run]) -> list[Record]:
    """The records that belong to a selection of runs."""
    keys = {run.key for run in runs}
    return [record for record in records if record["key"] in keys]
