"""The store of finished runs, one file each, which DVC does not see; beside them what large models need to go on."""

import os
import sys
from collections.abc import Container, Iterable
from pathlib import Path

from replication.core import measured, tables
from replication.core.errors import UserError
from replication.core.files import MISPLACED, bytes_of, delete_leftovers, reading, set_aside, write_text
from replication.core.records import is_key, line, parse
from replication.core.run import TRAINING_VERSION
from replication.core.runs import Record


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
            return self._parsed(key, bytes_of(str(path)))
        except (ValueError, *MISPLACED) as error:
            if os.path.lexists(path):  # nobody deleted it meanwhile
                print(f"refused: {path}: {error}. It is kept as {set_aside(path)}", file=sys.stderr)
            return None
        except OSError as error:
            with reading(path, "move it elsewhere"):  # says what the system refused
                raise error

    @staticmethod
    def _parsed(key: str, text: bytes, names: measured.Names | None = None) -> Record:
        record: Record = parse(text, TRAINING_VERSION, {}, names)
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
        """`take` of many, by key and in their order; without those that are set aside."""
        found, names, folder = {}, measured.families(), str(self.folder)
        with tables.no_collecting():
            for key in sorted(map(_checked, keys)):
                try:
                    found[key] = self._parsed(key, bytes_of(f"{folder}/{key}.json"), names)
                except (ValueError, OSError):  # `take` knows what to do
                    if (record := self.take(key)) is not None:
                        found[key] = record
        return found

    def add_missing(self, records: Iterable[Record]) -> int:
        """Put the records that the store does not have; return how many."""
        present = self.keys()
        new = [record for record in records if record["key"] not in present]
        for record in new:
            self.put(record)
        return len(new)
