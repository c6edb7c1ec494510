"""Statistics of VGG16 and ResNet-50: each network's runs, and Table 2 with its verdicts from both."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from replication.core import published
from replication.core.benchmarks import measurements
from replication.core.family import Family
from replication.core.findings import Findings
from replication.core.verdict import Verdict, from_facts
from replication.imagenette import grid
from replication.imagenette.grid import BASELINE
from replication.imagenette.settings import ImagenetteSettings
from replication.imagenette.statistics import claims, tables
from replication.published_tables.audit import by_choice, published_cells
from replication.statistics import selection_effects


def statistics(family: Family[ImagenetteSettings], settings: ImagenetteSettings) -> Findings:  # noqa: ARG001
    """One network's runs. What they say is said of both networks together: `table2`."""
    return Findings({"runs": grid.frame(family.records)}, {}, family.metrics)


def table2(families: Sequence[Family[ImagenetteSettings]]) -> Findings:
    """Table 2 and claims C9 and C10, from the run tables of both networks; and how fast they train."""
    records = [record for family in families for record in family.records]
    runs = grid.frame(records)
    printed = published.table(2)
    theirs = published_cells(printed)
    ours = claims.in_order(claims.cells(runs), theirs) if len(runs) else theirs.iloc[:0]
    images = int(runs["validation_images"].min()) if len(runs) else 0
    found = {
        "cells": tables.beside_published(ours, claims.counts(runs) if len(runs) else ours, theirs, images),
        "speed": measurements("classifiers"),
    }
    facts: dict[str, Any] = {
        "data": sorted({record["environment"]["data"] for record in records}),
        "images": images,
        "verdicts": {name: asdict(claim(runs, printed)) for name, claim in (("C9", claims.c9), ("C10", claims.c10))},
    }
    whole = claims.complete(ours)
    if len(whole):
        whole = whole[[BASELINE, *whole.columns.drop(BASELINE)]]  # first, though another lambda be negative
        choice = by_choice(whole)
        found["chance"] = tables.chance(choice, by_choice(theirs))
        found["figure"] = tables.with_errors(whole, images)
        facts |= {"lambdas": list(whole.columns), "gain": choice["gain"], "histogram": _plain(choice["histogram"])}
    if len(whole) > 1:
        found["columns"] = selection_effects.column_tests(whole, BASELINE).rename(
            columns={"candidate": "lambda", "n": "n rows", "p_holm": "p (Holm)"}
        )
    if len(runs):
        found["runs"] = tables.every_run(runs)
    return Findings(found, facts)


def verdicts(findings: Mapping[str, Findings]) -> dict[str, Verdict]:
    """C9 and C10."""
    return {claim: from_facts(verdict) for claim, verdict in findings["table2"].facts["verdicts"].items()}


def _plain(histogram: Mapping[str, Any]) -> dict[str, list[float]]:
    """Arrays as lists, which JSON knows."""
    return {name: pd.Series(values).tolist() for name, values in histogram.items()}
