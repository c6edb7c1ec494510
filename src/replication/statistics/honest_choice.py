"""Testing a candidate that was chosen for the quantity that is tested: pure functions on replicated runs.

A frame of `cells` holds one replicate a row and one candidate (a value of lambda) a column, the baseline among them;
the runs of a row share their seed. "No effect" means that the values of a row could have stood in any order.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from replication.statistics.t_tests import ALPHA, pooled_t_test

Array = NDArray[np.float64]


def one_tailed_p(candidate: Array | pd.Series, baseline: Array | pd.Series) -> float:
    """One-tailed p of Student's pooled t-test: is the candidate higher? NaN for a sample of fewer than two values."""
    p = pooled_t_test(candidate, baseline)
    return p / 2 if np.mean(candidate) > np.mean(baseline) else 1 - p / 2


def best(cells: pd.DataFrame, baseline: float) -> float:
    """The candidate with the highest mean, the leftmost among equals."""
    return float(cells.drop(columns=baseline).mean().idxmax())


@dataclass(frozen=True)
class ShuffledLabels:
    """The gain of the best candidate's mean over the baseline's, and the same with shuffled labels."""

    observed: float
    expected: float  # mean gain under no effect
    p: float  # P(gain >= observed | no effect), one-sided
    significant_share: float  # how often a one-tailed pooled t-test of the chosen one has p < 0.05 under no effect
    gains: Array  # of every shuffle


def shuffle_labels(cells: pd.DataFrame, baseline: float, *, draws: int, seed: int) -> ShuffledLabels:
    """Shuffle each replicate's labels, choose the best candidate anew, and test it as if it had been chosen beforehand.

    An exact permutation test of "no effect" (up to the number of draws): nothing is assumed of the distributions, and
    that the candidates share the baseline is part of it. p counts `draws` shuffles and the observed labels. It says
    nothing of one candidate where another does harm: shuffled into the baseline, the harm makes gains.

    Args:
        cells: replicates x candidates, none missing.
    """
    _check_whole(cells)
    values = cells.to_numpy(dtype=float)
    column = list(cells.columns).index(baseline)
    order = np.random.default_rng(seed).random((draws, *values.shape)).argsort(axis=2)
    shuffled = np.take_along_axis(values[None], order, axis=2)
    base, others = shuffled[:, :, column], np.delete(shuffled, column, axis=2)
    chosen = others[np.arange(draws), :, others.mean(axis=1).argmax(axis=1)]
    gains = chosen.mean(axis=1) - base.mean(axis=1)
    variance = chosen.var(axis=1, ddof=1) + base.var(axis=1, ddof=1)
    n = len(values)
    critical = stats.t.isf(ALPHA, 2 * n - 2)
    observed = float(cells[best(cells, baseline)].mean() - cells[baseline].mean())
    as_large = np.count_nonzero(gains >= observed - 1e-12)  # sums in another order count as equal
    return ShuffledLabels(
        observed=observed,
        expected=float(gains.mean()),
        p=(as_large + 1) / (draws + 1),
        significant_share=float((gains > critical * np.sqrt(variance / n)).mean()),
        gains=gains,
    )


def _check_whole(cells: pd.DataFrame) -> None:
    """A NaN would never be the best, and count as no gain: whoever has one drops its replicate, and says so."""
    if cells.isna().any(axis=None):
        raise ValueError("a replicate lacks a value")


@dataclass(frozen=True)
class SplitChoice:
    """A candidate chosen on half of the replicates and tested on the other half, over many random halves."""

    gain: float  # mean over the splits
    p: float  # twice the median one-tailed p: valid whatever the dependence between splits; NaN for one value a half


def split_choice(cells: pd.DataFrame, baseline: float, *, splits: int, seed: int) -> SplitChoice:
    """The gain of a choice that the tested replicates had no part in. Of an odd number the larger half is tested.

    Twice the median p: Meinshausen, Meier and Buehlmann, "p-values for high-dimensional regression", 2009.

    Args:
        cells: replicates x candidates, none missing, two replicates or more.
    """
    _check_whole(cells)
    candidates = cells.drop(columns=baseline)
    order = np.random.default_rng(seed).random((splits, len(cells))).argsort(axis=1)
    first, second = order[:, : len(cells) // 2], order[:, len(cells) // 2 :]
    picks = candidates.to_numpy()[first].mean(axis=1).argmax(axis=1)
    chosen = candidates.to_numpy()[second, picks[:, None]]
    base = cells[baseline].to_numpy()[second]
    ps = [one_tailed_p(a, b) for a, b in zip(chosen, base, strict=True)]
    return SplitChoice(gain=float((chosen - base).mean()), p=float(np.minimum(1.0, 2 * np.median(ps))))
