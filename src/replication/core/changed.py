"""What makes a variant: values of params.yaml that the present scale does not share with the last commit."""

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from replication.core import paths

NO_SETTINGS = ("scale", "train")  # which runs are wanted, not how they are made


def changed(scale: str) -> list[str]:
    """Such as `lambda: null -> 0.01`; [] for the grid as committed, and outside of git."""
    before = _committed()
    if before is None:
        return []
    now = YAML(typ="safe").load(paths.PARAMS)
    return list(_differences(_of_scale(before, scale), _of_scale(now, scale), new=scale not in before["scales"]))


def _committed() -> Mapping[str, Any] | None:
    """params.yaml as committed; None where there is none, or one that nobody could run."""
    try:
        found = YAML(typ="safe").load(at_commit(paths.PARAMS) or "")
    except YAMLError:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("scales"), dict) else None


def at_commit(path: Path) -> str | None:
    """A file as the last commit has it; None where there is none."""
    try:
        done = subprocess.run(["git", "show", f"HEAD:./{path}"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout


def _of_scale(document: Mapping[str, Any], scale: str) -> dict[str, Any]:
    """All settings that a scale uses, with dotted names."""
    shared = {name: value for name, value in document.items() if name not in (*NO_SETTINGS, "scales")}
    return _flat(shared | {"scales": {scale: document["scales"].get(scale)}})


def _differences(before: Mapping[str, Any], now: Mapping[str, Any], *, new: bool) -> Iterator[str]:
    """`new`: the scale itself is of the user, and has no commit to differ from."""
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name) and not (new and name.startswith("scales.")):
            yield f"{name}: {_said(before.get(name))} -> {_said(now.get(name))}"


def _flat(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted names."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        dotted = f"{before}{name}"
        found |= _flat(value, f"{dotted}.") if isinstance(value, Mapping) else {dotted: value}
    return found


def _said(value: Any) -> str:
    return "null" if value is None else f"{value}"
