"""The committed tables: a record a line. A line that is refused is named and kept, and the others are used."""

import gc
import gzip
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from replication.core import measured, records
from replication.core.files import reading, write_text

SHOWN = 10  # refused lines that one message names
MARKS = (b"<<<<<<< ", b"||||||| ", b"=======", b">>>>>>> ")  # how a line begins that git writes around a conflict


@dataclass(frozen=True)
class Refused:
    """A line that is no record, and why."""

    file: Path
    number: int  # from 1
    reason: str
    text: str  # empty of what need not be kept

    def __str__(self) -> str:
        return f"{self.file}, line {self.number}: {self.reason}"


def split(path: Path, latest: int) -> tuple[list[dict[str, Any]], list[Refused]]:
    """The records of a table, and the lines that are refused; nothing where there is no table.

    Args:
        latest: the highest version of the training code that is known.

    Raises:
        UserError: the file cannot be read.
    """
    if not path.exists():
        return [], []
    with reading(path, "restore it with git"):
        text = path.read_bytes()
    found, refused, conflict = _parsed(path, text, latest)
    if conflict is not None:
        remedy = f"`python -m replication runs merge {path}` keeps the runs of both sides, then `git add {path}`"
        refused.insert(0, Refused(path, conflict, f"git left a conflict here: {remedy}", ""))
    return found, refused


def split_theirs(path: Path, latest: int) -> tuple[list[dict[str, Any]], list[Refused]]:
    """`split` for a table of somebody else: it may be compressed (.gz), and marks of a conflict are passed over.

    Raises:
        UserError: the file cannot be read.
    """
    with reading(path, "it stays as it is; ask for it again"):
        text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return _parsed(path, text, latest)[:2]


def resolve(path: Path, latest: int) -> bool:
    """Write a table in which git left a conflict anew, with the lines of both sides; whether there was one.

    Where both have a run with other numbers, the first is kept and the other one moves to the refused lines.

    Raises:
        UserError: the file cannot be read or written.
    """
    with reading(path, "restore it with git"):
        lines = path.read_bytes().split(b"\n")
    if not any(line.startswith(MARKS) for line in lines):
        return False
    kept = dict.fromkeys(line for line in lines if line and not line.startswith(MARKS))  # some stand on both sides
    write_text(path, "".join(f"{line.decode(errors='backslashreplace')}\n" for line in kept))
    write(path, split(path, latest)[0], latest)
    return True


def _parsed(path: Path, text: bytes, latest: int) -> tuple[list[dict[str, Any]], list[Refused], int | None]:
    """Records, lines that are refused, and the number of the first line with a mark of a conflict, if there is one."""
    digests, names = records.read_digests(path.parent), measured.families()
    found, refused, conflict = [], [], None
    seen: dict[str, int] = {}
    with no_collecting():
        for number, ended in enumerate(BytesIO(text), 1):  # `split` would make all lines before the first is read
            line = ended.removesuffix(b"\n")
            try:
                record = records.parse(line, latest, digests, names)
                if (first := seen.setdefault(record["key"], number)) != number:
                    raise ValueError(f"the run of line {first} once more")
            except ValueError as error:
                if line.startswith(MARKS):
                    conflict = conflict or number
                elif line.strip():
                    refused.append(Refused(path, number, str(error), line.decode(errors="backslashreplace")))
                continue
            found.append(record)
    return found, refused, conflict


@contextmanager
def no_collecting() -> Iterator[None]:
    """Without the search for cycles: records have none, and each search would go through all that were read before."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def say(refused: Sequence[Refused]) -> None:
    """Name refused lines on standard error; the first few where there are many."""
    for one in refused[:SHOWN]:
        print(f"refused: {one}", file=sys.stderr)
    if len(refused) > SHOWN:
        print(f"refused: {len(refused) - SHOWN} further lines of {refused[0].file}", file=sys.stderr)


def write(path: Path, written: Iterable[dict[str, Any]], latest: int) -> None:
    """Write records sorted by key, atomically: the same records give the same bytes.

    What the table before held and is refused moves to `TABLE.refused.jsonl`. A symbolic link stays one.
    """
    keep_refused(path, split(path, latest)[1])
    lines = [records.line(record) + "\n" for record in sorted(written, key=lambda record: record["key"])]
    write_text(path.resolve(), "".join(lines) or "\n")  # DVC warns of a file that is empty


def keep_refused(path: Path, refused: Sequence[Refused]) -> None:
    """Add lines to the table's file of refused ones, and say so."""
    aside = refused_file(path)
    with reading(aside, "move it elsewhere"):
        kept = [line for line in aside.read_bytes().decode().split("\n") if line] if aside.exists() else []
    new = [one.text for one in refused if one.text and one.text not in kept]
    if new:
        write_text(aside, "".join(f"{line}\n" for line in [*kept, *new]))
        print(f"{len(new)} refused lines of {path} are now in {aside}", file=sys.stderr)


def refused_file(path: Path) -> Path:
    """Where refused lines of a table are kept: `TABLE.refused.jsonl`."""
    return path.with_suffix(".refused.jsonl")


def is_table(path: Path) -> bool:
    """Whether a .jsonl file of a scale holds records of runs."""
    return not path.stem.endswith(".refused") and not path.stem.startswith("profile-")
