"""Statistics of replicated runs: pure functions on numbers and data frames."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit  # scipy.stats, with the same two in it, takes a second to import

ALPHA = 0.05
NO_VARIANCE = "no variance"


def t_interval(values: ArrayLike, tests: int = 1) -> tuple[float, float]:
    """95 % t-interval of a mean, (low, high); NaN for fewer than two values.

    Args:
        tests: how many of which one at least could be wrong by chance: the level is 1 - 0.05 / tests (Bonferroni).

    >>> low, high = t_interval([1.0, 2.0, 3.0])
    >>> round(low, 3), round(high, 3)
    (-0.484, 4.484)
    """
    sample = np.asarray(values, dtype=float)
    if len(sample) < 2:
        return float("nan"), float("nan")
    half = -stdtrit(len(sample) - 1, ALPHA / tests / 2) * sample.std(ddof=1) / np.sqrt(len(sample))
    return float(sample.mean() - half), float(sample.mean() + half)


def mean_over_groups(samples: Sequence[Sequence[float]], tests: int = 1) -> tuple[float, float, float]:
    """Mean of the groups' means with its 95 % t-interval, (mean, low, high), for groups that are no random choice.

    The interval comes from the spread within groups, pooled; NaN where no group has two values. `tests` as in
    `t_interval`.

    >>> mean_over_groups([[1.0, 1.0], [3.0, 3.0]])
    (2.0, 2.0, 2.0)
    """
    groups = [np.asarray(sample, dtype=float) for sample in samples]
    mean = float(np.mean([group.mean() for group in groups]))
    freedom = sum(len(group) - 1 for group in groups)
    if not freedom:
        return mean, float("nan"), float("nan")
    variance = sum(((group - group.mean()) ** 2).sum() for group in groups) / freedom
    error = np.sqrt(variance * sum(1 / len(group) for group in groups)) / len(groups)
    half = float(-stdtrit(freedom, ALPHA / tests / 2) * error)
    return mean, mean - half, mean + half


def summarise(frame: pd.DataFrame, by: Sequence[str], value: str) -> pd.DataFrame:
    """Mean of `value` in each group, with n and the 95 % t-interval. Columns: by, n, mean, low, high.

    A NaN, as a run that diverged leaves, is left out and does not count in n.
    """
    rows = []
    for key, group in frame.groupby(list(by)):
        values = group[value].dropna()
        rows.append((*(key if isinstance(key, tuple) else (key,)), len(values), values.mean(), *t_interval(values)))
    return pd.DataFrame(rows, columns=[*by, "n", "mean", "low", "high"])


def pooled_t_test(a: ArrayLike, b: ArrayLike) -> float:
    """Two-sided p of Student's pooled two-sample t-test; NaN for a sample of fewer than two values.

    Two constant samples have no variance to test against: p is 1 if they are equal and NaN if not.
    """
    x, y = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if min(len(x), len(y)) < 2:
        return float("nan")
    if np.ptp(x) == 0 and np.ptp(y) == 0:
        return 1.0 if x[0] == y[0] else float("nan")
    freedom = len(x) + len(y) - 2
    squares = ((len(sample) - 1) * np.square(sample.std(ddof=1)) for sample in (x, y))
    variance = sum(squares) / freedom
    return _two_sided((x.mean() - y.mean()) / np.sqrt(variance * (1 / len(x) + 1 / len(y))), freedom)


def _two_sided(t: float, freedom: int) -> float:
    return float(2 * stdtr(freedom, -abs(t)))


def pairwise_tests(samples: Mapping[float, Sequence[float]], *, paired: bool = False) -> pd.DataFrame:
    """All pairs of samples, tested as the paper prints them and with Holm's correction.

    A NaN, as a run that diverged leaves, is left out before the tests; of paired samples with its partner. One that
    stayed would make its tests disappear, and Holm's correction of the others smaller.

    Args:
        paired: values of the same place belong together.

    Columns: a, b (labels), n_a, n_b (values tested), difference (mean a - mean b), p, p_holm, sign, sign_holm: "+"
    where a is significantly higher at 5 %, "-" where it is lower, "" where neither (Figure 3b's marks), "no variance"
    where a and b differ and there is none to test against.
    """
    test = paired_t_test if paired else pooled_t_test
    rows = []
    for a, b in combinations(samples, 2):
        x, y = _whole(samples[a], samples[b], paired=paired)
        difference = x.mean() - y.mean() if min(len(x), len(y)) else np.nan
        rows.append((a, b, len(x), len(y), difference, test(x, y)))
    table = pd.DataFrame(rows, columns=["a", "b", "n_a", "n_b", "difference", "p"])
    table["p_holm"] = holm(table["p"])
    several = table[["n_a", "n_b"]].min(axis=1) > 1
    for p, sign in (("p", "sign"), ("p_holm", "sign_holm")):
        direction = np.where(table["difference"] > 0, "+", "-")
        table[sign] = np.where(table[p] < ALPHA, direction, "")
        table.loc[table[p].isna() & table["difference"].notna() & several, sign] = NO_VARIANCE
    return table


def _whole(a: Sequence[float], b: Sequence[float], *, paired: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both samples without NaN; paired ones without the pairs that have one."""
    x, y = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if paired:
        both = ~(np.isnan(x) | np.isnan(y))
        return x[both], y[both]
    return x[~np.isnan(x)], y[~np.isnan(y)]


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """Holm's correction of several p; a NaN is no test, counts for nothing and stays.

    By hand: that of statsmodels collects garbage at each call, which takes most of the time of a family's statistics.

    >>> holm([0.02, float("nan"), 0.01])
    array([0.02,  nan, 0.02])
    """
    corrected = np.array(p, dtype=float)
    order = np.argsort(corrected)[: np.count_nonzero(~np.isnan(corrected))]  # NaN are sorted to the end
    corrected[order] = np.minimum(np.maximum.accumulate(corrected[order] * np.arange(len(order), 0, -1)), 1)
    return corrected


def paired_difference(a: ArrayLike, b: ArrayLike) -> tuple[float, float, float]:
    """Mean of a - b over pairs with its 95 % t-interval: (mean, low, high)."""
    difference = np.asarray(a, dtype=float) - np.asarray(b, dtype=float)
    return (float(difference.mean()), *t_interval(difference))


def paired_t_test(a: ArrayLike, b: ArrayLike) -> float:
    """Two-sided p of the paired t-test; NaN for fewer than two pairs.

    Differences that are all the same have no variance to test against: p is 1 if they are zero and NaN if not.

    >>> paired_t_test([0.5, 0.7], [0.5, 0.7]), paired_t_test([0.5, 0.75], [0.25, 0.5])
    (1.0, nan)
    """
    difference = np.asarray(a, dtype=float) - np.asarray(b, dtype=float)
    if len(difference) < 2:
        return float("nan")
    if np.ptp(difference) < 1e-12:  # rounding
        return 1.0 if abs(difference[0]) < 1e-12 else float("nan")
    pairs = len(difference)
    variance = np.square(difference - difference.mean()).mean() * (pairs / (pairs - 1))  # scipy's order: equal digits
    return _two_sided(difference.mean() / np.sqrt(variance / pairs), pairs - 1)
