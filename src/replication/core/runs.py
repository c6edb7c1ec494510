"""What a run is, its key, the store of finished runs, and the tables that are committed.

A run is a frozen description of one training: everything that changes its numbers and nothing else. A record is
what the training left: run, key, final metrics, per-epoch history, seconds, and where it was made. Records live one
file each in the store, which DVC does not see, and one line each in a family's table, which git does.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replication.core import strict_json
from replication.core.errors import UserError
from replication.core.files import reading, write_text

if TYPE_CHECKING:
    import pandas as pd

# Raise by hand when a change to the code changes the numbers of a training by more than rounding: every record is then
# stale.
TRAINING_VERSION = 1

# Settings that say how a run is guided, watched or stopped, not which random numbers it starts from. Runs that differ
# only in these share initial weights and batches: paired comparisons.
PAIRED_SETTINGS = frozenset(
    {"lambda", "form", "epsilon", "anchor", "inputs", "placement", "layers", "reduction"}
    | {"monitor", "precision", "patience", "min_delta", "max_epochs", "epochs"}
    | {"rate_factor", "weight_factor"}  # controls: the same draws of initial weights, multiplied
)

Record = dict[str, Any]
COMPACT = (",", ":")  # JSON without spaces
RECORD_FIELDS = {"key", "family", "version", "run", "metrics", "history", "seconds", "environment"}


@dataclass(frozen=True, eq=False)
class Run:
    """One training. `settings` are flat: numbers and texts. Runs are equal if their keys are: 1 is not 1.0."""

    family: str
    settings: Mapping[str, float | int | str]

    def __getitem__(self, name: str) -> Any:
        return self.settings[name]

    @cached_property
    def key(self) -> str:
        """16 hexadecimal digits: a hash of the description and of TRAINING_VERSION."""
        return key_of(self.family, TRAINING_VERSION, self.settings)

    def seed(self, purpose: str) -> int:
        """Seed of the random generator for one purpose (`weights`, `order`), the same whatever the guidance."""
        identity = {name: value for name, value in self.settings.items() if name not in PAIRED_SETTINGS}
        return int(_hash({"family": self.family, "purpose": purpose, **identity})[:15], 16)

    def __eq__(self, other: object) -> bool:
        return self.key == other.key if isinstance(other, Run) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.key)


def key_of(family: str, version: int, settings: Mapping[str, Any]) -> str:
    """The key of a run that some version of the training code made."""
    return _hash({"family": family, "version": version, **settings})[:16]


def _hash(mapping: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(mapping, sort_keys=True).encode()).hexdigest()


class Store:
    """Finished runs: `FOLDER/<key>.json`, each renamed into place when complete.

    Beside them, of large models: checkpoints of unfinished runs, and the weights of finished unguided ones.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keys(self) -> set[str]:
        return {path.stem for path in self.folder.glob("*.json")}

    def __getitem__(self, key: str) -> Record:
        path = self.folder / f"{key}.json"
        with reading(path, "delete it, and the run is trained again"):
            record: Record = strict_json.loads(path.read_text())
        return record

    def checkpoint(self, key: str) -> Path:
        """Where a trainer may keep what it needs to go on with an unfinished run."""
        return self.folder / "checkpoints" / f"{key}.pt"

    def weights(self, key: str) -> Path:
        """Where a trainer may keep a finished network."""
        return self.folder / "weights" / f"{key}.safetensors"

    def delete(self, key: str) -> None:
        """Forget a run, finished or not."""
        for path in (self.folder / f"{key}.json", self.checkpoint(key), self.weights(key)):
            path.unlink(missing_ok=True)

    def put(self, record: Record) -> None:
        """Write a record atomically: a killed process leaves either the whole record or none. Deletes its
        checkpoint.

        Raises:
            UserError: the disk is full, or the folder cannot be written.
        """
        write_text(self.folder / f"{record['key']}.json", strict_json.dumps(record, separators=COMPACT))
        self.checkpoint(record["key"]).unlink(missing_ok=True)

    def add_missing(self, records: Iterable[Record]) -> int:
        """Put the records that the store does not have; return how many."""
        present = self.keys()
        new = [record for record in records if record["key"] not in present]
        for record in new:
            self.put(record)
        return len(new)


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
    """Records of a table, one JSON object a line; [] where there is none.

    Raises:
        UserError: a line is not a record, or the record of an earlier line.
    """
    if not path.exists():
        return []
    with reading(path, "restore it with git"):
        lines = path.read_text().splitlines()
    records: list[Record] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            record = strict_json.loads(line)
            if not isinstance(record, dict) or not record.keys() >= RECORD_FIELDS:
                raise ValueError("not a run record")
            if (first := seen.setdefault(record["key"], number)) != number:
                raise ValueError(f"the run of line {first} once more")
        except ValueError as error:
            raise UserError(f"{path}, line {number}: {error}. Restore the file with git, or delete the line") from None
        records.append(record)
    return records


def write_table(path: Path, records: Iterable[Record]) -> None:
    """Write records sorted by key, atomically: the same records give the same bytes."""
    ordered = sorted(records, key=lambda record: record["key"])
    lines = [strict_json.dumps(record, separators=COMPACT) + "\n" for record in ordered]
    write_text(path, "".join(lines) or "\n")  # DVC warns of a file that is empty


def current(records: Iterable[Record]) -> list[Record]:
    """The records made by this version of the training code."""
    return [record for record in records if record["version"] == TRAINING_VERSION]


def read_current(path: Path) -> list[Record]:
    """`current` of `read_table`: what every reader but `runs merge` wants."""
    return current(read_table(path))


def without_unused(described: Mapping[str, Any], **unguided: Any) -> dict[str, Any]:
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


def table_of(records: Iterable[Record], columns: Sequence[str]) -> "pd.DataFrame":
    """One row a run: its settings, metrics, seconds and key.

    Args:
        columns: those of a table without runs.
    """
    import pandas as pd  # takes half a second, which listing runs need not wait

    rows = [r["run"] | r["metrics"] | {"seconds": r["seconds"], "key": r["key"]} for r in records]
    return pd.DataFrame(rows, columns=None if rows else columns)


def unique(runs: Iterable[Run]) -> list[Run]:
    """The runs without repetitions, in their order: parts of a grid may share some."""
    return list({run.key: run for run in runs}.values())


def of_grid(records: Iterable[Record], runs: Iterable[Run]) -> list[Record]:
    """The records that belong to a selection of runs."""
    keys = {run.key for run in runs}
    return [record for record in records if record["key"] in keys]
