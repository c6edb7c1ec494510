"""What the statistics of one part of the replication found: tables, facts and verdicts as data, in one JSON file.

A part is a family of runs, or a study without runs. Statistics never train and draw nothing; figures and pages are made
from findings, and from the histories of runs where a figure shows them.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replication.core import paths, strict_json
from replication.core.files import reading, write_text

if TYPE_CHECKING:  # pandas takes half a second to import, which --help should not wait
    import pandas as pd

REMEDY = "delete it: `python -m replication statistics` makes it anew"


@dataclass(frozen=True)
class Findings:
    """Tables by name, and whatever else the page says of a part.

    The file keeps columns with their types, not the index of a table. In columns of objects, and in facts, a number
    that is not finite comes back as None.
    """

    tables: "Mapping[str, pd.DataFrame]" = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)  # numbers, texts, lists and mappings of them
    metrics: Mapping[str, float] = field(default_factory=dict)  # for metrics.json

    def table(self, name: str) -> "pd.DataFrame":
        """A table; an empty one where there was nothing to compute it from."""
        import pandas as pd

        return self.tables.get(name, pd.DataFrame())

    def write(self, path: Path, digest: str) -> None:
        """Write the file. `digest`: of everything that the findings were computed from."""
        content = {
            "digest": digest,
            "tables": {name: _packed(table) for name, table in self.tables.items()},
            "facts": self.facts,
            "metrics": self.metrics,
        }
        write_text(path, strict_json.dumps(content, indent=1, default=_plain) + "\n")


def read(path: Path) -> tuple[Findings, str]:
    """Findings from their file, and the digest of what they were computed from.

    Raises:
        UserError: the file is damaged.
    """
    with reading(path, REMEDY):
        content = json.loads(path.read_text())
        tables = {name: _unpacked(packed) for name, packed in content["tables"].items()}
        return Findings(tables, content["facts"], content["metrics"]), content["digest"]


def digest_of(*parts: bytes) -> str:
    """One hash of several contents, in their order."""
    whole = sha256()
    for part in parts:
        whole.update(sha256(part).digest())
    return whole.hexdigest()


def contents(files: list[Path]) -> list[bytes]:
    """Name and content of files and of all files in folders; a missing one has none."""
    found: list[bytes] = []
    for path in files:
        inside = sorted(p for p in path.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
        for file in inside if path.is_dir() else [path]:
            name = file.relative_to(path.parent).as_posix()
            found += [name.encode(), file.read_bytes() if file.exists() else b""]
    return found


def file_of(scale: str, part: str) -> Path:
    return paths.statistics(scale) / f"{part}.json"


def _packed(table: "pd.DataFrame") -> dict[str, Any]:
    """Columns by name, each with its type: integers, floats and booleans come back as what they were."""
    return {
        str(name): {"type": str(column.dtype), "values": _said(column.astype(object).tolist(), column.dtype.kind)}
        for name, column in table.items()
    }


def _said(values: list[Any], kind: str) -> list[Any]:
    """Values as JSON can have them. It knows no infinity: among floats, a text stands for it."""
    return [str(value) if kind == "f" and math.isinf(value) else value for value in values]


def _plain(value: Any) -> Any:
    """numpy's numbers as Python's; a set, which has no order, as a sorted list."""
    if isinstance(value, set | frozenset):
        return sorted(value)
    number = value.item()
    return None if isinstance(number, float) and not math.isfinite(number) else number


def _unpacked(packed: Mapping[str, Any]) -> "pd.DataFrame":
    import pandas as pd

    columns = {}
    for name, column in packed.items():
        values, type_ = column["values"], column["type"]
        plain = type_ in ("object", "str", "string")
        columns[name] = pd.Series(values, dtype=object if plain else type_)
    return pd.DataFrame(columns)
