"""Statistics of one family of narrow classifiers: means, paired differences, scatter over seeds, and hypothesis H16."""

from collections.abc import Mapping
from dataclasses import asdict

import pandas as pd

from replication.core.family import Family
from replication.core.findings import Findings
from replication.core.verdict import Hypothesis, hypotheses_of
from replication.narrow_classifiers import grid
from replication.narrow_classifiers.settings import NarrowSettings
from replication.narrow_classifiers.statistics import rule
from replication.statistics.t_tests import summarise

COLUMNS = {
    "network": "network",
    "row": "guided layers",
    "lambda": "lambda",
    "replicate": "seed",
    "best_accuracy": "best accuracy",
    "best_epoch": "at epoch",
    "last_accuracy": "last five epochs",
    "train_loss": "training loss",
    "penalty": "penalty",
    "seconds_per_epoch": "seconds per epoch",
}


def statistics(family: Family[NarrowSettings], settings: NarrowSettings) -> Findings:
    """Everything, from the family's run table."""
    runs = grid.frame(family.records)
    if runs.empty:
        return Findings({}, {"data": [], "hypotheses": {"H16": ("undecided", "no run yet")}}, family.metrics)
    networks = list(settings.grid.rows)
    found = rule.differences(runs, networks)
    tables = {"runs": every_run(runs), "means": means(runs), "differences": found, "scatter": rule.scatter(runs)}
    decided, beside = (rule.h16(runs, networks, outcome) for outcome in rule.OUTCOMES.values())
    evidence = f"{decided.evidence}; {rule.moved(found)}; by the mean of the last five epochs {beside.word}"
    facts = {
        "data": sorted({record["environment"]["data"] for record in family.records}),
        "hypotheses": {"H16": (decided.word, evidence)},
        "measures": {} if decided.ours is None else {"H16": asdict(decided.ours)},
    }
    return Findings({name: table for name, table in tables.items() if len(table)}, facts, family.metrics)


def decided(findings: Mapping[str, Findings]) -> list[Hypothesis]:
    """H16 for each family."""
    return [one for family, found in findings.items() for one in hypotheses_of(found.facts, family)]


def means(runs: pd.DataFrame) -> pd.DataFrame:
    """Best accuracies, one row a network and lambda. Columns: network, lambda, n, mean, low, high, last five epochs."""
    found = summarise(runs, ["network", "lambda"], "best_accuracy")
    last = summarise(runs, ["network", "lambda"], "last_accuracy")
    return found.assign(**{"last five epochs": last["mean"]})


def every_run(runs: pd.DataFrame) -> pd.DataFrame:
    table = runs.sort_values(["network", "lambda", "replicate"], kind="stable", ignore_index=True)
    return table[list(COLUMNS)].rename(columns=COLUMNS)
