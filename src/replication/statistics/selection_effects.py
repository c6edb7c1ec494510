"""What choosing the best of several candidates does to a gain: pure functions on numbers and data frames.

A frame of `cells` holds one experiment a row and one candidate (a value of lambda) a column, the baseline among them.
"No effect" means that the columns of a row are exchangeable: the baseline could have stood under any of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import integrate, stats
from scipy.special import ndtr

from replication.statistics.t_tests import ALPHA, holm, paired_difference, paired_t_test

CHUNK = 10_000  # simulated tables at a time

# Integrals over a standard normal variable: the trapezoidal rule, exact to rounding for smooth functions on the line.
_Z = np.linspace(-10, 10, 2001)
_WEIGHTS = stats.norm.pdf(_Z) * (_Z[1] - _Z[0])


@dataclass(frozen=True)
class Spread:
    """A standard deviation with its degrees of freedom and 95 % interval (low, high; chi-squared)."""

    sd: float
    df: int
    low: float
    high: float


def binomial_se(accuracy: float, n: int) -> float:
    """Standard error of an accuracy measured on n independent images.

    >>> round(binomial_se(0.8, 500), 4)
    0.0179
    """
    return float(np.sqrt(accuracy * (1 - accuracy) / n))


def pooled_spread(groups: Iterable[ArrayLike]) -> Spread:
    """Standard deviation within groups; each group's mean costs one degree of freedom.

    >>> round(pooled_spread([[1, 3], [5, 5, 8]]).sd, 4)
    1.633
    """
    samples = [np.asarray(group, dtype=float) for group in groups]
    df = sum(len(sample) - 1 for sample in samples)
    squares = sum(float(((sample - sample.mean()) ** 2).sum()) for sample in samples)
    low, high = (np.sqrt(squares / stats.chi2.ppf(q, df)) for q in (1 - ALPHA / 2, ALPHA / 2))
    return Spread(float(np.sqrt(squares / df)), df, float(low), float(high))


def column_tests(cells: pd.DataFrame, baseline: float) -> pd.DataFrame:
    """Paired t-tests over rows of each candidate against the baseline column.

    Columns: candidate, n (rows), difference (mean, candidate - baseline) with its 95 % t-interval low and high, p
    (two-sided), p_holm (over the candidates).
    """
    rows = []
    for candidate in cells.columns.drop(baseline):
        a, b = cells[candidate], cells[baseline]
        rows.append((candidate, len(cells), *paired_difference(a, b), paired_t_test(a, b)))
    table = pd.DataFrame(rows, columns=["candidate", "n", "difference", "low", "high", "p"])
    return table.assign(p_holm=holm(table["p"]))


def best_gains(cells: pd.DataFrame, baseline: float) -> pd.DataFrame:
    """The best candidate of each row. Columns: baseline, best, candidate (the leftmost among equals), gain.

    gain = best - baseline, negative where the baseline is the best of all. A tie with the baseline is a gain of 0 and
    counts for the baseline: "best off the baseline" is gain > 0.
    """
    candidates = cells.drop(columns=baseline)
    best = candidates.max(axis=1)
    return pd.DataFrame(
        {
            "baseline": cells[baseline],
            "best": best,
            "candidate": candidates.idxmax(axis=1),
            "gain": best - cells[baseline],
        }
    )


def off_baseline_probability(at_least: int, rows: int, candidates: int) -> float:
    """P(the best of a row is not the baseline in `at_least` of `rows` rows | no effect, no ties): binomial.

    >>> round(off_baseline_probability(17, 18, 6), 4)
    0.2495
    """
    return float(stats.binom.sf(at_least - 1, rows, candidates / (candidates + 1)))


@dataclass(frozen=True)
class Relabelling:
    """The mean best-of-k gain over rows, and what it is when any column of a row may be the baseline."""

    observed: float
    expected: float
    sd: float
    p: float  # P(mean gain >= observed), one-sided
    draws: NDArray[np.float64]


def relabelling_test(cells: pd.DataFrame, baseline: float, *, draws: int, seed: int) -> Relabelling:
    """Permutation test of the mean gain of the best candidate over the baseline.

    Under no effect each of a row's values is equally likely to be the baseline's, whatever their distribution: nothing
    is assumed of it, nor estimated. `expected` and `sd` are exact, p counts `draws` random choices of baselines and
    the observed one.
    """
    values = cells.to_numpy(dtype=float)
    gains = np.stack([np.delete(values, k, axis=1).max(axis=1) - values[:, k] for k in range(values.shape[1])], axis=1)
    rng = np.random.default_rng(seed)
    drawn = np.zeros(draws)
    for row in gains:
        drawn += rng.choice(row, size=draws)
    drawn /= len(gains)
    observed = float(gains[:, list(cells.columns).index(baseline)].mean())
    # Sums of the same numbers in another order differ by rounding: they count as equal.
    as_large = np.count_nonzero(drawn >= observed - 1e-12)
    sd = np.sqrt(gains.var(axis=1).sum()) / len(gains)
    return Relabelling(observed, float(gains.mean()), float(sd), (as_large + 1) / (draws + 1), drawn)


@dataclass(frozen=True)
class NormalNoise:
    """P(mean gain >= observed), one-sided, where all values are normal noise; by what the noise is taken from."""

    p_known: float  # the spread within rows, taken as known
    p_studentised: float  # the same spread, estimated anew from each table that noise makes
    p_repeated: float  # the spread of repeated baselines, with the uncertainty of its few degrees of freedom


def normal_noise_test(cells: pd.DataFrame, baseline: float, repeated: Spread, *, draws: int, seed: int) -> NormalNoise:
    """How likely normal noise makes a mean gain of the best candidate as large as the observed one.

    Three answers to how large the noise is. Guidance that does something makes the spread within rows larger, and its
    first two p too large; repeated baselines see no guidance, but are few.
    """
    rows, columns = cells.shape
    rng = np.random.default_rng(seed)
    gains, spreads = np.empty(draws), np.empty(draws)
    for first in range(0, draws, CHUNK):
        part = slice(first, min(first + CHUNK, draws))
        noise = rng.normal(size=(part.stop - first, rows, columns))
        gains[part] = (noise[:, :, 1:].max(axis=2) - noise[:, :, 0]).mean(axis=1)
        spreads[part] = np.sqrt(noise.var(axis=2, ddof=1).mean(axis=1))
    estimated = np.sqrt(rng.chisquare(repeated.df, draws) / repeated.df)
    observed = float(best_gains(cells, baseline)["gain"].mean())
    own = pooled_spread(cells.to_numpy()).sd

    def share(statistics: NDArray[np.float64], value: float) -> float:
        return float((np.count_nonzero(statistics >= value) + 1) / (draws + 1))

    return NormalNoise(
        p_known=share(gains, observed / own),
        p_studentised=share(gains / spreads, observed / own),
        p_repeated=share(gains / estimated, observed / repeated.sd),
    )


def expected_maximum(candidates: int) -> float:
    """Mean of the largest of `candidates` independent standard normals.

    Times the noise of one value, it is the mean gain of the best candidate over the baseline under no effect.

    >>> round(expected_maximum(6), 4)
    1.2672
    """
    return float((_Z * _WEIGHTS * candidates * ndtr(_Z) ** (candidates - 1)).sum())


def best_exceeds(threshold: float, candidates: int) -> float:
    """P(largest of `candidates` - baseline > threshold), all independent standard normals.

    >>> round(best_exceeds(0, 6) * 7, 6)
    6.0
    """
    return float((_WEIGHTS * (1 - ndtr(_Z + threshold) ** candidates)).sum())


def p_after_choice(p: float, candidates: int, n: int) -> float:
    """The one-tailed p of a t-test whose candidate was chosen for the highest mean among `candidates`.

    Exact under no effect for normal samples of n replicates a candidate and the baseline that all share, and a pooled
    two-sample t-test of the chosen one (2n - 2 degrees of freedom): Dunnett's distribution. Bonferroni's k p and
    Sidak's 1 - (1 - p)^k are larger, for they ignore that the k gains share one baseline. NaN where p is.
    """
    if np.isnan(p):
        return p
    df = 2 * n - 2
    t = stats.t.isf(p, df)

    def density(spread: float) -> float:
        # `spread` = pooled SD / true SD; the difference of two means has variance 2 SD^2 / n
        return float(stats.chi.pdf(spread, df, scale=df**-0.5) * best_exceeds(t * 2**0.5 * spread, candidates))

    return float(integrate.quad(density, 0, np.inf)[0])


def bonferroni(p: float, candidates: int) -> float:
    """The p-value times the number of candidates, at most 1."""
    return min(1.0, candidates * p)


def sidak(p: float, candidates: int) -> float:
    """1 - (1 - p)^candidates: the chance that the smallest of independent p-values is at most p."""
    return float(-np.expm1(candidates * np.log1p(-p)))


def simulate_choice(candidates: int, n: int, *, repeats: int, seed: int) -> tuple[float, float]:
    """Experiments without any effect: n replicates of each candidate and the baseline, the best mean is tested.

    Returns:
        The share of repeats with p < 0.05 (one-tailed pooled t-test of the chosen candidate against the baseline), and
        the chosen candidate's mean gain in units of the replicate standard deviation.
    """
    samples = np.random.default_rng(seed).normal(size=(repeats, candidates + 1, n))
    baseline, tried = samples[:, 0], samples[:, 1:]
    chosen = tried[np.arange(repeats), tried.mean(axis=2).argmax(axis=1)]
    p = stats.ttest_ind(chosen, baseline, axis=1, alternative="greater").pvalue
    return float((p < ALPHA).mean()), float((chosen - baseline).mean())


@dataclass(frozen=True)
class OneBaseline:
    """Candidates beside a single baseline run."""

    better: int
    candidates: int
    p_signs: float  # binomial: as if each candidate had a baseline of its own
    p_rank: float  # all share the one baseline: its rank is uniform under no effect
    difference: float  # mean of the candidates - baseline
    candidates_sd: float
    p_t: float  # one-sided: the baseline against the candidates' own scatter


def against_one_baseline(baseline: float, candidates: ArrayLike) -> OneBaseline:
    """Is a single baseline run worse than the candidates, more than by chance? One-sided; ties count for the baseline.

    The signs of the candidates' gains are not independent: a baseline that happens to be poor makes all of them
    positive. Under no effect its rank among all runs is uniform: P(at least m of k are better) = (k - m + 1) / (k + 1).

    Args:
        candidates: one value each, of two candidates or more; higher is better.
    """
    values = np.asarray(candidates, dtype=float)
    k, better = len(values), int((values > baseline).sum())
    difference, sd = float(values.mean() - baseline), float(values.std(ddof=1))
    return OneBaseline(
        better=better,
        candidates=k,
        p_signs=float(stats.binom.sf(better - 1, k, 0.5)),
        p_rank=(k - better + 1) / (k + 1),
        difference=difference,
        candidates_sd=sd,
        p_t=float(stats.t.sf(difference / (sd * np.sqrt(1 + 1 / k)), k - 1)),
    )
