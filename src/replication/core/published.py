"""What the paper prints, and what we wrote down about it before our runs: data/published, read and never written."""

from typing import Any

import pandas as pd
from ruamel.yaml import YAML

from replication.core import paths
from replication.core.files import reading

MAPPINGS = frozenset({"tables"})  # files of one mapping; the others are lists of them
WITH_ID = frozenset({"assumptions", "claims", "hypotheses"})  # whose entries are known by name
REMEDY = "restore it: `git checkout data/published`"
COVERAGE = "coverage"  # the entry of claims.yaml that all claims share


def read(name: str) -> Any:
    """The content of data/published/NAME.yaml."""
    path = paths.PUBLISHED / f"{name}.yaml"
    with reading(path, REMEDY):
        content = YAML(typ="safe").load(path)
        if not content:
            raise ValueError("it is empty")
        entries = [content] if name in MAPPINGS else content
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise ValueError(f"it is no {'mapping' if name in MAPPINGS else 'list of mappings'}")
        if name in WITH_ID and not all(isinstance(entry.get("id"), str) for entry in entries):
            raise ValueError("an entry has no id")
    return content


def claims() -> list[dict[str, Any]]:
    """The paper's claims with their rules, C1 first."""
    return [entry for entry in read("claims") if entry["id"] != COVERAGE]


def coverage() -> dict[str, Any]:
    """The rule that says how much must exist for a verdict."""
    [entry] = [entry for entry in read("claims") if entry["id"] == COVERAGE]
    return dict(entry)


def table(number: int) -> pd.DataFrame:
    """Table 1, 2 or 3 of the paper as printed."""
    path = paths.PUBLISHED / f"table{number}.csv"
    with reading(path, REMEDY):
        return pd.read_csv(path)
