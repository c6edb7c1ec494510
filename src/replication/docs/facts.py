"""What a written page may ask of the committed records: one function for each kind of record.

A template calls them by name, so that its reader sees where each number comes from. Nothing here computes a result.
"""

import json
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from ruamel.yaml import YAML

from replication.core import campaign
from replication.core.errors import UserError

Condition = Any  # a value, a list of values, or what `at_least` and its like return

FOLDERS = {
    "": "reports/paper/tables",
    "benchmarks": "data/benchmarks",
    "published": "data/published",
    "demo": "docs/demo",
}


class Facts:
    """The records of one checkout."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._csv = cache(lambda path: pd.read_csv(root / path))
        self._json = cache(lambda path: json.loads((root / path).read_text()))
        self._runs = cache(self._read_runs)

    def functions(self) -> dict[str, Callable[..., Any]]:
        """The names that templates know."""
        named: list[Callable[..., Any]] = [self.table, self.cell, self.runs, self.board, self.claim, self.hypothesis]
        named += [self.counts, self.params, self.stages, self.exists, self.recorded, self.printed]
        named += [above, at_least, below, ensure, campaign_rule]
        return {function.__name__: function for function in named}

    def table(self, name: str, /, **where: Condition) -> pd.DataFrame:
        """The rows of a table that meet the conditions: one at least.

        Args:
            name: a table of the report (`cnn-cifar10-placebos`), or `benchmarks/NAME`, `published/NAME`, `demo/NAME`.
            where: columns and what they hold: a value, a list of values, `at_least(1)`, `above(1)` or `below(1)`.
        """
        folder, _, file = name.rpartition("/")
        path = f"{FOLDERS.get(folder, folder)}/{file}.csv"
        if not self.exists(path):
            raise UserError(f"there is no table {path}")
        return _chosen(self._csv(path), where, path)

    def cell(self, name: str, column: str, /, **where: Condition) -> Any:
        """One cell of a table: the conditions must leave one row."""
        rows = self.table(name, **where)
        if len(rows) != 1:
            raise UserError(f"{name}: {len(rows)} rows have {_said(where)}, and one is wanted")
        return rows[column].iloc[0]

    def runs(self, family: str, /, **where: Condition) -> pd.DataFrame:
        """A row a finished run: its settings and its metrics as columns."""
        return _chosen(self._runs(family), where, f"data/runs/paper/{family}.jsonl")

    def _read_runs(self, family: str) -> pd.DataFrame:
        lines = (self.root / f"data/runs/paper/{family}.jsonl").read_text().splitlines()
        records = (json.loads(line) for line in lines)
        return pd.DataFrame([record["run"] | record["metrics"] | {"seconds": record["seconds"]} for record in records])

    def board(self) -> dict[str, Any]:
        """claims.json, whose fields docs/claims.md explains."""
        found: dict[str, Any] = self._json("reports/paper/claims.json")
        return found

    def claim(self, name: str) -> dict[str, Any]:
        """A claim of the paper with our verdict: C1 to C13."""
        [found] = [claim for claim in self.board()["claims"] if claim["id"] == name]
        return dict(found)

    def hypothesis(self, name: str) -> str:
        """What our rule says of a hypothesis; where it is decided for each family, of `H1-autoencoder-mnist`."""
        found = self.board()["hypotheses"]
        verdicts = {f"{one['id']}-{one['family']}".rstrip("-"): one["verdict"] for one in found}
        return str(verdicts[name])

    def counts(self, family: str | None = None) -> dict[str, float]:
        """How many runs of a family there are: runs, planned, hours. Of all families together without a name."""
        families = [one for one in self.board()["runs"] if family in (None, one["family"])]
        if not families:
            raise UserError(f"claims.json has no family {family}")
        return {name: sum(part[name] for part in families) for name in ("runs", "planned", "hours")}

    def recorded(self, name: str) -> dict[str, int]:
        """What the committed runs say of where they were made, `python` for example: value -> how many say so."""
        tables = sorted((self.root / "data/runs/paper").glob("*.jsonl"))
        lines = (json.loads(line) for table in tables for line in table.read_text().splitlines())
        return dict(Counter(line["environment"][name] for line in lines if name in line.get("environment", {})))

    def params(self) -> Any:
        """The content of params.yaml."""
        return YAML(typ="safe").load(self.root / "params.yaml")

    def stages(self) -> dict[str, str]:
        """What each stage of the pipeline does, by its name: `runs@mnist`."""
        told = {}
        for name, stage in YAML(typ="safe").load(self.root / "dvc.yaml")["stages"].items():
            if "foreach" not in stage:
                told[name] = stage["desc"]
            for item in stage.get("foreach", []):
                told[f"{name}@{item}"] = stage["do"]["desc"].replace("${item}", item).replace("${key}", item)
        return told

    def printed(self, name: str) -> str:
        """What a command printed at the demo's scale, as docs/demo/NAME.txt keeps it."""
        return (self.root / FOLDERS["demo"] / f"{name}.txt").read_text().rstrip("\n")

    def exists(self, path: str) -> bool:
        """Whether the checkout has a file or folder."""
        return (self.root / path).exists()


def above(limit: float) -> Callable[[pd.Series], pd.Series]:
    return lambda column: column > limit


def at_least(limit: float) -> Callable[[pd.Series], pd.Series]:
    return lambda column: column >= limit


def below(limit: float) -> Callable[[pd.Series], pd.Series]:
    return lambda column: column < limit


def ensure(condition: Any, sentence: str) -> str:
    """Nothing, where the condition holds: what a sentence says in words stands on the records as its numbers do."""
    if not condition:
        raise UserError(f'the records no longer say: "{sentence}". Write the sentence again')
    return ""


def _chosen(rows: pd.DataFrame, where: dict[str, Condition], source: str) -> pd.DataFrame:
    for column, wanted in where.items():
        if column not in rows:
            raise UserError(f"{source} has no column {column}; it has {', '.join(rows)}")
        if callable(wanted):
            rows = rows[wanted(rows[column])]
        else:
            rows = rows[rows[column].isin(wanted if isinstance(wanted, list) else [wanted])]
    if rows.empty:
        raise UserError(f"{source} has no row with {_said(where)}")
    return rows


def _said(where: dict[str, Condition]) -> str:
    return ", ".join(f"{name} {'in a range' if callable(wanted) else wanted}" for name, wanted in where.items())


def campaign_rule() -> tuple[str, ...]:
    """In which order a campaign trains, rule by rule."""
    return campaign.RULE
