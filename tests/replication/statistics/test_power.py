from math import sqrt

import numpy as np
import pytest
from scipy import stats

from replication.statistics import power


def test_implied_sd_recovers_the_pooled_standard_deviation():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.3, 1, 10), rng.normal(0, 1, 10)
    p = stats.ttest_ind(a, b, alternative="greater").pvalue
    assert power.implied_sd(a.mean() - b.mean(), p, 10) == pytest.approx(sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2))


def test_a_detectable_gain_is_detected_four_times_in_five():
    sd, n, alpha = 2.0, 10, 0.05 / 6
    gain = power.detectable_gain(sd, n, alpha)
    noncentral = stats.nct.sf(stats.t.isf(alpha, 2 * n - 2), 2 * n - 2, gain / sd * sqrt(n / 2))
    assert noncentral == pytest.approx(0.8, abs=1e-6)
    rng = np.random.default_rng(1)
    a, b = rng.normal(gain, sd, size=(20_000, n)), rng.normal(0, sd, size=(20_000, n))
    p = stats.ttest_ind(a, b, axis=1, alternative="greater").pvalue
    assert (p < alpha).mean() == pytest.approx(0.8, abs=0.012)


def test_replicates_needed_is_the_smallest_number():
    n = power.replicates_needed(0.005, 0.006, 0.01)
    assert power.detectable_gain(0.006, n, 0.01) <= 0.005 < power.detectable_gain(0.006, n - 1, 0.01)


def test_a_detectable_paired_gain_is_detected_four_times_in_five():
    gain = power.detectable_gain(3.0, 10, 0.05 / 6, paired=True)
    rng = np.random.default_rng(3)
    p = stats.ttest_1samp(rng.normal(gain, 3, size=(20_000, 10)), 0, axis=1, alternative="greater").pvalue
    assert (p < 0.05 / 6).mean() == pytest.approx(0.8, abs=0.012)


def test_pairs_needed_is_the_smallest_number():
    n = power.replicates_needed(0.005, 0.006, 0.01, paired=True)
    found = [power.detectable_gain(0.006, count, 0.01, paired=True) for count in (n, n - 1)]
    assert found[0] <= 0.005 < found[1]
    for gain, sd, alpha in ((0.005, 0.0, 0.01), (5.0, 0.01, 0.05)):
        assert power.replicates_needed(gain, sd, alpha, paired=True) == 2


def test_detectable_paired_difference():
    difference = power.detectable_paired_difference(3.0, 18, 0.01)
    rng = np.random.default_rng(2)
    p = stats.ttest_1samp(rng.normal(difference, 3, size=(20_000, 18)), 0, axis=1).pvalue
    assert (p < 0.01).mean() == pytest.approx(0.8, abs=0.012)


def test_two_replicates_are_enough_for_a_gain_far_above_the_noise():
    assert power.replicates_needed(0.005, 0.0, 0.01) == power.replicates_needed(0.005, 0.0002, 0.01) == 2
    assert power.replicates_needed(5.0, 1.0, 0.05) == 2
    assert power.detectable_gain(0.0002, 2, 0.01) <= 0.005
