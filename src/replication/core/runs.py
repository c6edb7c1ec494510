"""What a run is, its key, the store of finished runs, and the tables that are committed.

A run is a frozen description of one training: everything that changes its numbers and nothing else. A record is
what the training left: run, key, final metrics, per-epoch history, seconds, and where it was made. Records live one
file each in the store, which DVC does not see, and one line each in a family's table, which git does.
"""

import os
import sys
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replication.core import tables
from replication.core.errors import UserError
from replication.core.files import bytes_of, delete_leftovers, reading, set_aside, write_text
from replication.core.records import hashed, is_key, key_of, line, parse

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
    | {"adam"}  # whose epsilon: the same draws, another optimiser
    | {"rate_factor", "weight_factor"}  # controls: the same draws of initial weights, multiplied
    | {"window", "bottleneck_width"}  # of rivals; behind a bottleneck only the convolutions are the same
)

# Metrics and histories that no two trainings of a run share.
CLOCKS = frozenset({"seconds", "train_seconds", "seconds_per_epoch", "images_per_second"})

Record = dict[str, Any]


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
        """Seed of the random generator for one purpose (`weights`, `order`), the same whatever the guidance.

        Of its 60 bits torch's generators on the CPU use the lower 32, which no two runs of the paper's grids share
        unless they share all.
        """
        identity = {name: value for name, value in self.settings.items() if name not in PAIRED_SETTINGS}
        return int(hashed({"family": self.family, "purpose": purpose, **identity})[:15], 16)

    def __eq__(self, other: object) -> bool:
        return self.key == other.key if isinstance(other, Run) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.key)


def _checked(key: str) -> str:
    """The key, which is about to become the name of a file."""
    if not is_key(key):
        raise UserError(f"{key!r} is no key of a run, which is 16 hexadecimal digits")
    return key


class Store:
    """Finished runs: `FOLDER/<key>.json`, each renamed into place when complete.

    Beside them, of large models: checkpoints of unfinished runs, and the weights of finished unguided ones.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keys(self) -> set[str]:
        if not self.folder.exists():
            return set()
        with os.scandir(self.folder) as entries:
            names = [entry.name for entry in entries]
        return {name[:-5] for name in names if name.endswith(".json") and is_key(name[:-5])}

    def __getitem__(self, key: str) -> Record:
        """A finished run.

        Raises:
            UserError: the record is not what it says, or cannot be read.
        """
        place = f"{self.folder}/{_checked(key)}.json"  # a Path takes as long as half of the reading
        with reading(place, "the next sweep sets it aside and trains the run again"):
            return self._parsed(key, bytes_of(place))

    def take(self, key: str) -> Record | None:
        """A finished run. A record that is not what it says is set aside, said, and counts as none.

        Raises:
            UserError: the file cannot be read, though it may be whole.
        """
        path = self.path(key)
        try:
            with reading(path, "move it elsewhere"):
                text = bytes_of(str(path))
            return self._parsed(key, text)
        except ValueError as error:
            print(f"refused: {path}: {error}. It is kept as {set_aside(path)}", file=sys.stderr)
            return None

    @staticmethod
    def _parsed(key: str, text: bytes) -> Record:
        record: Record = parse(text, TRAINING_VERSION, {})
        if record["key"] != key:
            raise ValueError(f"it holds the run {record['key']}")
        return record

    def path(self, key: str) -> Path:
        """Where a finished run is."""
        return self.folder / f"{_checked(key)}.json"

    def checkpoint(self, key: str) -> Path:
        """Where a trainer may keep what it needs to go on with an unfinished run."""
        return self.folder / "checkpoints" / f"{_checked(key)}.pt"

    def weights(self, key: str) -> Path:
        """Where a trainer may keep a finished network."""
        return self.folder / "weights" / f"{_checked(key)}.safetensors"

    def delete(self, key: str) -> None:
        """Forget a run, finished or not."""
        for path in (self.path(key), self.checkpoint(key), self.weights(key)):
            path.unlink(missing_ok=True)

    def put(self, record: Record) -> None:
        """Write a record atomically: a killed process leaves either the whole record or none. Deletes its
        checkpoint.

        Raises:
            UserError: the disk is full, or the folder cannot be written.
        """
        write_text(self.path(record["key"]), line(record))
        self.checkpoint(record["key"]).unlink(missing_ok=True)

    def tidy(self, finished: Container[str]) -> None:
        """Delete what a kill left behind: files half-written by processes that are gone, finished runs' checkpoints."""
        checkpoints, weights = (place("0" * 16).parent for place in (self.checkpoint, self.weights))
        for folder in (self.folder, checkpoints, weights):
            delete_leftovers(folder)
        for path in checkpoints.glob("*.pt"):
            if path.stem in finished:
                path.unlink(missing_ok=True)

    def take_all(self, keys: Iterable[str]) -> dict[str, Record]:
        """`take` of many, by key; without those that are set aside."""
        with tables.no_collecting():
            return {key: record for key in keys if (record := self.take(key)) is not None}

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


def same_numbers(one: Record, other: Record) -> bool:
    """Whether two records of a run agree in all that does not depend on when and where it was trained."""
    return all(line(_timeless(one[part])) == line(_timeless(other[part])) for part in ("metrics", "history"))


def _timeless(part: Mapping[str, Any]) -> dict[str, Any]:
    return {name: part[name] for name in sorted(part) if name not in CLOCKS}


def unique(runs: Iterable[Run]) -> list[Run]:
    """The runs without repetitions, in their order: parts of a grid may share some."""
    return list({run.key: run for run in runs}.values())


def of_grid(records: Iterable[Record], runs: Iterable[Run]) -> list[Record]:
    """The records that belong to a selection of runs."""
    keys = {run.key for run in runs}
    return [record for record in records if record["key"] in keys]
