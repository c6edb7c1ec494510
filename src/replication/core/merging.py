"""Finished runs of other machines, from their tables and stores, into the store here. What is here already stays."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from replication.core import paths, tables
from replication.core.errors import UserError
from replication.core.records import is_key
from replication.core.run import TRAINING_VERSION
from replication.core.runs import Record, current, read_current, same_numbers
from replication.core.schema import named
from replication.core.store import Store

TABLES = (".jsonl", ".jsonl.gz")


def merge(places: Sequence[Path]) -> int:
    """Take the runs of files and folders, and say of each file what was in it; the exit status.

    A table of this project in which git left a conflict is written anew. No other file is changed.

    Raises:
        UserError: there is no such file or folder, or a table of this project is in a conflict and is not named.
    """
    files = list(files_in(places))
    _resolve(files)
    store, known, unread = Store(paths.store()), in_tables(), 0
    for file in files:
        try:
            _merge_file(file, store, known)
        except UserError as error:  # the others may be whole
            print(f"passed over: {error}", file=sys.stderr)
            unread += 1
    print("Write them into a family's table with `python -m replication sweep --family ... --minutes 0`.")
    return int(unread > 0)


def files_in(places: Iterable[Path]) -> Iterator[Path]:
    """The files named and, of folders named, those whose names are a table's or a stored run's, below them too.

    Raises:
        UserError: one is not there.
    """
    for place in places:
        if not place.exists():
            raise UserError(f"no file {named(str(place))}")
        if place.is_dir():
            yield from sorted(path for path in place.rglob("*") if _may_hold_runs(path) and path.is_file())
        else:
            yield place


def in_tables(scale: str | None = None) -> dict[str, Record]:
    """By key, the runs of all scales' tables, or of one scale's."""
    return {record["key"]: record for path in _own_tables(scale or "*") for record in read_current(path)}


def _own_tables(scale: str = "*") -> list[Path]:
    return [path for path in sorted(paths.RUNS.glob(f"{scale}/*.jsonl")) if tables.is_table(path)]


def _may_hold_runs(path: Path) -> bool:
    if path.name.startswith("._"):  # what macOS leaves on other file systems
        return False
    return path.name.endswith(TABLES) or (path.suffix == ".json" and is_key(path.stem))


def _resolve(files: Iterable[Path]) -> None:
    """Tables of this project that git left in a conflict, among the files named."""
    own = {path.resolve() for path in _own_tables()}
    for file in files:
        if file.resolve() in own and tables.resolve(file, TRAINING_VERSION):
            print(f"{file}: the conflict is resolved, with the runs of both sides. `git add {file}` tells git")


def _merge_file(file: Path, store: Store, known: dict[str, Record]) -> None:
    """Add the file's runs to the store and to those known."""
    found, refused = tables.split_theirs(file, TRAINING_VERSION) if tables.is_table(file) else ([], [])
    if not found and not any('"key"' in line.text for line in refused):
        print(f"passed over: {file} holds no runs", file=sys.stderr)
        return
    tables.say(refused)
    usable = current(found)
    known |= store.take_all(_keys(usable) & store.keys())
    new = [record for record in usable if record["key"] not in known]
    store.add_missing(new)
    conflicts = [record for record in usable if not same_numbers(record, known.get(record["key"], record))]
    print(
        f"{file}: {len(found)} runs, {len(new)} new, {len(found) - len(usable)} from another version of the "
        f"training code, {len(refused)} refused, {len(conflicts)} with other numbers than here"
    )
    _say_conflicts(conflicts, known, file)
    known |= {record["key"]: record for record in new}


def _keys(found: Iterable[Record]) -> set[str]:
    return {record["key"] for record in found}


def _say_conflicts(conflicts: list[Record], known: dict[str, Record], file: Path) -> None:
    """Which runs have other numbers in a file than here, and what is kept."""
    if not conflicts:
        return
    from replication.core import checks

    for record in conflicts:
        here = known[record["key"]]
        print(
            f"conflict  {record['family']}  {record['key']}  {checks.said(checks.differences(here, record))}. "
            f"{checks.made_on(here, record)}"
        )
    print(f"Of these the numbers that were here before are kept; {file} stays as it is, with the others.")
