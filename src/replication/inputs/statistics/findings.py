"""Statistics of one family: every table, verdict and number that the report shows of it."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from replication.core.family import Family
from replication.core.findings import Findings
from replication.core.verdict import Hypothesis, Verdict, hypotheses_of
from replication.inputs import record
from replication.inputs.grid import arms
from replication.inputs.settings import InputsSettings
from replication.inputs.statistics import claims, pairs

DECIDES = "inputs-mnist"  # H9 and H10 are about its images


def statistics(family: Family[InputsSettings], settings: InputsSettings) -> Findings:
    """Everything, from the family's run table and the record of its images."""
    by_arm = arms(settings)
    runs = pairs.frame(by_arm, family.records)
    planned = claims.planned_values(by_arm)
    against = {guided: claims.comparisons(runs, planned, guided) for guided in (pairs.VARIABLE, pairs.EXACT)}
    tables = {
        "runs": runs,
        "sources": record.sources_table(record.read(family.scale).get(family.name)),
        "cells": claims.cells(runs),
        "means": claims.means(runs),
        **{f"against-{guided}": table for guided, table in against.items()},
    }
    facts: dict[str, Any] = {}
    if family.name == DECIDES:
        numbers = claims.measures(runs, against[pairs.VARIABLE])
        facts["measures"] = {name: asdict(found) for name, found in numbers.items() if found}
        facts["hypotheses"] = {"H9": claims.h9(runs), "H10": claims.h10(against[pairs.VARIABLE])}
    return Findings(tables, facts, family.metrics)


def verdicts(findings: Mapping[str, Findings]) -> dict[str, Verdict]:  # noqa: ARG001
    """No claim of the paper is decided here."""
    return {}


def decided(findings: Mapping[str, Findings]) -> list[Hypothesis]:
    """H9 and H10."""
    return hypotheses_of(findings[DECIDES].facts, DECIDES) if DECIDES in findings else []
