"""H9 and H10 on made-up runs whose verdicts are known."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from replication.core.runs import make_record
from replication.core.settings import load
from replication.inputs import grid
from replication.inputs.settings import read
from replication.inputs.statistics import claims, pairs

PARAMS = Path(__file__).parents[3] / "params.yaml"
FAMILY = "inputs-mnist"
BOTH, LAMBDAS = [60, 100], [0.0001, 0.01]
ARMS = {
    "unguided": {"widths": BOTH, "lambdas": [0.0]},
    "leading": {"widths": BOTH, "lambdas": LAMBDAS},
    "most-variable": {"widths": BOTH, "lambdas": LAMBDAS, "inputs": "most-variable"},
    "norm": {"widths": BOTH, "lambdas": LAMBDAS, "form": "scale", "inputs": "most-variable"},
    "rate-2": {"widths": BOTH, "lambdas": [0.0], "rate_factor": 2.0},
    "rate-4": {"widths": BOTH, "lambdas": [0.0], "rate_factor": 4.0},
    "weights-2": {"widths": BOTH, "lambdas": [0.0], "weight_factor": 2.0},
    "exact": {"widths": BOTH, "lambdas": [0.01], "form": "exact"},
}


@pytest.fixture(scope="module")
def arms():
    made = {"dataset": "mnist", "batch_size": 512, "max_epochs": 40, "replicates": 10, "arms": ARMS}
    loaded = load("paper", PARAMS)
    return grid.arms(read(dataclasses.replace(loaded, of_scale={**loaded.of_scale, FAMILY: made}), FAMILY))


def falling(epoch):
    return 0.12 / (epoch + 2)


def frame(arms, mse, replicates=range(10)):
    """The table of runs whose MSE after each epoch is `mse(arm, run, epoch)` times the unguided one."""
    records = [
        make_record(
            run, {}, {"validation_mse": [falling(e) * wobble(run) * mse(arm, run, e) for e in range(1, 41)]}, 1, {}
        )
        for arm, runs in arms.items()
        for run in runs
        if run["replicate"] in replicates
    ]
    return pairs.frame(arms, records)


def wobble(run):
    """Of the seed: pairs share it."""
    return 1 + 0.01 * run["replicate"]


def noise(run, epoch, size=1e-3):
    return 1 + size * np.sin(7 * run["replicate"] + epoch)


def as_h9(arm, run, epoch):
    """The paper's block does nothing, the most variable inputs help."""
    if arm == "most-variable":
        return 0.85 * noise(run, epoch)
    return noise(run, epoch) if arm == "leading" else 1.0


def test_a_row_tells_a_run_beside_its_unguided_one(arms):
    table = frame(arms, lambda arm, *_: 0.9 if arm == "rate-4" else 1.0)
    [row] = table.query("arm == 'rate-4' and width == 60 and replicate == 3 and epoch == 20").to_dict("records")
    assert row["value"] == 4.0 and row["lambda"] == 0.0
    assert row["unguided"] == pytest.approx(1.03 * falling(20), rel=1e-8)
    assert row["difference"] == pytest.approx(-10)
    assert row["to_target"] == 18  # 0.9 * 0.12 / (e + 2) <= 0.12 / 22 from e = 17.8 on
    plain = table[table["arm"] == "unguided"]
    assert (plain["to_target"] == 20).all() and (plain["difference"] == 0).all()
    assert set(table["epoch"]) == {10, 20, 40}


def test_a_target_that_is_not_reached_counts_one_epoch_more(arms):
    table = frame(arms, lambda arm, *_: 3.0 if arm == "weights-2" else 1.0)
    assert set(table[table["arm"] == "weights-2"]["to_target"]) == {41}


def test_runs_without_their_unguided_one_are_left_out(arms):
    records = [make_record(run, {}, {"validation_mse": [1.0] * 40}, 1, {}) for run in arms["leading"]]
    assert pairs.frame(arms, records).empty and pairs.frame(arms, []).columns.tolist() == pairs.COLUMNS


def test_the_intervals_are_bonferronis(arms):
    found = claims.cells(frame(arms, as_h9)).set_index(["arm", "width", "lambda", "epoch"])
    row = found.loc["leading", 60, 0.01, 20]
    values = [100 * (noise(run, 20) - 1) for run in arms["leading"] if (run["width"], run["lambda"]) == (60, 0.01)]
    low, high = stats.t.interval(1 - 0.05 / 12, 9, np.mean(values), stats.sem(values))
    assert (row["n"], row["low"], row["high"]) == (10, pytest.approx(low, rel=1e-4), pytest.approx(high, rel=1e-4))


def test_h9_supported(arms):
    verdict, evidence = claims.h9(frame(arms, as_h9))
    assert verdict == "supported"
    assert evidence.count("6 cells of n = 10 pairs") == 2 and "2 cells of n = 10 pairs" in evidence


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        (
            lambda arm, run, e: 1.03 if (arm, run["width"], run["lambda"], e) == ("leading", 100, 0.01, 40) else 1,
            "refuted",
        ),
        (
            lambda arm, run, e: 0.97 if (arm, run["width"], run["lambda"], e) == ("leading", 60, 1e-4, 10) else 1,
            "refuted",
        ),
        (lambda arm, run, e: 1.14 if (arm, run["width"]) == ("most-variable", 60) and e == 10 else 1, "refuted"),
        (lambda arm, run, _: 1.14 if (arm, run["lambda"]) == ("most-variable", 1e-4) else 1, "supported"),
        (lambda arm, _, e: 1.3 if arm == "most-variable" and e == 40 else 1, "supported"),
        # an interval that reaches over the border decides nothing
        (lambda arm, run, e: noise(run, e, 0.02) if (arm, run["width"], e) == ("leading", 60, 40) else 1, "undecided"),
        (lambda arm, run, e: 1.11 * noise(run, e, 0.03) if arm == "most-variable" and e == 10 else 1, "undecided"),
    ],
)
def test_h9_otherwise(arms, changed, verdict):
    found = claims.h9(frame(arms, lambda arm, run, e: as_h9(arm, run, e) * changed(arm, run, e)))
    assert found[0] == verdict


def test_h9_waits_for_all_seeds(arms):
    verdict, evidence = claims.h9(frame(arms, as_h9, range(9)))
    assert verdict == "undecided" and "n = 9 pairs" in evidence
    verdict, evidence = claims.h9(pairs.frame(arms, []))
    assert verdict == "undecided" and "nothing that is known yet" in evidence
    table = frame(arms, as_h9)
    assert claims.h9(table[table["width"] == 60])[0] == "undecided"
    assert "nan" not in claims.h9(frame(arms, as_h9, range(1)))[1]


def speeds(**by_arm):
    """Each arm's MSE over the unguided one, with a little noise."""
    return lambda arm, run, epoch: by_arm.get(arm.replace("-", "_"), 1.0) * noise(run, epoch, 1e-4)


def h10(arms, mse, replicates=range(10)):
    return claims.comparisons(frame(arms, mse, replicates), claims.planned_values(arms))


def test_what_is_planned(arms):
    planned = claims.planned_values(arms)
    assert planned["most-variable"] == 2 and planned["exact"] == 1
    assert (planned["norm penalty"], planned["learning rate"], planned["initial weights"]) == (2, 3, 1)


def test_h10_supported(arms):
    table = h10(arms, speeds(most_variable=0.6, norm=0.8, rate_2=0.9, rate_4=0.85, weights_2=0.95))
    assert len(table) == 12 and set(table["n"]) == {5} and table["complete"].all()
    assert set(table.query("control == 'learning rate'")["value"]) == {4.0}
    assert claims.h10(table)[0] == "supported"


def test_h10_refuted_by_one_control_at_both_widths(arms):
    table = h10(arms, speeds(most_variable=0.8, norm=0.9, rate_4=0.6, weights_2=0.95))
    verdict, evidence = claims.h10(table)
    assert verdict == "refuted" and "neither sooner there nor better in the end" in evidence
    assert claims.h10(table[table["control"] == "learning rate"])[0] == "refuted"
    # at one width alone it decides nothing
    one = h10(arms, lambda arm, run, e: speeds(most_variable=0.8, rate_4=0.6 if run["width"] == 60 else 1)(arm, run, e))
    assert claims.h10(one)[0] == "undecided"


def test_a_trade_decides_nothing_and_is_said(arms):
    def mse(arm, run, epoch):
        return (0.7 if epoch < 30 else 1.5) * noise(run, epoch) if arm == "most-variable" else noise(run, epoch)

    verdict, evidence = claims.h10(h10(arms, mse))
    assert verdict == "undecided" and "sooner there, but no better in the end" in evidence


def test_the_best_is_chosen_on_other_seeds_than_it_is_compared_on(arms):
    """Lambda 0.01 is best on the first five seeds, and bad on the others."""

    def mse(arm, run, epoch):
        if arm == "most-variable" and run["lambda"] == 0.01:
            return (0.5 if run["replicate"] < 5 else 2.0) * noise(run, epoch)
        return noise(run, epoch)

    table = h10(arms, mse)
    assert set(table["lambda"]) == {0.01}
    assert table.query("measure == 'mse'")["guidance"].tolist() == pytest.approx([2 * falling(40) * 1.07] * 6, rel=2e-3)


def test_h10_waits_for_the_guidance_and_supports_nothing_while_controls_are_missing(arms):
    good = speeds(most_variable=0.6)
    assert h10(arms, good, range(9)).empty
    assert claims.h10(pd.DataFrame())[0] == "undecided"
    fewer = {name: runs for name, runs in arms.items() if name != "rate-4"}
    table = claims.comparisons(frame(fewer, good), claims.planned_values(arms))
    assert not table.query("control == 'learning rate'")["complete"].any() and claims.h10(table)[0] == "undecided"
    lambdas = {name: [run for run in runs if run["lambda"] != 0.01] for name, runs in arms.items()}
    assert claims.comparisons(frame(lambdas, good), claims.planned_values(arms)).empty


def test_the_exact_form_has_the_controls_that_are_no_norm(arms):
    table = claims.comparisons(frame(arms, speeds(exact=0.7)), claims.planned_values(arms), pairs.EXACT)
    assert set(table["control"]) == {"learning rate", "initial weights"}


def test_means_tell_both_measures(arms):
    table = claims.means(frame(arms, speeds(rate_4=0.5))).set_index(["width", "arm", "value"])
    assert table.loc[(60, "rate-4", 4.0), "n"] == 10
    assert table.loc[(60, "rate-4", 4.0), "mse"] < table.loc[(60, "unguided", 1.0), "mse"]
    assert table.loc[(60, "unguided", 1.0), "to_target"] == 20
