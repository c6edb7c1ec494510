"""Verdicts on made-up records whose answer is plain."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from autoencoder_runs import without_own_baselines
from msgspec.structs import replace

from replication.autoencoder import grid
from replication.autoencoder.settings import read
from replication.autoencoder.statistics import calibration, claims
from replication.core.runs import make_record, read_table
from replication.core.settings import load
from replication.statistics.t_tests import mean_over_groups

FAMILY, CIFAR = "autoencoder-mnist", "autoencoder-cifar10"
PARAMS = Path(__file__).parents[3] / "params.yaml"


def small(family):
    """Settings of a family with fewer widths, lambda and replicates."""
    whole = read(load("paper", PARAMS), family)
    fewer = replace(
        whole.grid, widths=(80, 140, 200, 260), variant_widths=(260,), lambdas=(0.0, 1e-3, 0.1, 10.0), replicates=6
    )
    return replace(whole, grid=fewer, variants=without_own_baselines(whole))


@pytest.fixture(scope="module")
def settings():
    return small(FAMILY)


@pytest.fixture(scope="module")
def cifar():
    return small(CIFAR)


def records(settings, epochs, mse):
    """A record for each run of the grid; `epochs(run)` and `mse(run, epoch)` say what it measured."""
    made = []
    for run in grid.grid(settings):
        history = [mse(run, epoch) + 1e-6 * run["replicate"] for epoch in range(1, epochs(run) + 1)]
        metrics = {"stopping_epoch": len(history), "stopped_early": 1, "validation_mse": history[-1]}
        histories = {"validation_mse": history, "entropy_change": [0.0] * len(history)}
        made.append(make_record(run, metrics, histories, 1, {"device": "x", "torch": "y"}))
    return made


def always_45(_):
    return 45


def large(run):
    return run["lambda"] >= 0.01


def early_when_large(run):
    return 9 if large(run) else 45


def artefact(run):
    """Guided runs stop early, unless the MSE alone is watched."""
    return 9 if large(run) and run["monitor"] == "total" else 45


def falling(_, epoch):
    return 0.12 / (epoch + 2) + 0.0002


def better_when_guided(run, epoch):
    return falling(run, epoch) * (0.7 if large(run) else 1)


def test_an_artefact_reproduces_and_does_not_survive(settings):
    """Guided runs follow the unguided ones and only stop earlier, unless the MSE alone is watched."""
    made = records(settings, artefact, falling)
    verdicts = claims.verdicts(made, settings)
    assert (verdicts["C4"].verdict, verdicts["C4"].control) == ("reproduced", "does not survive")
    assert (verdicts["C5"].verdict, verdicts["C5"].control) == ("reproduced", "does not survive")


def test_beside_published_weighs_widths_alike(settings):
    """Each row over the widths that have all its lambda; the spread between widths is no part of the interval."""
    made = records(settings, always_45, lambda run, epoch: falling(run, epoch) + run["width"] * 1e-5)
    lacking = [r for r in made if (r["run"]["width"], r["run"]["lambda"]) != (260, 1e-3)]
    fewer = [r for r in lacking if r["run"]["width"] != 140 or r["run"]["replicate"] < 2]
    runs = grid.frame([r for r in fewer if r["run"]["monitor"] != "base" or r["run"]["lambda"] == 0])
    words = [
        {"what": group, "published": "", "value": "validation_mse", "group": group} for group in ("small", "large")
    ]
    small, large = claims.beside_published(runs, words).itertuples(index=False)
    assert (small.widths, large.widths) == ("140, 200", "140, 200, 260") and (small.n, large.n) == (8, 14)
    spread = [[1e-6 * k for k in range(n)] for n in (2, 6)]
    mean, low, high = mean_over_groups(
        [np.add(falling(None, 45) + w * 1e-5, s) for w, s in zip((140, 200), spread, strict=True)]
    )
    assert small.ours == f"{mean:.4g}" and small[3] == f"{low:.4g} to {high:.4g}"


def test_a_seed_with_some_of_a_rows_lambda_does_not_count(settings):
    """Its mean would be of other lambda, yet weigh as a whole one: a lambda that is better would make it better."""
    made = records(settings, always_45, lambda run, epoch: falling(run, epoch) + run["lambda"] * 1e-3)
    large = [r for r in made if r["run"]["lambda"] >= 0.01 and r["run"]["monitor"] == "total"]
    lacking = [r for r in large if (r["run"]["lambda"], r["run"]["replicate"]) != (10.0, 3)]
    words = [{"what": "", "published": "", "value": "validation_mse", "group": "large"}]

    def row(found):
        return next(claims.beside_published(grid.frame(found), words).itertuples(index=False))

    assert (row(large).n, row(lacking).n) == (18, 15)
    assert row(lacking).ours == row([r for r in large if r["run"]["replicate"] != 3]).ours
    scattered = [r for r in large if (r["run"]["replicate"] % 2 == 0) == (r["run"]["lambda"] == 10.0)]
    assert (row(scattered).ours, row(scattered).n, row(scattered).widths) == ("not run", 0, "")


def test_c6_asks_the_same_of_cifar10(cifar):
    """An artefact reproduces and does not survive; a real effect survives; 13 epochs or too many pairs are partly."""

    def verdict(epochs, mse=falling):
        return claims.verdicts(records(cifar, epochs, mse), cifar)["C6"]

    assert (verdict(artefact).verdict, verdict(artefact).control) == ("reproduced", "does not survive")
    early = verdict(lambda run: 10 if large(run) else 45, better_when_guided)
    assert (early.verdict, early.control) == ("reproduced", "survives")
    assert verdict(lambda run: 13 if large(run) else 45).verdict == "partly"
    assert verdict(always_45).verdict == "not reproduced"
    assert claims.verdicts([], cifar)["C6"].verdict == "not tested"


def test_runs_of_other_protocols_do_not_count(settings):
    made = records(settings, artefact, falling)
    other = [grid.make_run(settings, 260, 0.1, replicate, precision="float64") for replicate in range(6)]
    extra = [make_record(run, made[0]["metrics"], made[0]["history"], 1, {}) for run in other]
    assert claims.verdicts(made + extra, settings) == claims.verdicts(made, settings)


def test_a_real_effect_survives(settings):
    """Guided runs stop early under either rule, at an MSE that the unguided run has not reached by then."""
    made = records(settings, lambda run: 10 if large(run) else 45, better_when_guided)
    verdicts = claims.verdicts(made, settings)
    assert verdicts["C4"].control == verdicts["C5"].control == "survives"


def test_groups_are_told_without_the_runs_that_diverged():
    values = {0.0: [1.0, 1.1, 0.9, 1.05], 0.001: [1.02, 0.98, 1.1, 0.95], 1.0: [9.0, 9.1, 8.9, math.nan]}
    runs = [
        {"width": 80, "lambda": lambda_, "replicate": replicate, "validation_mse": value}
        for lambda_, sample in values.items()
        for replicate, value in enumerate(sample)
    ]
    found, said = claims._groups(pd.DataFrame(runs), 80)
    assert found and said.endswith("; 1 runs that diverged are left out")


def test_groups_without_variance_are_not_told_apart():
    runs = [
        {"width": 80, "lambda": lambda_, "replicate": k, "validation_mse": 0.01 if lambda_ >= 0.01 else 0.003}
        for lambda_ in (0.0, 1e-3, 0.1, 10.0)
        for k in range(5)
    ]
    found, said = claims._groups(pd.DataFrame(runs), 80)
    assert not found and said.endswith("no (tested by seed: no)")


def test_no_effect_is_not_reproduced(settings):
    made = records(settings, always_45, falling)
    verdicts = claims.verdicts(made, settings)
    assert verdicts["C4"].verdict == verdicts["C5"].verdict == "not reproduced"


def test_half_the_epochs_is_partly(settings):
    made = records(settings, lambda run: 20 if large(run) else 45, falling)
    assert claims.verdicts(made, settings)["C4"].verdict == "partly"


@pytest.mark.parametrize(
    ("epochs", "verdict"),
    [
        (lambda run: 9 if large(run) else 39 if run["width"] == 140 else 45, "partly"),  # 40 or more but at one width
        (lambda run: 13 if large(run) else 45, "partly"),
        (lambda run: (30 if run["width"] == 140 else 20) if large(run) else 45, "not reproduced"),
        (lambda run: 40 if run["lambda"] == 0.1 else 9 if large(run) else 45, "not reproduced"),
    ],
)
def test_c4_must_hold_at_every_width_and_lambda(settings, epochs, verdict):
    assert claims.verdicts(records(settings, epochs, falling), settings)["C4"].verdict == verdict


def third_group(factor):
    """One of the small lambda ends with so many times the MSE of the others."""
    return lambda run, epoch: falling(run, epoch) * (factor if run["lambda"] == 1e-3 else 1)


@pytest.mark.parametrize(
    ("epochs", "mse", "verdict"),
    [
        (lambda run: 4 if large(run) else 45, falling, "partly"),  # 0.02 with a large lambda
        (lambda run: 9 if large(run) else 20, falling, "partly"),  # 0.0057 with a small one
        (early_when_large, third_group(1.1), "partly"),
        (early_when_large, third_group(1.001), "reproduced"),  # p = 0.03, but 0.05 after Holm
        (
            early_when_large,
            lambda run, epoch: falling(run, epoch) * (0.2 if large(run) and run["width"] == 140 else 1),
            "not reproduced",
        ),
    ],
)
def test_each_part_of_c5(settings, epochs, mse, verdict):
    assert claims.verdicts(records(settings, epochs, mse), settings)["C5"].verdict == verdict


def test_the_control_of_c5_asks_for_one_percent(settings):
    made = records(settings, early_when_large, lambda run, epoch: falling(run, epoch) * (1.005 if large(run) else 1))
    assert claims.verdicts(made, settings)["C5"].control == "does not survive"


def test_c6_must_more_than_halve_and_survive_both_controls(cifar):
    def c6(epochs, mse=falling):
        return claims.verdicts(records(cifar, epochs, mse), cifar)["C6"]

    assert c6(lambda run: 22 if large(run) else 44).verdict == "not reproduced"
    of_c5_alone = c6(artefact, better_when_guided)
    assert of_c5_alone.control == "does not survive"


def test_the_tested_width_has_unguided_runs_too(settings):
    runs = pd.DataFrame({"width": [30, 50, 50], "lambda": [0.1, 0.1, 0.0]})
    assert claims.tested_width(runs, settings) == 50


def test_no_guidance_is_among_the_small_lambda(settings):
    made = records(settings, always_45, lambda run, _: 0.002 if run["lambda"] == 0 else 0.003)
    runs = grid.frame([r for r in made if r["run"]["monitor"] != "base" or r["run"]["lambda"] == 0])
    groups = ("zero", "small", "large")
    words = [{"what": name, "published": "", "value": "validation_mse", "group": name} for name in groups]
    found = claims.beside_published(runs, words)
    assert [round(float(value), 4) for value in found["ours"]] == [0.002, 0.0025, 0.003]


def test_few_runs_are_inconclusive_and_none_not_tested(settings):
    made = records(settings, always_45, falling)
    few = [record for record in made if record["run"]["replicate"] < 3]
    assert claims.verdicts(few, settings)["C4"].verdict == "inconclusive"
    none = claims.verdicts([], settings)
    assert {v.verdict for v in none.values()} == {"not tested"}
    unguided = [record for record in made if record["run"]["lambda"] == 0]
    assert claims.verdicts(unguided, settings)["C4"].verdict == "not tested"


def test_calibration_reads_every_minimum_improvement_from_one_history(settings):
    # Falls in steps of 1/512 for 32 epochs, then stays: all numbers are exact in binary.
    history = [1 - min(epoch, 32) / 512 for epoch in range(1, 60)]
    made = [make_record(run, {}, {"validation_mse": history}, 1, {}) for run in grid.calibration_grid(settings)]
    table = calibration.calibration_table(made, (0.0, 3 / 512, 0.5)).set_index(["batch_size", "min_delta"])
    assert table.loc[(128, 0.0), "stopping_epoch"] == 32 + 7
    # more than 3/512 below the best: at epochs 1, 5, 9, ..., 29
    assert table.loc[(128, 3 / 512), "stopping_epoch"] == 29 + 7
    assert table.loc[(128, 0.5), "stopping_epoch"] == 1 + 7
    assert table.loc[(128, 0.5), "validation_mse"] == pytest.approx(1 - 8 / 512)
    assert (table["capped"] == 0).all()


def test_a_setting_that_never_stopped_cannot_be_chosen(settings):
    runs = grid.calibration_grid(settings)
    made = [make_record(run, {}, {"validation_mse": [0.003] * 64}, 1, {}) for run in runs if run["batch_size"] == 64]
    near = [0.003 * 64 / epoch for epoch in range(1, 65)]
    made += [make_record(run, {}, {"validation_mse": near}, 1, {}) for run in runs if run["batch_size"] == 128]
    table = calibration.calibration_table(made, (0.0,))
    assert table["capped"].tolist() == [0, 2] and table["distance"][0] > table["distance"][1]


def test_the_defaults_are_what_the_calibration_chose():
    chosen = read(load("paper", PARAMS), FAMILY)
    records_ = read_table(PARAMS.parent / "data/runs/paper/autoencoder-mnist-calibration.jsonl")
    best = calibration.calibration_table(records_, chosen.calibration.min_deltas).iloc[0]
    assert (chosen.grid.batch_size, chosen.training.min_delta) == (
        best["batch_size"],
        best["min_delta"],
    )


def test_baseline_distance():
    assert calibration.baseline_distance(0.003, 50) == 0
    assert calibration.baseline_distance(0.006, 50) == pytest.approx(calibration.baseline_distance(0.003, 20))


def test_only_cells_that_a_rule_compares_can_be_too_small(settings):
    """C4 and its control compare large lambda with none; C5 also rests on the tested width."""
    made = records(settings, artefact, falling)
    few = [r for r in made if not (r["run"]["lambda"] == 1e-3 and r["run"]["replicate"] > 0)]
    verdicts = claims.verdicts(few, settings)
    assert (verdicts["C4"].verdict, verdicts["C4"].control) == ("reproduced", "does not survive")
    assert verdicts["C5"].verdict == "inconclusive"
    at_80 = [r for r in made if not (r["run"]["width"] == 80 and r["run"]["replicate"] > 3)]
    verdicts = claims.verdicts(at_80, settings)
    assert (verdicts["C4"].verdict, verdicts["C5"].verdict) == ("reproduced", "inconclusive")


def test_a_width_that_lacks_a_lambda_does_not_count(settings):
    made = records(settings, artefact, falling)

    def verdicts(keep):
        return claims.verdicts([r for r in made if keep(r["run"])], settings)

    two_of_three = verdicts(lambda run: run["width"] != 140 or run["lambda"] != 0.1)
    assert two_of_three["C4"].verdict == two_of_three["C5"].verdict == "reproduced"
    one_of_three = verdicts(lambda run: run["width"] not in (140, 200) or run["lambda"] != 0.1)
    for claim in ("C4", "C5"):
        found = one_of_three[claim]
        assert (found.verdict, found.so_far) == ("inconclusive", "reproduced, 1 of 3 widths")
    assert "widths that count: 200, 260 of 140, 200, 260; width 200" in two_of_three["C4"].evidence
    largest_alone = verdicts(lambda run: run["width"] <= 100 or run["lambda"] in (0.0, 10.0))
    assert largest_alone["C4"].verdict == largest_alone["C5"].verdict == "inconclusive"
    small_alone = verdicts(lambda run: run["width"] != 80 or run["lambda"] < 0.01)
    assert small_alone["C5"].verdict == "inconclusive"  # one group at the tested width is not two


def test_the_guided_runs_of_a_seed_are_one_number(settings):
    """Differences that only the seeds share: with as many runs as lambda counted apart, they would look certain."""
    noise = {0: 6e-4, 1: -2e-4, 2: 8e-4, 3: -4e-4, 4: 6e-4, 5: -2e-4}

    def mse(run, epoch):
        return falling(run, epoch) + (noise[run["replicate"]] if large(run) else 0)

    made = records(settings, lambda run: 9 if large(run) else 45, mse)
    control = claims.verdicts(made, settings)["C5"]
    assert control.control == "does not survive" and "n = 18 seeds with 36 guided runs" in control.control_evidence


def test_a_seed_with_some_of_the_differences_is_no_number_of_the_control(settings):
    """One run of each width outlives its baseline; the other of its seed has half the MSE, and does not count."""

    def epochs(run):
        return 50 if run["lambda"] == 10.0 and run["replicate"] == 0 else 9 if large(run) else 45

    def mse(run, epoch):
        return falling(run, epoch) * (0.5 if run["replicate"] == 0 and large(run) else 1)

    control = claims.verdicts(records(settings, epochs, mse), settings)["C5"]
    assert "seed: 0 (95 % interval 0 to 0)" in control.control_evidence
    assert "n = 15 seeds with 30 guided runs; 6 guided runs are left out" in control.control_evidence


@pytest.mark.parametrize(
    ("unguided", "guided", "verdict"),
    [(41, 12, "reproduced"), (40, 12, "partly"), (41, 13, "partly"), (44, 22, "partly"), (44, 23, "not reproduced")],
)
def test_the_borders_of_c4(settings, unguided, guided, verdict):
    made = records(settings, lambda run: guided if large(run) else unguided, falling)
    assert claims.verdicts(made, settings)["C4"].verdict == verdict


@pytest.mark.parametrize(("unguided", "verdict"), [(27, "reproduced"), (23, "partly")])  # MSE 0.0043 and 0.0050
def test_the_small_lambdas_border_in_c5(settings, unguided, verdict):
    made = records(settings, lambda run: 9 if large(run) else unguided, falling)
    assert claims.verdicts(made, settings)["C5"].verdict == verdict
