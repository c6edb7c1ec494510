"""Which widths count."""

import pandas as pd

from replication.statistics.coverage import counting, said


def test_a_width_counts_with_enough_runs_at_every_planned_lambda():
    runs = pd.DataFrame({"width": [20] * 4 + [60] * 3, "lambda": [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0]})
    planned = {60: {0.0, 1.0}, 20: {0.0, 1.0}, 100: {0.0}}
    assert counting(runs, planned, 2) == [20]
    assert counting(runs, planned, 1) == [60, 20]
    assert counting(runs, {60: {0.0}}, 2) == [60]
    assert counting(runs.iloc[:0], planned, 1) == []


def test_it_is_said_of_how_many():
    assert said([200, 60, 60], [60, 100, 200]) == "60, 200 of 60, 100, 200"
    assert said([], [60]) == "none of 60"
