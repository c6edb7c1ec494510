"""Which code a stage may run, as files and folders: the library, what all rooms share, and rooms without reports."""

import hashlib
from functools import cache
from importlib import import_module
from pathlib import Path

from replication.core.settings import package_of

SRC = Path(__file__).parents[2]
SHARED = ("entropy_guidance", *(f"replication/{name}" for name in ("core", "data", "training")))  # what training needs,
IN_ROOM = ("training",)  # beside a room's modules and these folders of it
STATISTICS = "statistics"  # what tables and tests need besides, of ours and of a room


def code_of(*rooms: str, statistics: bool = True) -> list[Path]:
    """The code that training in rooms may run, and with `statistics` that of their tables and tests too."""
    also = (STATISTICS,) if statistics else ()
    found = [SRC / name for name in (*SHARED, *(f"replication/{name}" for name in also))]
    for name in rooms:
        room = Path(import_module(package_of(name)).__path__[0])
        found += sorted(path for path in room.iterdir() if path.suffix == ".py" or path.name in (*IN_ROOM, *also))
    return found


@cache
def digest() -> str:
    """Of all our code: says whether two machines run the same, also where it is no commit's."""
    found = hashlib.sha256()
    for path in sorted(SRC.rglob("*.py")):
        found.update(path.relative_to(SRC).as_posix().encode())
        found.update(path.read_bytes())
    return found.hexdigest()[:16]
