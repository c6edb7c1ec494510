"""H8 by its rule, on made-up runs."""

import numpy as np
import pandas as pd
import pytest

from replication.core.runs import make_record
from replication.core.settings import load
from replication.norms import grid
from replication.norms.settings import read
from replication.norms.statistics import findings
from replication.statistics.t_tests import t_interval

LAMBDAS = (0.001, 0.01)
ENVIRONMENT = {"device": "none"}


def runs(effects, replicates=6, sd=0.001):
    """Accuracies of each form: 0.7, its effect, and noise that pairs do not share."""
    generator = np.random.default_rng(0)
    rows = []
    for form in ("none", "log", "scale", "rate"):
        for lambda_ in (0.0,) if form == "none" else LAMBDAS:
            for replicate in range(replicates):
                accuracy = 0.7 + effects.get((form, lambda_), 0.0) + sd * generator.normal()
                rows.append((form, lambda_, replicate, accuracy, 1.0, -3.0, 0.0))
    return pd.DataFrame(rows, columns=["form", "lambda", "replicate", *findings.METRICS])


def verdict(*args, **options):
    (word, _), _ = findings.h8(findings.differences(runs(*args, **options), LAMBDAS))
    return word


@pytest.mark.parametrize(
    ("effects", "options", "word"),
    [
        ({}, {}, "supported"),
        ({("log", 0.01): 0.03}, {}, "refuted"),
        ({("log", 0.001): -0.03}, {}, "refuted"),
        ({("rate", 0.01): 0.03}, {}, "refuted"),
        ({("log", 0.01): 0.01}, {}, "undecided"),  # the interval has the margin in it
        ({}, {"sd": 0.02}, "undecided"),
        ({}, {"replicates": 4}, "undecided"),
        ({("log", 0.01): 0.03, ("scale", 0.01): 0.03, ("rate", 0.01): 0.03}, {}, "supported"),  # a learning rate's
    ],
)
def test_h8_by_its_rule(effects, options, word):
    assert verdict(effects, **options) == word


def test_differences_are_paired_and_corrected():
    table = runs({("log", 0.01): 0.02})
    found = findings.differences(table, LAMBDAS).set_index(["difference", "lambda"])
    wide = table[table["lambda"] == 0.01].pivot(index="replicate", columns="form", values="accuracy")
    pairs = wide["log"] - wide["scale"]
    row = found.loc[("guided less scale", 0.01)]
    assert row["mean"] == pytest.approx(pairs.mean()) and row["n"] == 6
    assert (row["low"], row["high"]) == pytest.approx(t_interval(pairs, 4))
    assert found["judged"].groupby(level=0).all().to_dict() == {
        "guided less scale": True,
        "scale less rate": True,
        "guided less unguided": False,
        "scale less unguided": False,
    }


def test_nothing_yet():
    empty = findings.differences(runs({}, replicates=0), LAMBDAS)
    assert findings.h8(empty) == (("undecided", "no pair yet"), None)


def test_the_grid_is_paired_and_complete():
    settings = read(load("paper"), "norms-cifar10")
    planned = grid.grid(settings)
    assert len(planned) == len(set(planned)) == 10 * (1 + 3 * 2)
    assert {run["replicate"] for run in planned[:7]} == {0}
    assert len({run.seed("weights") for run in planned}) == 10


def test_tables_of_records():
    settings = read(load("paper"), "norms-cifar10")
    history = {name: [0.1, 0.2] for name in findings.METRICS.values()}
    records = [
        make_record(run, dict.fromkeys(findings.METRICS.values(), 0.2), history, 1.0, ENVIRONMENT)
        for run in grid.grid(settings)[:7]
    ]
    arms = findings.means(findings.frame(records))
    assert arms["arm"].tolist() == ["unguided", *["guided", "scale", "rate"] * 2]
    along = findings.along(records)
    assert along["epoch"].tolist()[:2] == [1, 2] and along["accuracy"].tolist()[:2] == [0.1, 0.2]
    assert findings.along([]).empty
