"""What is decided from findings that were read again is what is decided from the records."""

import dataclasses

import pandas as pd
import pytest
from autoencoder_runs import FAMILY, PARAMS, artefact, frame_of, made, small_grid

from replication.autoencoder.statistics import claims, hypotheses, pairs
from replication.autoencoder.statistics import findings as of_family
from replication.core import paths
from replication.core.family import find, findings_of
from replication.core.runs import write_table
from replication.core.settings import load
from replication.core.verdict import Effect

CIFAR = "autoencoder-cifar10"


@pytest.fixture
def family(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "PUBLISHED", PARAMS.parent / "data/published")
    monkeypatch.chdir(tmp_path)
    return dataclasses.replace(find(load("paper", PARAMS), FAMILY), settings=small_grid())


def test_verdicts_pass_through_the_file(family):
    settings = family.settings
    records = made(settings, artefact)
    write_table(family.table, records)
    found = findings_of(family)
    runs, plan = frame_of(settings, family.records), pairs.plan(settings)
    pd.testing.assert_frame_equal(found.table("pairs"), runs, check_dtype=False)
    assert of_family.plan_of(found) == plan

    decided = of_family.verdicts({FAMILY: found})
    expected = claims.verdicts(family.records, settings)
    expected["C12"] = hypotheses.c12(runs.assign(family=FAMILY), {FAMILY: plan})
    assert {name: dataclasses.replace(v, effect=Effect()) for name, v in decided.items()} == expected
    assert all(verdict.effect.ours for verdict in decided.values())
    assert decided["C4"].verdict != "not tested"
    names = {one.name: (one.verdict, one.evidence) for one in of_family.decided({FAMILY: found})}
    undecided = {"H11": ("undecided", "no pair yet")}  # H13 and H14 have variants of other widths
    assert names == undecided | {name: decide(runs, plan) for name, decide in of_family.DECIDED.items()}
    assert names["H1"][0] == "supported"
    assert found.metrics == {"runs": len(records), "planned": len(family.grid), "hours": round(len(records) / 3600, 3)}


def test_a_family_without_runs_is_not_tested(family):
    other = find(load("paper", PARAMS), CIFAR)
    found = {part.name: findings_of(part) for part in (family, other)}
    decided = of_family.verdicts(found)
    assert set(decided) == {"C4", "C5", "C6", "C12"}
    assert {verdict.verdict for verdict in decided.values()} == {"not tested"}
    assert {one.verdict for one in of_family.decided(found)} == {"undecided"}
    assert found[FAMILY].table("beside-published")["ours"].unique().tolist() == ["not run"]
