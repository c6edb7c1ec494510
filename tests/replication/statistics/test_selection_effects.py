from itertools import product
from math import comb, pi, sqrt

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from replication.statistics import selection_effects as effects


def table(values, columns=(0.0, 0.1, 1.0)):
    return pd.DataFrame(values, columns=list(columns))


def test_binomial_se_is_the_spread_of_repeated_tests():
    drawn = np.random.default_rng(0).binomial(500, 0.8, size=200_000) / 500
    assert effects.binomial_se(0.8, 500) == pytest.approx(drawn.std(), rel=0.01)


def test_pooled_spread():
    a, b = [1.0, 2.0, 4.0], [10.0, 14.0]
    spread = effects.pooled_spread([a, b])
    assert spread.sd == pytest.approx(sqrt((2 * np.var(a, ddof=1) + 1 * np.var(b, ddof=1)) / 3)) and spread.df == 3
    rng = np.random.default_rng(1)
    spreads = [effects.pooled_spread(rng.normal(0, 2, size=(4, 3))) for _ in range(3000)]
    assert np.mean([s.low <= 2 <= s.high for s in spreads]) == pytest.approx(0.95, abs=0.015)


def test_a_gain_without_variance_is_no_test():
    """A candidate that is better by the same in every row; Holm's correction counts the other alone."""
    cells = pd.DataFrame({0.0: [0.5, 0.75, 1.0], 0.1: [1.0, 1.25, 1.5], 1.0: [0.6, 0.8, 1.3]})
    tests = effects.column_tests(cells, 0.0).set_index("candidate")
    assert np.isnan(tests.loc[0.1, ["p", "p_holm"]].astype(float)).all()
    assert tests.loc[1.0, "p_holm"] == tests.loc[1.0, "p"] < 1
    assert np.isnan(effects.p_after_choice(float("nan"), 6, 10))


def test_column_tests_equal_the_formula():
    cells = table(np.random.default_rng(2).normal(size=(6, 4)), (0.0, 0.1, 1.0, 10.0))
    tests = effects.column_tests(cells, 0.0)
    p = []
    for _, row in tests.iterrows():
        difference = (cells[row["candidate"]] - cells[0.0]).to_numpy()
        se = difference.std(ddof=1) / sqrt(6)
        p.append(2 * stats.t.sf(abs(difference.mean() / se), 5))
        half = stats.t.ppf(0.975, 5) * se
        assert row["difference"] == pytest.approx(difference.mean())
        assert (row["low"], row["high"]) == pytest.approx((difference.mean() - half, difference.mean() + half))
    assert list(tests["p"]) == pytest.approx(p)
    smallest, middle, largest = sorted(p)
    holm = np.minimum(np.maximum.accumulate([3 * smallest, 2 * middle, largest]), 1)
    assert sorted(tests["p_holm"]) == pytest.approx(list(holm))


def test_best_gains_and_ties():
    gains = effects.best_gains(table([[0.5, 0.4, 0.6], [0.7, 0.7, 0.6], [0.9, 0.8, 0.8]]), 0.0)
    assert list(gains["gain"]) == pytest.approx([0.1, 0, -0.1])
    assert list(gains["candidate"]) == [1.0, 0.1, 0.1]
    assert (gains["gain"] > 0).sum() == 1  # the tie in the second row counts for the baseline


def test_off_baseline_probability():
    assert effects.off_baseline_probability(17, 18, 6) == pytest.approx((6 / 7) ** 18 + 18 * (6 / 7) ** 17 / 7)
    values = np.random.default_rng(3).normal(size=(20_000, 5, 4))
    off = (values[:, :, 0] < values[:, :, 1:].max(axis=2)).sum(axis=1)
    assert effects.off_baseline_probability(4, 5, 3) == pytest.approx((off >= 4).mean(), abs=0.01)


def test_expected_maximum_has_closed_forms_for_up_to_three():
    for k, closed in ((1, 0), (2, 1 / sqrt(pi)), (3, 1.5 / sqrt(pi))):
        assert effects.expected_maximum(k) == pytest.approx(closed, abs=1e-12)
    drawn = np.random.default_rng(4).normal(size=(400_000, 6)).max(axis=1)
    assert effects.expected_maximum(6) == pytest.approx(drawn.mean(), abs=0.004)


def test_best_exceeds():
    assert effects.best_exceeds(0.7, 1) == pytest.approx(stats.norm.sf(0.7 / sqrt(2)))
    assert effects.best_exceeds(0, 4) == pytest.approx(4 / 5)
    drawn = np.random.default_rng(5).normal(size=(400_000, 7))
    gain = drawn[:, 1:].max(axis=1) - drawn[:, 0]
    assert effects.best_exceeds(1.5, 6) == pytest.approx((gain > 1.5).mean(), abs=0.003)


@pytest.mark.parametrize("p", [0.0004, 0.0155, 0.05])
def test_p_after_choice_is_dunnetts(p):
    """Dunnett's statistics are multivariate t with correlation 1/2, from the shared baseline."""
    shape = 0.5 + 0.5 * np.eye(6)
    dunnett = stats.multivariate_t(shape=shape, df=18, seed=6, allow_singular=False)
    reference = 1 - dunnett.cdf(np.full(6, stats.t.isf(p, 18)))
    assert effects.p_after_choice(p, 6, 10) == pytest.approx(reference, abs=3e-4)
    assert effects.p_after_choice(p, 1, 10) == pytest.approx(p)
    assert p < effects.p_after_choice(p, 6, 10) < effects.sidak(p, 6) < effects.bonferroni(p, 6)


def test_sidak_and_bonferroni():
    smallest = np.random.default_rng(7).uniform(size=(200_000, 6)).min(axis=1)
    assert effects.sidak(0.02, 6) == pytest.approx((smallest <= 0.02).mean(), abs=0.002)
    assert effects.sidak(0.02, 6) == pytest.approx(1 - 0.98**6)
    assert (effects.bonferroni(0.02, 6), effects.bonferroni(0.5, 6)) == (pytest.approx(0.12), 1)


def test_the_simulated_choice_agrees_with_the_integrals():
    share, gain = effects.simulate_choice(6, 10, repeats=50_000, seed=8)
    assert share == pytest.approx(effects.p_after_choice(0.05, 6, 10), abs=4 * sqrt(0.18 * 0.82 / 50_000))
    assert gain == pytest.approx(effects.expected_maximum(6) / sqrt(10), abs=0.008)


def test_the_simulated_choice_equals_a_plain_loop():
    samples = np.random.default_rng(9).normal(size=(200, 4, 5))
    significant, gains = 0, []
    for baseline, *candidates in samples:
        best = max(candidates, key=lambda sample: sample.mean())
        pooled = (best.var(ddof=1) + baseline.var(ddof=1)) / 2
        gains.append(best.mean() - baseline.mean())
        significant += gains[-1] / sqrt(pooled * 2 / 5) > stats.t.isf(0.05, 8)
    assert effects.simulate_choice(3, 5, repeats=200, seed=9) == pytest.approx((significant / 200, np.mean(gains)))


def test_relabelling_equals_the_enumeration_of_all_baselines():
    cells = table([[0.5, 0.4, 0.6], [0.7, 0.7, 0.6], [0.8, 0.9, 0.85]])
    means = []
    for baselines in product(range(3), repeat=3):
        rows = zip(cells.to_numpy().tolist(), baselines, strict=True)
        means.append(np.mean([max(row[:k] + row[k + 1 :]) - row[k] for row, k in rows]))
    test = effects.relabelling_test(cells, 0.0, draws=40_000, seed=10)
    assert test.observed == pytest.approx(means[0]) == pytest.approx((0.1 + 0 + 0.1) / 3)
    assert (test.expected, test.sd) == pytest.approx((np.mean(means), np.std(means)))
    exact = np.mean(np.array(means) >= means[0] - 1e-9)
    assert test.p == pytest.approx(exact, abs=0.01)


def test_the_baseline_as_it_is_counts_as_one_of_the_draws():
    values = np.random.default_rng(0).normal(size=(6, 3)) + np.array([0, 0, 9])
    test = effects.relabelling_test(table(values), 0.0, draws=99, seed=0)
    assert test.p == (np.count_nonzero(test.draws >= test.observed - 1e-12) + 1) / 100


def test_relabelling_rejects_at_its_level_without_an_effect_and_finds_one():
    rng = np.random.default_rng(11)
    p = [effects.relabelling_test(table(rng.exponential(size=(8, 3))), 0.0, draws=200, seed=i).p for i in range(600)]
    assert np.mean(np.array(p) <= 0.1) == pytest.approx(0.1, abs=0.04)
    cells = table(rng.normal(size=(8, 3)) + np.array([0, 2, 2]))
    assert effects.relabelling_test(cells, 0.0, draws=2000, seed=0).p < 0.01


def test_against_one_baseline():
    values = [0.3, 0.5, 0.6, 0.2, 0.9]
    result = effects.against_one_baseline(0.4, values)
    assert (result.better, result.candidates) == (3, 5)
    assert result.p_signs == pytest.approx(sum(comb(5, m) for m in (3, 4, 5)) / 2**5)
    # Any of the six runs could be the baseline: in how many of the six cases are three others or more better?
    everything = [0.4, *values]
    assert result.p_rank == pytest.approx(np.mean([sum(o > b for o in everything) >= 3 for b in everything]))
    reference = stats.ttest_ind_from_stats(np.mean(values), np.std(values, ddof=1), 5, 0.4, 0, 1)
    assert result.p_t == pytest.approx(reference.pvalue / 2)
    assert effects.against_one_baseline(0.5, values).better == 2  # a tie counts for the baseline
    worse = effects.against_one_baseline(0.95, values)
    assert worse.p_t > 0.5 and worse.difference == pytest.approx(0.5 - 0.95)
    assert worse.candidates_sd == pytest.approx(np.std(values, ddof=1))
