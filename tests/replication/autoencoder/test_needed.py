"""Which runs a claim rests on: taking the others away changes no verdict, taking these away does."""

import pytest
from autoencoder_runs import made

from replication.autoencoder import grid
from replication.autoencoder.settings import read
from replication.autoencoder.statistics import claims
from replication.core.settings import load


@pytest.fixture(scope="module")
def settings():
    return read(load("paper"), "autoencoder-mnist")


@pytest.mark.parametrize("claim", ["C4", "C5", "C6"])
def test_the_other_runs_have_no_part_in_a_verdict(settings, claim):
    keys = {run.key for run in grid.needed(claim, settings)}
    whole = made(settings)
    those = [record for record in whole if record["key"] in keys]
    assert len(those) == len(keys) < len(whole)
    name = "C4" if claim == "C6" else claim  # the same on the other data set
    assert claims.verdicts(those, settings)[name].verdict == claims.verdicts(whole, settings)[name].verdict
    assert claims.verdicts([r for r in whole if r["key"] not in keys], settings)[name].verdict == "not tested"


def test_c12_needs_what_watches_the_error_alone(settings):
    runs = grid.needed("C12", settings)
    assert {run["width"] for run in runs} == {100, 260} and {run["monitor"] for run in runs} == {"base"}
    assert {run["form"] for run in runs} == {"none", "reciprocal", "log", "exact"}
