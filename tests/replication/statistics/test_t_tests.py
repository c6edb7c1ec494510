import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import DescrStatsW

from replication.statistics.t_tests import (
    holm,
    mean_over_groups,
    paired_difference,
    paired_t_test,
    pairwise_tests,
    pooled_t_test,
    summarise,
    t_interval,
)


def test_t_interval_equals_an_independent_implementation():
    values = np.random.default_rng(0).normal(size=10)
    assert t_interval(values) == pytest.approx(DescrStatsW(values).tconfint_mean())
    assert t_interval(values, 6) == pytest.approx(DescrStatsW(values).tconfint_mean(0.05 / 6))
    assert np.isnan(t_interval([1.0])).all()


def test_mean_over_groups_equals_a_linear_model():
    rng = np.random.default_rng(5)
    samples = [list(rng.normal(mean, size=n)) for mean, n in ((0, 5), (3, 10), (-2, 1))]
    frame = pd.DataFrame([(f"g{k}", value) for k, sample in enumerate(samples) for value in sample], columns=["g", "y"])
    test = ols("y ~ 0 + g", frame).fit().t_test(np.full((1, 3), 1 / 3))
    assert mean_over_groups(samples) == pytest.approx((test.effect.item(), *test.conf_int()[0]))
    mean, *interval = mean_over_groups([[1.0], [3.0]])
    assert mean == 2 and np.isnan(interval).all()


def test_t_interval_covers_95_percent():
    rng = np.random.default_rng(1)
    covered = [low <= 0 <= high for low, high in (t_interval(rng.normal(size=10)) for _ in range(4000))]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.012)


def test_pooled_t_test():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=10), rng.normal(0.5, size=12)
    # The closed form of Student's test
    pooled = (9 * a.var(ddof=1) + 11 * b.var(ddof=1)) / 20
    t = (a.mean() - b.mean()) / np.sqrt(pooled * (1 / 10 + 1 / 12))
    assert pooled_t_test(a, b) == pytest.approx(2 * stats.t.sf(abs(t), 20))
    assert pooled_t_test(a, b) == pytest.approx(stats.ttest_ind(a, b).pvalue)
    assert pooled_t_test([60, 60, 60], [59, 60, 60]) == pytest.approx(0.374, abs=1e-3)  # no warning
    assert pooled_t_test([8, 8, 8], [8, 8, 8]) == 1
    assert np.isnan(pooled_t_test([8, 8, 8], [9, 9, 9]))
    assert np.isnan(pooled_t_test([8], [9, 9]))


def test_pairwise_signs_and_holm():
    rng = np.random.default_rng(3)
    samples = {0.0: rng.normal(0, 1, 10), 0.1: rng.normal(0, 1, 10), 1.0: rng.normal(5, 1, 10)}
    table = pairwise_tests(samples).set_index(["a", "b"])
    assert table.loc[(0.0, 1.0), "sign_holm"] == "-" and table.loc[(0.0, 1.0), "difference"] < -3
    # Holm by hand: sorted p times 3, 2, 1, made monotone
    p = table["p"].sort_values()
    expected = np.minimum(np.maximum.accumulate(p.to_numpy() * [3, 2, 1]), 1)
    np.testing.assert_allclose(table.loc[p.index, "p_holm"], expected)
    assert pairwise_tests({}).empty


def test_pairwise_tests_of_paired_samples():
    rng = np.random.default_rng(3)
    shared = rng.normal(0, 5, 10)
    samples = {k: list(shared + k + rng.normal(size=10)) for k in (0.0, 1.0)}
    (row,) = pairwise_tests(samples, paired=True).to_dict("records")
    assert row["p"] == pytest.approx(stats.ttest_rel(samples[0.0], samples[1.0]).pvalue)
    assert paired_t_test([0.1 + 0.2, 0.3], [0.3, 0.3]) == 1  # equal but for rounding
    assert np.isnan(paired_t_test([1.5, 2.5, 3.5], [1.0, 2.0, 3.0]))


@pytest.mark.parametrize("paired", [False, True])
def test_samples_without_variance_are_no_proof_of_a_difference(paired):
    """Three runs that all stop at epoch 8 and three at 9 may be one more that stops at 8."""
    table = pairwise_tests({0.0: [9, 9, 9], 0.1: [8, 8, 8], 1.0: [8, 8, 8], 10.0: [8, 9, 1]}, paired=paired)
    table = table.set_index(["a", "b"])
    for label in (0.1, 1.0):
        assert np.isnan(table.loc[(0.0, label), ["p", "p_holm"]].astype(float)).all()
        assert table.loc[(0.0, label), ["sign", "sign_holm"]].tolist() == ["no variance"] * 2
    assert table.loc[(0.1, 1.0), "p"] == 1 and table.loc[(0.1, 1.0), "sign"] == ""
    tested = table["p"].notna()
    assert tested.sum() == 4  # and Holm's correction counts these alone
    smallest = table.loc[tested, "p"].idxmin()
    assert table.loc[smallest, "p_holm"] == pytest.approx(min(1, 4 * table.loc[smallest, "p"]))


@pytest.mark.parametrize("paired", [False, True])
def test_a_diverged_run_is_left_out_of_its_tests(paired):
    """With it, the test of its lambda had no p, and Holm's correction of the others one test fewer."""
    samples = {0.0: [1.0, 2.0, 4.0, 3.0], 1.0: [9.0, np.nan, 11.0, 10.5], 2.0: [1.5, 2.5, 3.0, 3.5]}
    table = pairwise_tests(samples, paired=paired).set_index(["a", "b"])
    others = [0, 2, 3]
    own = [samples[0.0][k] for k in others] if paired else samples[0.0]
    test = stats.ttest_rel if paired else stats.ttest_ind
    row = table.loc[(0.0, 1.0)]
    assert (row["n_a"], row["n_b"]) == (3 if paired else 4, 3)
    assert row["p"] == pytest.approx(test(own, [9.0, 11.0, 10.5]).pvalue)
    assert row["difference"] == pytest.approx(np.mean(own) - 30.5 / 3) and row["sign"] == row["sign_holm"] == "-"
    assert table.loc[(0.0, 2.0), ["n_a", "n_b"]].tolist() == [4, 4] and table["p_holm"].notna().all()


@pytest.mark.parametrize("paired", [False, True])
def test_a_lambda_whose_runs_all_diverged_is_not_tested(paired):
    (row,) = pairwise_tests({0.0: [1.0, 2.0], 1.0: [np.nan, np.nan]}, paired=paired).to_dict("records")
    assert np.isnan(row["p"]) and np.isnan(row["difference"]) and row["sign"] == row["sign_holm"] == ""


def test_holm_leaves_out_what_is_no_test():
    p = [0.03, np.nan, 0.001, 0.2]
    np.testing.assert_allclose(holm(p), [0.06, np.nan, 0.003, 0.2])
    assert np.isnan(holm([np.nan, np.nan])).all() and len(holm([])) == 0


def test_holm_is_that_of_statsmodels():
    for count in (1, 4, 30):  # few: theirs collects garbage at each call
        p = np.random.default_rng(count).random(count) ** 3
        p[: count // 3] = p[-1]  # ties
        np.testing.assert_array_equal(holm(p), multipletests(p, method="holm")[1])


def test_a_sign_may_go_with_holms_correction():
    samples = {0.0: [0.0, 1, 2, 3, 4], 1.0: [2.5, 3.5, 4.5, 5.5, 6.5], 2.0: [1.2, 2.2, 3.2, 4.2, 5.2]}
    table = pairwise_tests(samples)
    assert table["sign"].tolist() == ["-", "", ""] and table["sign_holm"].tolist() == ["", "", ""]


def test_pairwise_with_single_runs_prints_nothing():
    table = pairwise_tests({0.0: [1.0], 1.0: [2.0]})
    assert table["sign"].tolist() == [""] and table["p"].isna().all()


def test_summarise():
    frame = pd.DataFrame({"w": [1, 1, 2, 1], "x": [1.0, 3.0, 5.0, np.nan]})  # the last has diverged
    table = summarise(frame, ["w"], "x")
    assert table[["w", "n", "mean"]].to_numpy().tolist() == [[1, 2, 2], [2, 1, 5]]
    assert tuple(table.loc[0, ["low", "high"]]) == pytest.approx(t_interval([1.0, 3.0]))


def test_paired_difference_equals_scipy():
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=8), rng.normal(size=8)
    interval = stats.ttest_rel(a, b).confidence_interval()
    assert paired_difference(a, b) == pytest.approx(((a - b).mean(), *interval))
