"""What a number of replicates can show: t-tests read backwards, from p to noise and from noise to replicates."""

import math

import numpy as np
from scipy import stats
from statsmodels.stats.power import TTestIndPower, TTestPower

POWER = 0.8  # the chance to see the effect that is called detectable


def implied_sd(gain: float, p: float, n: int) -> float:
    """Standard deviation of one replicate, from a gain and its one-tailed p (pooled t-test, n replicates a side).

    >>> round(implied_sd(0.0052, 0.0035, 10), 4)
    0.0038
    """
    return float(gain / stats.t.isf(p, 2 * n - 2) * math.sqrt(n / 2))


def detectable_gain(sd: float, n: int, alpha: float, *, paired: bool = False) -> float:
    """Gain that a one-tailed pooled t-test of n replicates a side finds with probability POWER.

    Args:
        sd: of one replicate; if paired, of one paired gain.
        paired: a t-test of n pairs instead.
    """
    test, count = _test(paired)
    return float(sd * test.solve_power(**{count: n}, alpha=alpha, power=POWER, alternative="larger"))


def replicates_needed(gain: float, sd: float, alpha: float, *, paired: bool = False) -> int:
    """Replicates a side, or pairs, with which the same test finds `gain` with probability POWER; two at least."""
    test, _ = _test(paired)
    if sd == 0 or test.power(gain / sd, 2, alpha, alternative="larger") >= POWER:
        return 2  # where the solver does not converge
    n = test.solve_power(effect_size=gain / sd, alpha=alpha, power=POWER, alternative="larger")
    return math.ceil(float(np.squeeze(n)))


def _test(paired: bool) -> tuple[TTestPower | TTestIndPower, str]:
    """The test, and what statsmodels calls its number of replicates."""
    return (TTestPower(), "nobs") if paired else (TTestIndPower(), "nobs1")


def detectable_paired_difference(sd: float, n: int, alpha: float) -> float:
    """Mean difference that a two-sided t-test of n pairs finds with probability POWER; `sd` of one difference."""
    return float(sd * TTestPower().solve_power(nobs=n, alpha=alpha, power=POWER))
