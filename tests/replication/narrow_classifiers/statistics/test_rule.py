"""H16 by its rule, on made-up accuracies; differences and scatter against scipy."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from replication.narrow_classifiers.statistics import rule

NETWORKS = ["resnet50", "vgg16"]
BEST = "best_accuracy"
LARGE, SMALL = 0.025, 0.003  # standard deviations of a seed


def runs(gains=None, *, scatter=LARGE, noise=0.002, seeds=5, base=0.6, networks=NETWORKS):
    """Accuracies: a base, a deviation of each seed, the gain of a lambda, and noise that pairs do not share.

    Args:
        gains: by (network, lambda), or by lambda in both.
        scatter, noise: standard deviations, which the samples of each network have exactly.
        base: by network, or the same in both.
    """
    generator, gains = np.random.default_rng(1), gains or {}

    def deviations(sd):
        drawn = generator.normal(size=seeds)
        return sd * (drawn - drawn.mean()) / (drawn.std(ddof=1) if seeds > 1 else 1)

    rows = []
    for network in networks:
        start = (base[network] if isinstance(base, dict) else base) + deviations(scatter)
        for lambda_ in (0.0, *rule.LAMBDAS):
            moved = gains.get((network, lambda_), gains.get(lambda_, 0.0)) + deviations(noise if lambda_ else 0.0)
            rows += [(network, lambda_, seed, accuracy) for seed, accuracy in enumerate(start + moved)]
    table = pd.DataFrame(rows, columns=["network", "lambda", "replicate", BEST])
    return table.assign(last_accuracy=table[BEST] - 0.01)


def word(*args, **options):
    return rule.h16(runs(*args, **options), NETWORKS, BEST).word


@pytest.mark.parametrize(
    ("gains", "options", "expected"),
    [
        ({}, {}, "supported"),
        ({0.001: -0.1, 1.0: -0.1}, {}, "supported"),  # harm is no gain
        ({1.0: 0.03}, {}, "refuted"),  # the mean rises as published
        ({0.001: 0.03}, {}, "refuted"),
        ({("vgg16", 1.0): 0.05}, {}, "refuted"),  # a mean over networks
        ({1.0: 0.03}, {"noise": 0.06}, "undecided"),  # so it seems, but it may be noise
        ({1.0: 0.03}, {"noise": 0.038}, "undecided"),  # above zero, were it the only lambda
        ({1.0: 0.019}, {"noise": 0.02}, "undecided"),
        ({0.001: -0.005, 1.0: -0.005}, {"noise": 0.05}, "undecided"),
        ({}, {"scatter": SMALL}, "refuted"),  # no seed does it
        ({}, {"scatter": 0.0}, "refuted"),
        ({}, {"scatter": 0.006}, "refuted"),
        ({}, {"scatter": 0.0095}, "undecided"),
        ({}, {"seeds": 4}, "undecided"),
        ({}, {"networks": NETWORKS[:1]}, "undecided"),
        ({}, {"base": {"resnet50": 0.6, "vgg16": 0.29}}, "undecided"),  # one has not learned
        ({}, {"seeds": 1}, "undecided"),
    ],
)
def test_h16_by_its_rule(gains, options, expected):
    assert word(gains, **options) == expected


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"networks": NETWORKS[:1]}, "so far supported, 15 of 30 runs"),
        ({"seeds": 2}, "so far supported, 12 of 30 runs"),
        ({"seeds": 4, "scatter": SMALL}, "so far refuted, 24 of 30 runs"),
        ({"seeds": 1}, "6 of 30 runs, no network that has learned has two seeds"),
        ({"base": {"resnet50": 0.6, "vgg16": 0.29}}, "vgg16 has not learned, 0.290 at lambda 0"),
    ],
)
def test_half_a_grid_says_what_it_gives_so_far(options, said):
    found = rule.h16(runs(**options), NETWORKS, BEST)
    assert found.word == "undecided" and said in found.evidence


def test_all_runs_have_no_so_far():
    assert "so far" not in rule.h16(runs(), NETWORKS, BEST).evidence


def test_a_seed_that_lacks_a_lambda_is_left_out_of_the_verdict_and_counted_as_runs():
    table = runs()
    lacking = table[~((table["replicate"] == 4) & (table["lambda"] == 1.0) & (table["network"] == "vgg16"))]
    found = rule.h16(lacking, NETWORKS, BEST)
    assert found.word == "undecided" and "29 of 30 runs" in found.evidence and "n = 9 pairs" in found.evidence


def test_the_larger_difference_is_the_measure():
    ours = rule.h16(runs({0.001: 0.012, 1.0: -0.05}), NETWORKS, BEST).ours
    assert ours.value == pytest.approx(0.012, abs=0.003) and ours.n == 10 and ours.low < ours.value < ours.high


def test_differences_are_paired_and_corrected():
    table = runs({"vgg16": 0, 1.0: 0.01})
    found = rule.differences(table, NETWORKS).set_index(["accuracy", "network", "lambda"])
    wide = table.pivot(index=["network", "replicate"], columns="lambda", values=BEST)
    gains = wide[1.0] - wide[0.0]
    for network in NETWORKS:
        row, own = found.loc[("best", network, 1.0)], gains.loc[network]
        assert row["difference"] == pytest.approx(own.mean()) and row["n"] == 5
        for level, low, high in ((0.95, "low", "high"), (1 - 0.05 / 4, "low_corrected", "high_corrected")):
            assert (row[low], row[high]) == pytest.approx(stats.t.interval(level, 4, own.mean(), stats.sem(own)))
    row = found.loc[("best", "both", 1.0)]
    error = np.sqrt(sum(gains.loc[network].var(ddof=1) for network in NETWORKS) / 2 * (2 / 5)) / 2
    for level, low, high in ((0.95, "low", "high"), (0.975, "low_corrected", "high_corrected")):
        assert (row[low], row[high]) == pytest.approx(stats.t.interval(level, 8, gains.mean(), error))
    assert len(found) == 2 * 2 * 3  # both outcomes
    alone = rule.differences(table[table["network"] == "vgg16"], NETWORKS).set_index(["accuracy", "network", "lambda"])
    assert alone.loc[("best", "vgg16", 1.0), "high_corrected"] == pytest.approx(
        found.loc[("best", "vgg16", 1.0), "high_corrected"]
    )
    assert "both" not in alone.index.get_level_values("network")


def test_the_scatter_is_pooled_and_has_the_chi_square_interval():
    table = runs(scatter=0.02)
    found = rule.scatter(table).set_index(["accuracy", "network"])
    for network, df in (("vgg16", 4), ("both", 8)):
        row = found.loc[("best", network)]
        limits = [0.02 * np.sqrt(df / stats.chi2.ppf(q, df)) for q in (0.975, 0.025)]
        assert row["sd"] == pytest.approx(0.02) and (row["low"], row["high"]) == pytest.approx(limits)
        assert row["best"] == pytest.approx(1.2672 * 0.02, rel=1e-4)
    drawn = np.random.default_rng(2).normal(0, 0.02, (100_000, 7))
    assert (drawn[:, 1:].max(axis=1) - drawn[:, 0]).mean() == pytest.approx(
        found.loc[("best", "both"), "best"], rel=0.01
    )


def test_the_parts_exclude_each_other():
    """No spread holds and fails at once, whatever its size."""
    answers = {rule.scatter_part(rule.pooled_spread([[0, x]] * df)) for df in (4, 8) for x in np.linspace(0, 0.1, 300)}
    assert answers == {"holds", "fails", "open"}
    for df in (4, 8):
        sizes = [rule.scatter_part(rule.pooled_spread([[0, x]] * df)) for x in np.linspace(0, 0.1, 300)]
        assert sizes == sorted(sizes, key=["fails", "open", "holds"].index)


def test_a_mean_that_moves_is_named_either_way():
    found = rule.differences(runs({("vgg16", 1.0): -0.03}), NETWORKS)
    assert rule.moved(found).startswith("guidance moves the mean of vgg16 at lambda 1 (-0.0")
    assert rule.moved(rule.differences(runs(), NETWORKS)) == "guidance moves no network's own mean"
