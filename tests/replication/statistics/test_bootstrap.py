"""Resampling against its theory: what n images with replacement do to sums and to a ratio."""

import numpy as np
import pytest

from replication.statistics.bootstrap import interval, resampled_sums


def test_every_resample_has_as_many_images():
    sums = resampled_sums(np.ones((37, 1)), draws=250)
    assert sums.shape == (250, 1) and (sums == 37).all()


def test_columns_share_their_resamples_and_the_seed_fixes_them():
    values = np.random.default_rng(1).normal(size=(50, 1))
    sums = resampled_sums(np.hstack([values, 2 * values]), draws=130)
    assert sums[:, 1] == pytest.approx(2 * sums[:, 0])
    assert (resampled_sums(values, draws=130) == resampled_sums(values, draws=130)).all()
    assert (resampled_sums(values, draws=130, seed=1) != resampled_sums(values, draws=130, seed=2)).any()


def test_the_spread_is_the_standard_error():
    """Of a mean: sd / sqrt(n), here to the 5 % that 4,000 draws allow (their relative error is 1 / sqrt(8000))."""
    values = np.random.default_rng(2).exponential(size=(200, 1))
    means = resampled_sums(values, draws=4000)[:, 0] / 200
    assert means.std() == pytest.approx(values.std() / np.sqrt(200), rel=0.05)
    assert means.mean() == pytest.approx(values.mean(), abs=4 * values.std() / np.sqrt(200 * 4000))


def test_a_ratio_against_resampling_by_hand():
    generator = np.random.default_rng(3)
    union = generator.integers(50, 100, size=80)
    hit = (union * generator.uniform(0.2, 0.9, size=80)).astype(int)
    low, high = interval(np.divide(*resampled_sums(np.stack([hit, union], axis=1), draws=3000).T))
    by_hand = []
    for _ in range(3000):
        rows = generator.choice(80, size=80)
        by_hand.append(hit[rows].sum() / union[rows].sum())
    width = np.quantile(by_hand, 0.975) - np.quantile(by_hand, 0.025)
    assert (low, high) == pytest.approx((np.quantile(by_hand, 0.025), np.quantile(by_hand, 0.975)), abs=0.1 * width)
