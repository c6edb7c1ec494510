"""Which metrics and histories a record of a family has: its room names them, and params.yaml names its room."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from replication.core import paths, settings
from replication.core.errors import UserError

SHOWN = 3  # names that a message lists

Names = Mapping[str, tuple[frozenset[str], frozenset[str]]]  # by family, of metrics and of histories


def check(family: str, metrics: Mapping[str, Any], history: Mapping[str, Any], names: Names) -> None:
    """What every record of the family has is there. A trainer may add more; of a family without names nothing is asked.

    Args:
        names: `families()`, which many records at once need only once.

    Raises:
        ValueError: something is missing; the message is for the user.
    """
    needed = names.get(family)
    if needed is not None and not (metrics.keys() >= needed[0] and history.keys() >= needed[1]):
        _check_all(family, needed[0], metrics, "metrics")
        _check_all(family, needed[1], history, "histories")


def check_history(family: str, history: Mapping[str, Any]) -> None:
    """As `check`, of the histories alone: an unfinished run has no metrics.

    Raises:
        ValueError: one is missing.
    """
    if (needed := families().get(family)) is not None:
        _check_all(family, needed[1], history, "histories")


def _check_all(family: str, needed: frozenset[str], there: Mapping[str, Any], what: str) -> None:
    if not there.keys() >= needed:
        raise ValueError(
            f"it lacks {_listed(needed - there.keys())}, which every record of {family} has among its {what}"
        )


def _listed(names: frozenset[str]) -> str:
    """The first few, in the order of the alphabet."""
    first = sorted(names)[:SHOWN]
    return ", ".join(first) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def families() -> Names:
    """Names of metrics and of histories by family, as params.yaml stands."""
    try:
        found = paths.PARAMS.stat()
    except OSError:
        return {}
    return _read(found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=4)
def _read(*_file: int) -> Names:
    """Once for each state of the file. One with a mistake names no families: whoever uses its settings says which."""
    try:
        rooms = settings.families_of(settings.read(paths.PARAMS))
        return {family: settings.measured_by(room) for family, room in rooms.items()}
    except UserError:
        return {}
