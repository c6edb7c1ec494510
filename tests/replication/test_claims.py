"""Verdicts on made-up records whose answer is plain."""

import dataclasses
from pathlib import Path

import pytest

from replication import settings as settings_module
from replication.experiments import autoencoder, autoencoder_claims
from replication.runs import make_record

FAMILY = "autoencoder-mnist"
PARAMS = Path(__file__).parents[2] / "params.yaml"


@pytest.fixture(scope="module")
def settings():
    loaded = settings_module.load("paper", PARAMS)
    grid = dataclasses.replace(
        loaded.grids[FAMILY], widths=(80, 140, 260), control_widths=(260,), lambdas=(0.0, 1e-3, 0.1, 10.0), replicates=6
    )
    return dataclasses.replace(loaded, grids={FAMILY: grid})


def records(settings, epochs, mse):
    """A record for each run of the grid; `epochs(run)` and `mse(run, epoch)` say what it measured."""
    made = []
    for run in autoencoder.grid(settings, FAMILY):
        history = [mse(run, epoch) + 1e-6 * run["replicate"] for epoch in range(1, epochs(run) + 1)]
        metrics = {"stopping_epoch": len(history), "stopped_early": 1, "validation_mse": history[-1]}
        made.append(make_record(run, metrics, {"validation_mse": history}, 1, {"device": "x", "torch": "y"}))
    return made


def falling(run, epoch):
    return 0.12 / (epoch + 2) + 0.0002


def test_an_artefact_reproduces_and_does_not_survive(settings):
    """Guided runs follow the unguided ones and only stop earlier, unless the MSE alone is watched."""
    made = records(settings, lambda run: 9 if run["lambda"] >= 0.01 and run["monitor"] == "total" else 45, falling)
    verdicts = autoencoder_claims.verdicts(made, settings, FAMILY)
    assert (verdicts["C4"].verdict, verdicts["C4"].control) == ("reproduced", "does not survive")
    assert (verdicts["C5"].verdict, verdicts["C5"].control) == ("reproduced", "does not survive")


def test_a_real_effect_survives(settings):
    """Guided runs stop early under either rule, at an MSE that the unguided run has not reached by then."""

    def mse(run, epoch):
        return falling(run, epoch) * (0.7 if run["lambda"] >= 0.01 else 1)

    made = records(settings, lambda run: 10 if run["lambda"] >= 0.01 else 45, mse)
    verdicts = autoencoder_claims.verdicts(made, settings, FAMILY)
    assert verdicts["C4"].control == verdicts["C5"].control == "survives"


def test_no_effect_is_not_reproduced(settings):
    made = records(settings, lambda run: 45, falling)
    verdicts = autoencoder_claims.verdicts(made, settings, FAMILY)
    assert verdicts["C4"].verdict == verdicts["C5"].verdict == "not reproduced"


def test_half_the_epochs_is_partly(settings):
    made = records(settings, lambda run: 20 if run["lambda"] >= 0.01 else 45, falling)
    assert autoencoder_claims.verdicts(made, settings, FAMILY)["C4"].verdict == "partly"


def test_few_runs_are_inconclusive_and_none_not_tested(settings):
    made = records(settings, lambda run: 45, falling)
    few = [record for record in made if record["run"]["replicate"] < 3]
    assert autoencoder_claims.verdicts(few, settings, FAMILY)["C4"].verdict == "inconclusive"
    none = autoencoder_claims.verdicts([], settings, FAMILY)
    assert {v.verdict for v in none.values()} == {"not tested"}
    unguided = [record for record in made if record["run"]["lambda"] == 0]
    assert autoencoder_claims.verdicts(unguided, settings, FAMILY)["C4"].verdict == "not tested"


def test_calibration_reads_every_minimum_improvement_from_one_history(settings):
    made = [
        make_record(run, {}, {"validation_mse": [0.01 - 0.0002 * min(e, 40) for e in range(1, 60)]}, 1, {})
        for run in autoencoder.calibration_grid(settings, FAMILY)
    ]
    table = autoencoder.calibration_table(made, (0.0, 0.001)).set_index(["batch_size", "min_delta"])
    assert table.loc[(128, 0.0), "stopping_epoch"] == 47  # the fall ends at 40, patience 7
    assert table.loc[(128, 0.001), "stopping_epoch"] == 46  # improvements of 0.001 every six epochs, the last at 37+
    assert (table["capped"] == 0).all()


def test_baseline_distance():
    assert autoencoder.baseline_distance(0.003, 50) == 0
    assert autoencoder.baseline_distance(0.006, 50) == pytest.approx(autoencoder.baseline_distance(0.003, 20))
