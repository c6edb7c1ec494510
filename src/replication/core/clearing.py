"""Deleting the runs of a scale: what would go is known, and can be said, before anything goes."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from replication.core.family import find
from replication.core.runs import read_table
from replication.core.settings import Parameters
from replication.core.store import Store


@dataclass(frozen=True)
class Plan:
    """What goes and what stays."""

    scale: str
    keys: frozenset[str]  # runs whose files go: records, checkpoints, weights
    lost: frozenset[str]  # finished runs that no other place has
    tables: tuple[Path, ...]  # that go
    kept: tuple[Path, ...]  # tables that git tracks, and their runs

    def __str__(self) -> str:
        lines = [f"{len(self.lost)} runs of scale {self.scale}", *map(str, self.tables)]
        lines += [f"kept, for git tracks it: {path} (`--tables` deletes it too)" for path in self.kept]
        return "\n".join(lines)

    def carry_out(self, store: Store) -> None:
        """Delete."""
        for path in self.tables:
            path.unlink(missing_ok=True)
        for key in self.keys:
            store.delete(key)


def plan(parameters: Parameters, store: Store, *, tracked_too: bool) -> Plan:
    """What clearing a scale means.

    Args:
        tracked_too: tables that git tracks go as well. Where git cannot tell, every table may be one.
    """
    tracked = None if tracked_too else _tracked()
    planned: set[str] = set()
    going: dict[Path, set[str]] = {}  # tables, and the runs in them
    kept: dict[Path, set[str]] = {}
    for name in parameters.families:
        family = find(parameters, name)
        planned |= {run.key for run in family.grid}
        if family.calibration is not None and family.settings is not None:
            planned |= {run.key for run in family.calibrations}
        for table in filter(Path.exists, (family.table, family.calibration_table)):
            stays = not tracked_too and (tracked is None or table.resolve() in tracked)
            (kept if stays else going)[table] = {record["key"] for record in read_table(table)}
    in_tables = {key for keys in going.values() for key in keys}
    keys = (planned | in_tables).difference(*kept.values())
    return Plan(
        scale=parameters.scale,
        keys=frozenset(keys),
        lost=frozenset(keys & (store.keys() | in_tables)),
        tables=tuple(going),
        kept=tuple(kept),
    )


def _tracked() -> set[Path] | None:
    """The files below this folder that git tracks; None where it cannot tell."""
    command = ["git", "ls-files", "-z", "--", "data/runs"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return None
    return {Path(name).resolve() for name in done.stdout.split("\0") if name}
