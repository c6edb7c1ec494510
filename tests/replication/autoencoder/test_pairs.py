"""Which runs make a pair, and what is compared in one."""

import pytest
from autoencoder_runs import frame_of, made, small_grid

from replication.autoencoder.statistics import pairs


@pytest.fixture(scope="module")
def settings():
    return small_grid()


def test_pairs_share_their_seed_and_need_both_runs(settings):
    records = made(settings)
    found = pairs.of_variants(records, settings)
    guided = [record for record in records if record["run"]["lambda"] != 0]
    assert {pair.guided["key"] for pair in found} == {record["key"] for record in guided}
    assert all(
        pair.guided["run"][name] == pair.unguided["run"][name]
        for pair in found
        for name in ("width", "replicate", "precision")
    )
    assert {pair.variant for pair in found} == {"published", "base", *settings.variants}
    without = [r for r in records if r["run"]["lambda"] != 0 or r["run"]["replicate"] != 2]
    assert {p.guided["run"]["replicate"] for p in pairs.of_variants(without, settings)} == {0, 1, 3}


def test_baselines_are_in_float64_only_where_there_are_no_others(settings):
    found = pairs.of_variants(made(settings), settings)
    for chosen, precision in ((found, "float32"), ([p for p in found if p.variant == "float64"], "float64")):
        runs = [record["run"] for record in pairs.baselines(chosen, 100)]
        assert [run["precision"] for run in runs] == [precision] * 4 and {run["width"] for run in runs} == {100}


def test_epochs_to_reach():
    assert pairs.epochs_to_reach([0.5, 0.3, 0.4, 0.2], 0.3) == 2
    assert pairs.epochs_to_reach([0.5, 0.3], 0.1) is None


def test_the_last_common_epoch_of_a_guided_run_that_lasts_longer(settings):
    runs = frame_of(settings, made(settings, lambda run: 60 if run["lambda"] else 45))
    assert runs["common_mse"].to_numpy() == pytest.approx(runs["unguided_common_mse"].to_numpy())
    assert (runs["change"] == runs["unguided_change"]).all() and runs["unguided_mse"].isna().all()


def test_an_epoch_without_a_number_is_no_mse_to_reach(settings):
    whole = made(settings)
    torn = [
        r | {"history": r["history"] | {"validation_mse": [float("nan"), *r["history"]["validation_mse"][1:]]}}
        for r in whole
    ]
    assert frame_of(settings, torn)["target"].tolist() == frame_of(settings, whole)["target"].tolist()
