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


def detectable_gain(sd: float, n: int, alpha: float) -> float:
    """Gain that a one-tailed pooled t-test of n replicates a side finds with probability POWER; `sd` of a replicate."""
    return float(sd * TTestIndPower().solve_power(nobs1=n, alpha=alpha, power=POWER, alternative="larger"))


def replicates_needed(gain: float, sd: float, alpha: float) -> int:
    """Replicates a side with which the same test finds `gain` with probability POWER; two at least."""
    if sd == 0 or TTestIndPower().power(gain / sd, 2, alpha, alternative="larger") >= POWER:
        return 2  # where the solver does not converge
    n = TTestIndPower().solve_power(effect_size=gain / sd, alpha=alpha, power=POWER, alternative="larger")
    return math.ceil(float(np.squeeze(n)))


def detectable_paired_gain(sd: float, n: int, alpha: float) -> float:
    """Mean gain that a one-tailed t-test of n pairs finds with probability POWER; `sd` of one paired gain."""
    return float(sd * TTestPower().solve_power(nobs=n, alpha=alpha, power=POWER, alternative="larger"))


def pairs_needed(gain: float, sd: float, alpha: float) -> int:
    """Pairs with which the same test finds `gain` with probability POWER; two at least."""
    if sd == 0 or TTestPower().power(gain / sd, 2, alpha, alternative="larger") >= POWER:
        return 2  # where the solver does not converge
    n = TTestPower().solve_power(effect_size=gain / sd, alpha=alpha, power=POWER, alternative="larger")
    return math.ceil(float(np.squeeze(n)))


def detectable_paired_difference(sd: float, n: int, alpha: float) -> float:
    """Mean difference that a two-sided t-test of n pairs finds with probability POWER; `sd` of one difference."""
    return float(sd * TTestPower().solve_power(nobs=n, alpha=alpha, power=POWER))
