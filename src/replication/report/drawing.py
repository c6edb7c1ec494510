"""Figures that are drawn when they are saved, and only then if what they show has changed.

Drawing takes most of the time of a report. A figure's files are kept in the store of runs, out of DVC's sight, which
deletes a stage's outputs before it runs: under a hash of the data, of the code that draws them and of its libraries.
"""

import inspect
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from replication.core import paths
from replication.core.files import write_whole
from replication.core.findings import contents, digest_of

SUFFIXES = (".png", ".svg")
KEPT = 300  # files; the oldest go first


@dataclass(frozen=True)
class Drawing:
    """A figure to be drawn by `function` from its arguments."""

    function: Callable[..., Figure]
    arguments: tuple[Any, ...]
    named: dict[str, Any]

    def draw(self) -> Figure:
        return self.function(*self.arguments, **self.named)

    def key(self, note: str) -> str:
        """What decides how the figure looks."""
        told = pickle.dumps((self.function.__qualname__, self.arguments, sorted(self.named.items()), note))
        return digest_of(told, _code(self.function.__module__, Path(inspect.getfile(inspect.unwrap(self.function)))))[
            :32
        ]


def later(function: Callable[..., Figure], *arguments: Any, **named: Any) -> Drawing:
    """FUNCTION(ARGUMENTS), for `figures.save` to draw if it has to."""
    return Drawing(function, arguments, named)


def kept(key: str, path: Path) -> bool:
    """Copy a figure's files to where they belong, if they are kept; whether they are."""
    files = [_folder() / f"{key}{suffix}" for suffix in SUFFIXES]
    if not all(file.exists() for file in files):
        return False
    for file in files:
        _copy(file, path.with_suffix(file.suffix))
        file.touch()
    return True


def keep(key: str, path: Path) -> None:
    """Keep a figure's files for the next report."""
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True)
    for suffix in SUFFIXES:
        _copy(path.with_suffix(suffix), folder / f"{key}{suffix}")


def forget_old() -> None:
    """Delete the oldest files of those that are kept. For one process: another one may keep some meanwhile."""
    for old in sorted(_folder().glob("*.*"), key=lambda file: file.stat().st_mtime)[:-KEPT]:
        old.unlink()


def _copy(source: Path, target: Path) -> None:
    write_whole(target, lambda beside: beside.write_bytes(source.read_bytes()))


def _folder() -> Path:
    return paths.store() / "figures"


@cache
def _code(module: str, file: Path) -> bytes:
    """A hash of the code that draws: the function's module, the shared style, the statistics that both may call."""
    here = Path(__file__).parent
    rooms = [file.parents[1] / "statistics"] if file.parents[1].name != "replication" else []
    code = [file, here / "figures.py", here / "effects.py", here.parent / "statistics", *rooms]
    return sha256(b"".join([module.encode(), mpl.__version__.encode(), *contents(code)])).digest()
