"""Records of studies, files of their own beside the tables, and the digests by which a changed number is noticed."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from replication.core import paths, records, strict_json
from replication.core.files import alone, reading, write_text

DIGESTS = "studies.json"  # in the records' folder: SHA-256 by name of file


def write(path: Path, text: str) -> None:
    """Write a study's record, and note its digest where digests are noted, which `runs seal` begins.

    Two studies that end at once both have theirs noted. At other scales records change with every experiment.

    Raises:
        UserError: a file cannot be written, or the noted digests are damaged.
    """
    write_text(path, text)
    if (path.parent / DIGESTS).exists():
        with alone(paths.store() / "studies.lock", "notes a digest"):
            note(path.parent, {path.name: digest(path)})


def note(folder: Path, found: Mapping[str, str]) -> None:
    """Add digests to those that are noted; of the same files they take their place."""
    noted = {**read_digests(folder), **found}
    write_text(folder / DIGESTS, strict_json.dumps(noted, indent=0, sort_keys=True) + "\n")


def read_digests(folder: Path) -> Mapping[str, str]:
    """What is noted, by name of file.

    Raises:
        UserError: the file is damaged.
    """
    return records.read_digests(folder, DIGESTS)


def files(folder: Path) -> list[Path]:
    """The studies' records of a scale."""
    others = (records.DIGESTS, DIGESTS)
    found = [path for path in folder.glob("*.json") if path.name not in others]
    return sorted([*found, *folder.glob("profile-*.jsonl")])


def digest(path: Path) -> str:
    """Of a file's bytes."""
    with reading(path, "restore it with git"):
        return hashlib.sha256(path.read_bytes()).hexdigest()
