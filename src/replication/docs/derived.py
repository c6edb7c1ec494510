"""Numbers that no table prints but that follow from one, for the written pages."""

from statistics import geometric_mean

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from replication.statistics import t_tests
from replication.statistics.t_tests import ALPHA, pooled_t_test, t_interval


def holm(rows: pd.DataFrame) -> NDArray[np.float64]:
    """p of each row's paired t-test, with Holm's correction over the rows.

    Args:
        rows: columns gain, low, high (its 95 % t-interval) and n (pairs).
    """
    error = _half_width(rows) / stats.t.isf(ALPHA / 2, rows["n"] - 1)
    p = 2 * stats.t.sf(rows["gain"].abs() / error, rows["n"] - 1)
    return t_tests.holm(p)


def widened(rows: pd.DataFrame, tests: int) -> pd.DataFrame:
    """The rows with their 95 % t-intervals made as wide as so many tests ask (Bonferroni's correction)."""
    freedom = rows["n"] - 1
    half = _half_width(rows) * stats.t.isf(ALPHA / tests / 2, freedom) / stats.t.isf(ALPHA / 2, freedom)
    return rows.assign(low=rows["gain"] - half, high=rows["gain"] + half)


def _half_width(rows: pd.DataFrame) -> pd.Series:
    return (rows["high"] - rows["low"]) / 2


FUNCTIONS = {function.__name__: function for function in (holm, widened, t_interval, pooled_t_test, geometric_mean)}
