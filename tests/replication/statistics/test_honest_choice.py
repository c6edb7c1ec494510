"""Permutations and splits against enumeration, scipy, and the known distribution under no effect."""

from itertools import permutations, product

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from replication.statistics import honest_choice


def cells(values):
    return pd.DataFrame(values, columns=[0.0, *range(1, np.shape(values)[1])])


def noise(replicates, candidates, seed):
    return cells(np.random.default_rng(seed).normal(size=(replicates, candidates + 1)))


def test_one_tailed_p_is_scipys():
    a, b = np.random.default_rng(0).normal(size=(2, 10))
    for x, y in ((a, b), (b, a)):
        expected = stats.ttest_ind(x, y, alternative="greater").pvalue
        assert honest_choice.one_tailed_p(x, y) == pytest.approx(expected, rel=1e-12)


def test_shuffles_agree_with_all_of_them():
    """Two replicates, two candidates: 36 equally likely arrangements."""
    table = cells([[0.1, 0.5, 0.2], [0.3, 0.4, 0.9]])
    gains = []
    for arrangement in product(*(permutations(row) for row in table.to_numpy())):
        base, *others = np.transpose(arrangement)
        gains.append(max(other.mean() for other in others) - base.mean())
    observed = 0.55 - 0.2
    found = honest_choice.shuffle_labels(table, 0.0, draws=40_000, seed=1)
    assert found.observed == pytest.approx(observed)
    assert found.expected == pytest.approx(np.mean(gains), abs=0.004)
    assert found.p == pytest.approx(np.mean(np.array(gains) >= observed - 1e-12), abs=0.01)
    assert set(found.gains.round(9)) == set(np.round(gains, 9))


def test_the_share_of_significant_shuffles_is_scipys():
    table = noise(6, 3, 3)
    found = honest_choice.shuffle_labels(table, 0.0, draws=300, seed=5)
    order = np.random.default_rng(5).random((300, 6, 4)).argsort(axis=2)
    significant = 0
    for shuffled in np.take_along_axis(table.to_numpy()[None], order, axis=2):
        chosen = shuffled[:, 1:][:, shuffled[:, 1:].mean(axis=0).argmax()]
        significant += stats.ttest_ind(chosen, shuffled[:, 0], alternative="greater").pvalue < 0.05
    assert found.significant_share == pytest.approx(significant / 300)


def test_p_after_choice_is_uniform_under_no_effect():
    """And the plain p of the chosen candidate is not."""
    after, plain = [], []
    for seed in range(300):
        table = noise(10, 6, seed)
        after.append(honest_choice.shuffle_labels(table, 0.0, draws=300, seed=0).p)
        chosen = honest_choice.best(table, 0.0)
        plain.append(honest_choice.one_tailed_p(table[chosen], table[0.0]))
    assert stats.kstest(after, "uniform").pvalue > 0.01
    assert np.mean(np.array(plain) < 0.05) > 0.12


def test_a_real_effect_is_found_and_kept_by_the_other_half():
    table = noise(20, 6, 2)
    table[3] += 2
    shuffled = honest_choice.shuffle_labels(table, 0.0, draws=2000, seed=0)
    split = honest_choice.split_choice(table, 0.0, splits=200, seed=0)
    assert shuffled.p < 0.001 and split.p < 0.01
    assert split.gain == pytest.approx((table[3] - table[0.0]).mean(), abs=0.1)


def test_a_choice_on_other_replicates_gains_nothing_without_effect():
    gains = [honest_choice.split_choice(noise(10, 6, seed), 0.0, splits=20, seed=0).gain for seed in range(200)]
    chosen = [honest_choice.shuffle_labels(noise(10, 6, seed), 0.0, draws=1, seed=0).observed for seed in range(200)]
    assert abs(np.mean(gains)) < 3 * np.std(gains) / np.sqrt(200)
    assert np.mean(chosen) == pytest.approx(1.267 / np.sqrt(10), abs=0.1)


def test_splits_against_a_loop():
    table = noise(7, 3, 4)
    found = honest_choice.split_choice(table, 0.0, splits=50, seed=9)
    gains, ps = [], []
    for order in np.random.default_rng(9).random((50, 7)).argsort(axis=1):
        half, rest = table.iloc[order[:3]], table.iloc[order[3:]]
        pick = half[[1, 2, 3]].mean().idxmax()
        gains.append(rest[pick].mean() - rest[0.0].mean())
        ps.append(stats.ttest_ind(rest[pick], rest[0.0], alternative="greater").pvalue)
    assert found.gain == pytest.approx(np.mean(gains))
    assert found.p == pytest.approx(min(1, 2 * np.median(ps)))


def test_the_labels_as_they_are_count_as_one_of_the_shuffles():
    table = noise(6, 3, 0)
    table[3] += 9
    found = honest_choice.shuffle_labels(table, 0.0, draws=99, seed=0)
    assert found.p == (np.count_nonzero(found.gains >= found.observed - 1e-12) + 1) / 100


def test_a_replicate_that_lacks_a_value_is_the_callers_to_drop():
    table = noise(4, 2, seed=1)
    table.iloc[2, 1] = np.nan
    for function in (
        lambda: honest_choice.shuffle_labels(table, 0, draws=10, seed=0),
        lambda: honest_choice.split_choice(table, 0, splits=10, seed=0),
    ):
        with pytest.raises(ValueError, match="a replicate lacks a value"):
            function()


def test_twice_the_median_is_no_more_than_one():
    table = noise(6, 3, 0)
    table[0.0] += 9
    assert honest_choice.split_choice(table, 0.0, splits=20, seed=0).p == 1
