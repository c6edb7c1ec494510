"""A variant beside the grid: `dvc exp run -S lambda=0.01` ends with a table of what it changes.

The grid is params.yaml as committed, and a variant one with other values. The grid's pages stay in reports/SCALE, and
the variant's go to a folder of their own there.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabulate import tabulate

from replication.core import board, paths
from replication.core.changed import at_commit, changed
from replication.core.files import reading
from replication.core.settings import Parameters

FOLDER = "variant"
NUMBERS = {"ours": "", "after_control": ", after the control"}
NONE = "not available"
NAMED = 6  # changes that are told; of more their number
COLUMN = 40  # characters


@dataclass(frozen=True)
class Row:
    """A number of a claim that the variant changes, in words; of the grid None where there is no report of it."""

    what: str
    grid: str | None
    variant: str


@dataclass(frozen=True)
class Comparison:
    """What a variant changes: settings, and numbers of claims."""

    changes: tuple[str, ...]
    rows: tuple[Row, ...]
    compared: bool  # whether there is a report of the grid

    @property
    def said(self) -> str:
        """The settings, in one line."""
        more = len(self.changes) - NAMED
        return "; ".join(self.changes[:NAMED]) + (f" and {more} more" if more > 0 else "")

    @property
    def headings(self) -> tuple[str, ...]:
        return ("", "the grid", "this variant") if self.compared else ("", "this variant")

    @property
    def table(self) -> list[tuple[str, ...]]:
        """As many columns as there are headings."""
        return [
            (row.what, row.grid or NONE, row.variant) if self.compared else (row.what, row.variant) for row in self.rows
        ]

    @property
    def remark(self) -> str:
        """What the table does not say."""
        if not self.compared:
            return "There is no report of the grid to compare with: `dvc repro` without the change makes one."
        return "" if self.rows else "No claim's number changes."

    def __str__(self) -> str:
        table = tabulate(self.table, self.headings, tablefmt="simple", maxcolwidths=COLUMN) if self.rows else ""
        return "\n".join(filter(None, [f"Changed: {self.said}.", table, self.remark]))


def folder(scale: str) -> Path:
    """Where the pages of the present settings belong."""
    return paths.reports(scale) / FOLDER if changed(scale) else paths.reports(scale)


def comparison(parameters: Parameters, found: Mapping[str, Any]) -> Comparison | None:
    """The present verdicts beside those of the grid; None where the present settings are the grid.

    Args:
        found: claims.json of the present settings.
    """
    changes = changed(parameters.scale)
    if not changes:
        return None
    grid = _grid(parameters.scale)
    claims = list(_about(found["claims"], parameters.train))
    rows = _rows(grid, claims) if grid is not None else _alone(claims)
    return Comparison(tuple(changes), tuple(rows), compared=grid is not None)


def _grid(scale: str) -> dict[str, Mapping[str, Any]] | None:
    """Claims of the grid's report by their id; None where there is none, or one of another version.

    The report is that which lies here, or in the project that a temporary experiment came from, or in the commit.
    """
    path = paths.reports(scale) / "claims.json"
    texts = (place.read_text() for place in (path, paths.project() / path) if place.exists())
    with reading(path, "restore it with git, or delete it: `dvc repro` without the variant makes it anew"):
        text = next(texts, None) or at_commit(path)
        found = json.loads(text) if text else {}
        return {claim["id"]: claim for claim in found["claims"]} if found.get("version") == board.VERSION else None


def _about(claims: Iterable[Mapping[str, Any]], train: Collection[str] | None) -> Iterator[Mapping[str, Any]]:
    """Those that do not rest on families alone which `train` leaves out."""
    for claim in claims:
        families = set(claim.get("families") or ())
        if train is None or not families or families & {*train}:
            yield claim


def _rows(grid: Mapping[str, Mapping[str, Any]], claims: Iterable[Mapping[str, Any]]) -> Iterator[Row]:
    for claim in claims:
        for number, said in NUMBERS.items():
            before, now = _text(grid.get(claim["id"], {}), number), _text(claim, number)
            if before != now:
                yield Row(f"{claim['id']} {claim['title']}{said}", before, now)


def _alone(claims: Iterable[Mapping[str, Any]]) -> Iterator[Row]:
    """Numbers that rest on runs: without a grid beside them, there is no telling which changed."""
    for claim in claims:
        for number, said in NUMBERS.items():
            if claim.get("families") and claim[number]:
                yield Row(f"{claim['id']} {claim['title']}{said}", None, _text(claim, number))


def _text(claim: Mapping[str, Any], number: str) -> str:
    return str((claim.get(number) or {}).get("text") or NONE)
