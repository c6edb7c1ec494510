"""What a variant changes: `dvc exp run -S lambda=0.01` ends with a table beside the results of the grid as committed.

A variant is a params.yaml whose values differ from the committed ones. The results of the last report without such a
difference are kept in the store of runs, out of DVC's sight; where there are none, those of the commit stand for them.
"""

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from replication.core import board, paths, strict_json
from replication.core.files import write_text

NUMBERS = ("ours", "after_control")


def report(scale: str) -> str:
    """Lines on what the present settings change; nothing for the grid as committed, whose results are kept."""
    found = board.read(scale)
    changed = list(changes())
    kept = paths.store() / f"results-{scale}.json"
    if not changed:
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_text(kept, strict_json.dumps(found))
        return ""
    lines = [f"Changed: {'; '.join(changed)}."]
    base = _base(kept, scale)
    if base is None:
        return "\n".join([*lines, "There is no report of the grid to compare with: make one without the change first."])
    rows = list(_rows(base, found))
    return "\n".join([*lines, *(rows or ["No claim's number changes."])])


def changes() -> Iterator[str]:
    """Values of params.yaml that differ from the commit's: `lambda: null -> 0.01`. None outside of git."""
    committed = _committed(paths.PARAMS)
    if committed is None:
        return
    yaml = YAML(typ="safe")
    before, now = _flat(yaml.load(committed)), _flat(yaml.load(paths.PARAMS.read_text()))
    for name in sorted((before.keys() | now.keys()) - {"scale"}):
        if before.get(name) != now.get(name):
            yield f"{name}: {_said(before.get(name))} -> {_said(now.get(name))}"


def _rows(base: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    before = {claim["id"]: claim for claim in base["claims"]}
    for claim in now["claims"]:
        texts = [_texts(before[claim["id"]]), _texts(claim)]
        if texts[0] != texts[1]:
            yield f"{claim['id']} {claim['title']}"
            yield from (f"  {when:8} {text}" for when, text in zip(("the grid", "variant"), texts, strict=True))


def _texts(claim: Mapping[str, Any]) -> str:
    ours, after = (claim[name] and claim[name]["text"] for name in NUMBERS)
    return f"{ours or 'not available'}{f'; after the control {after}' if after else ''}"


def _base(kept: Path, scale: str) -> Mapping[str, Any] | None:
    """The grid's results, as kept or as committed."""
    text = kept.read_text() if kept.exists() else _committed(paths.reports(scale) / "claims.json")
    found: Mapping[str, Any] | None = None if text is None else json.loads(text)
    return found if found and found.get("version") == board.VERSION else None


def _committed(path: Path) -> str | None:
    """A file as the last commit has it; None where there is none."""
    try:
        done = subprocess.run(["git", "show", f"HEAD:./{path}"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout


def _flat(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted names."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        dotted = f"{before}{name}"
        found |= _flat(value, f"{dotted}.") if isinstance(value, Mapping) else {dotted: value}
    return found


def _said(value: Any) -> str:
    return "null" if value is None else f"{value}"
