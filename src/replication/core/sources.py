"""What each stage of dvc.yaml is made from beside data: its settings and its code, in one file a stage.

The first stage writes these files, and the others depend on theirs. So a change of params.yaml or of code reaches the
stages that it concerns and no other, and `dvc repro` looks at a few files a stage. If each stage named its sections of
params.yaml and its folders of code, DVC would parse the one and walk the others again for every stage.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from replication.core import family, paths
from replication.core.changed import changed
from replication.core.code import SRC, code_of
from replication.core.family import Family, Study
from replication.core.files import write_text
from replication.core.settings import Parameters, role_of


@dataclass(frozen=True)
class Source:
    """What a stage is made from."""

    stage: str
    settings: bytes  # JSON
    code: list[Path]  # files and folders


def write(parameters: Parameters) -> Path:
    """Write `data/sources/SCALE/STAGE.json` for each stage, and delete those of stages that are no more.

    Raises:
        UserError: the settings of a family or study do not fit their declaration.
    """
    family.check_all(parameters)
    folder = paths.sources(parameters.scale)
    files = {folder / f"{source.stage}.json": _content(source) for source in sources(parameters)}
    for path, content in files.items():
        write_text(path, content)
    for path in set(folder.glob("*.json")) - files.keys():
        path.unlink()
    return folder


def sources(parameters: Parameters) -> Iterator[Source]:
    """Of every stage but the first."""
    for role in sorted({role_of(name) for name in parameters.families}):
        yield Source(
            f"prepare-{role}", msgspec.json.encode(parameters.dataset_of_role(role)), code_of(statistics=False)
        )
    for name in family.room_names(parameters):
        for stage in family.room(name).stages(parameters):
            yield Source(stage.name, _described(stage.settings), code_of(name, *stage.builds_on))
        for part in family.parts_of(parameters, name):
            yield from _of_part(part)
    told = {"families": parameters.families, "changed": changed(parameters.scale)}
    yield Source("report", msgspec.json.encode(told), [SRC])  # and of the verdicts: all code


def _of_part(part: family.Part) -> Iterator[Source]:
    assert isinstance(part, Family | Study)
    rooms = (part.room, *part.builds_on)
    if isinstance(part, Family):
        yield Source(f"runs-{part.name}", _described(part.settings), code_of(*rooms, statistics=False))
        if part.calibration is not None:  # of unguided runs
            settings = _described(part.settings, "lambda_override")
            yield Source(f"calibrate-{part.name}", settings, code_of(*rooms))
    yield Source(f"statistics-{part.name}", _described(part.settings), code_of(*rooms))


def _described(settings: Any, *without: str) -> bytes:
    """Settings as JSON, without some of them.

    `recorded`, what a room has read from a record, is always left out: its stages depend on the file of the record.
    """
    content = msgspec.to_builtins(settings)
    for described in content if isinstance(content, list) else [content]:
        for name in ("recorded", *without) if isinstance(described, dict) else ():
            described.pop(name, None)
    return msgspec.json.encode(content)


def _content(source: Source) -> str:
    """The file's text: settings, and the hash of each file of code."""
    code = {
        path.relative_to(SRC).as_posix() if path.is_relative_to(SRC) else str(path): _hash(path)
        for place in source.code
        for path in (sorted(place.rglob("*")) if place.is_dir() else [place])
        if path.is_file() and path.suffix != ".pyc"
    }
    content = {"settings": msgspec.Raw(source.settings), "code": code}
    return msgspec.json.format(msgspec.json.encode(content), indent=1).decode() + "\n"


@cache
def _hash(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()[:16]
