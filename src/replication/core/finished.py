"""What is known of a selection of runs, and their table, without torch: a sweep with nothing to train need not wait
the seconds that its import takes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from replication.core import room_for
from replication.core.run import Run
from replication.core.runs import Record, read_current, write_table
from replication.core.store import Store


@dataclass(frozen=True)
class Outcome:
    """What a sweep did."""

    selected: int
    trained: int
    missing: int
    interrupted: bool

    def __str__(self) -> str:
        known = self.selected - self.trained - self.missing
        text = f"{self.selected} runs: {known} known already, {self.trained} trained now"
        return text + (f", {self.missing} still missing" if self.missing else "")


def known(runs: Sequence[Run], table: Path, store: Store) -> dict[str, Record]:
    """Records by key: all of the table, whose stand counts, and those of the selection that the store alone has.

    What the table has, the store has afterwards too: a fresh clone re-uses what is committed.

    Raises:
        UserError: the store or the table's folder cannot be written.
    """
    for folder in (store.folder, table.resolve().parent):
        room_for.check_writable(folder)
    found = {record["key"]: record for record in read_current(table)}
    store.add_missing(found.values())
    take(runs, store, found)
    store.tidy(found)
    return found


def take(runs: Sequence[Run], store: Store, found: dict[str, Record]) -> None:
    """Add the finished runs of the selection that the store has, and that are what they say."""
    found |= store.take_all((store.keys() & {run.key for run in runs}) - found.keys())


def write(runs: Sequence[Run], table: Path, found: dict[str, Record]) -> int:
    """Write the table: the selected runs, no others. How many of them are missing."""
    selected = [found[run.key] for run in runs if run.key in found]
    write_table(table, selected)
    return len(runs) - len(selected)


def without_training(runs: Sequence[Run], table: Path, store: Store) -> Outcome:
    """The table from what there is."""
    return Outcome(len(runs), 0, write(runs, table, known(runs, table, store)), interrupted=False)
