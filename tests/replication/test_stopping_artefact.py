"""Pairs, predictions and verdicts on made-up records whose answer is plain, and on real small trainings."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from replication import datasets, paths
from replication import settings as settings_module
from replication.datasets import digits, photographs, shapes
from replication.experiments import autoencoder, stopping_artefact, stopping_claims
from replication.report import stopping_artefact as report
from replication.runs import Run, make_record, of_grid, read_table, write_table
from replication.training import replicas

FAMILY = "autoencoder-mnist"
PARAMS = Path(__file__).parents[2] / "params.yaml"


@pytest.fixture(scope="module")
def settings():
    loaded = settings_module.load("paper", PARAMS)
    grid = dataclasses.replace(
        loaded.autoencoder_grids[FAMILY],
        widths=(100, 260),
        control_widths=(100, 260),
        unstopped_widths=(260,),
        variant_widths=(100, 260),
        lambdas=(0.0, 1e-4, 0.001, 0.01, 1.0),
        replicates=4,
        variant_replicates=4,
    )
    return dataclasses.replace(loaded, autoencoder_grids={FAMILY: grid})


@pytest.fixture(scope="module")
def plan(settings):
    return stopping_artefact.plan(settings, FAMILY)


def falling(epoch):
    return 0.12 / (epoch + 2) + 0.0002


def made(settings, epochs=lambda _: 45, speed=lambda _: 1.0):
    """A record for each run: its MSE falls `speed(run)` times as fast as unguided, for `epochs(run)` epochs."""
    records = []
    for run in autoencoder.grid(settings, FAMILY):
        wobble = 1 + 1e-3 * run["replicate"]
        history = {
            "validation_mse": [falling(speed(run) * wobble * epoch) for epoch in range(1, epochs(run) + 1)],
            "entropy_change": [-100.0 + speed(run) * epoch for epoch in range(1, epochs(run) + 1)],
        }
        metrics = {"stopping_epoch": epochs(run), "stopped_early": 1, "initial_entropy_change": -100.0}
        records.append(make_record(run, metrics, history, 1, {}))
    return records


def frame_of(settings, records):
    return stopping_artefact.pair_frame(stopping_artefact.pairs(records, settings, FAMILY))


def artefact(run):
    """Epochs by the mechanism of H1: what a float32 sum with the constant would do to the unguided history.

    Keras's running mean is a float32 sum too, of all images.
    """
    if run["form"] != "reciprocal" or run["monitor"] == "base" or run["precision"] == "float64":
        return 45
    constant = torch.tensor(run["lambda"], dtype=torch.float32) / torch.tensor(run["epsilon"], dtype=torch.float32)
    best, waited = float("inf"), 0
    for epoch in range(1, 46):
        loss = torch.tensor(falling((1 + 1e-3 * run["replicate"]) * epoch), dtype=torch.float32) + constant
        value = (by_batches(loss, run["batch_size"]) if run["monitor"] == "keras" else loss).item()
        best, waited = (value, 0) if value < best - run["min_delta"] else (best, waited + 1)
        if waited == run["patience"]:
            return epoch
    return 45


def by_batches(loss, batch_size):
    """The mean over 10,000 images with equal losses, summed up in float32 as keras.metrics.Mean does."""
    total = torch.zeros((), dtype=torch.float32)
    for images in torch.ones(10_000).split(batch_size):
        total = total + loss * len(images)
    return total / 10_000


def test_pairs_share_their_seed_and_need_both_runs(settings):
    records = made(settings)
    found = stopping_artefact.pairs(records, settings, FAMILY)
    guided = [record for record in records if record["run"]["lambda"] != 0]
    assert {pair.guided["key"] for pair in found} == {record["key"] for record in guided}
    assert all(
        pair.guided["run"][name] == pair.unguided["run"][name] for pair in found for name in ("width", "replicate")
    )
    assert {pair.variant for pair in found} == {"published", "base", *settings.variants}
    without = [r for r in records if r["run"]["lambda"] != 0 or r["run"]["replicate"] != 2]
    assert {p.guided["run"]["replicate"] for p in stopping_artefact.pairs(without, settings, FAMILY)} == {0, 1, 3}


@pytest.mark.parametrize("lambda_", [1e-6, 1e-3, 10.0])
def test_replay_tells_the_epoch_of_a_real_guided_training(make_run, images, lambda_):
    """Trained, not made up: a 144-unit model whose determinant is far below epsilon."""
    large = dataclasses.replace(
        images,
        train_images=images.train_images.repeat(1, 1, 3, 3),
        validation_images=images.validation_images.repeat(1, 1, 3, 3),
    )
    changes = {"precision": "float32", "max_epochs": 40, "learning_rate": 1e-3, "width": 144, "epsilon": 1e-7}
    runs = [make_run(**changes), make_run(lambda_=lambda_, **changes)]
    records = {r["key"]: r for e in replicas.train(runs, large, torch.device("cpu")) for r in e.finished}
    unguided, guided = records[runs[0].key], records[runs[1].key]
    predicted = stopping_artefact.replayed_epoch(unguided, lambda_, 1e-7)
    assert guided["metrics"]["stopping_epoch"] == predicted
    if lambda_ == 10.0:
        assert predicted == 4 < unguided["metrics"]["stopping_epoch"]


def test_replays_are_compared_at_every_width():
    runs = pd.DataFrame(
        {
            "width": [20, 20, 60, 60, 60],
            "lambda": [1.0, 1.0, 0.001, 0.01, 10.0],
            "epoch": [200, 13, 30, 10, 8],
            "replayed_epoch": [13, 13, 27, 11, 8],
        }
    )
    found = stopping_artefact.replays(runs).set_index(["width", "lambda"])
    assert found.loc[(20, "0.01 and more")].tolist() == [2, 106.5, 13, 0.5, 0.5, 187]
    assert found.loc[(60, "0.01 and more")].tolist() == [2, 9, 9.5, 0.5, 1, 1]
    assert found.loc[(60, "below 0.01")].tolist() == [1, 30, 27, 0, 0, 3]
    assert stopping_artefact.replays(runs.assign(replayed_epoch=np.nan)).empty  # a variant that watches the MSE alone


def test_earlier_targets(settings):
    """Guided runs of the exact form are twice as fast, so that they need half the epochs to any target."""
    records = made(settings, speed=lambda run: 2.0 if run["form"] == "exact" else 1.0)
    table = stopping_artefact.time_to_early_quality(stopping_artefact.pairs(records, settings, FAMILY))
    assert sorted(set(table["share"])) == [0.1, 0.2, 1 / 3, 0.5] and set(table["width"]) == {100, 260}
    for row in table.to_dict("records"):
        assert row["unguided_epochs"] == np.ceil(45 * row["share"]) and row["reached"] == row["n"] == 4
        assert row["epochs"] == np.ceil(row["unguided_epochs"] / 2) and row["high"] < 0
    assert stopping_artefact.time_to_early_quality([]).empty


def test_keras_mean_rounds_as_its_sum_does():
    """An independent float32 sum, batch by batch; at a constant of 1e5 neighbours lie 64 / 10,000 apart, and more."""

    def watched(batch):
        return stopping_artefact.keras_mean({"dataset": "mnist", "batch_size": batch})

    mse = np.array([0.05, 0.049, 0.04, 0.01])
    for batch in (32, 512):
        for constant in (0.0, 1e3, 1e5):
            losses = torch.tensor(mse, dtype=torch.float32) + torch.tensor(constant, dtype=torch.float32)
            expected = [by_batches(loss, batch).item() for loss in losses]
            found = watched(batch)(mse, np.float32(constant))
            assert found.dtype == np.float32 and found.tolist() == expected
    plain = stopping_artefact.plain_sum(mse, np.float32(1e5))
    exact = watched(512)(mse, np.float32(0.0))
    assert exact == pytest.approx(mse, rel=1e-6) and len(set(plain.tolist())) > 2
    assert abs(found.astype(float) - 1e5 - mse).max() > abs(plain.astype(float) - 1e5 - mse).max()


def test_replays_by_either_rounding(settings):
    unguided = of_grid(made(settings), [r for r in autoencoder.published(settings, FAMILY) if r["lambda"] == 0])
    table = stopping_artefact.by_rounding(unguided, [0.0, 0.01], 1e-7)
    assert table["n"].unique().tolist() == [4] and table["width"].unique().tolist() == [100, 260]
    for row in table.to_dict("records"):
        here = [r for r in unguided if r["run"]["width"] == row["width"]]
        plain = [stopping_artefact.replayed_epoch(r, row["lambda"], 1e-7) for r in here]
        keras = [
            stopping_artefact.replayed_epoch(r, row["lambda"], 1e-7, stopping_artefact.keras_mean(r["run"]))
            for r in here
        ]
        assert (row["plain_sum"], row["keras_mean"]) == (np.mean(plain), np.mean(keras))
        ends = [r["history"]["validation_mse"][epoch - 1] for r, epoch in zip(here, keras, strict=True)]
        assert row["keras_mse"] == pytest.approx(np.mean(ends)) and row["unguided_epoch"] == 45
        assert row["keras_mean"] < row["plain_sum"] < 45 if row["lambda"] else row["keras_mean"] == row["plain_sum"]


def test_other_minimum_improvements_by_hand(settings):
    """A watched MSE that falls by 0.1 %, of 0.5: less than 0.001 an epoch, more than 0."""
    run = autoencoder.make_run(settings, FAMILY, 100, 0.0, 0, min_delta=0.0)
    history = {"validation_mse": [0.5 - 0.0005 * epoch for epoch in range(20)], "entropy_change": [0.0] * 20}
    record = make_record(run, {}, history, 1.0, {})
    table = stopping_artefact.other_protocols([record], [0.0, 1e-3], [0.0, 1.0], 1e-7).set_index(
        ["min_delta", "lambda"]
    )
    assert table.loc[(0.0, 0.0), ["stopping_epoch", "capped"]].tolist() == [20, 1]
    assert table.loc[(1e-3, 0.0), "stopping_epoch"] == 20  # 0.0005 x 3 is an improvement again and again
    assert table.loc[(0.0, 1.0), "stopping_epoch"] == table.loc[(1e-3, 1.0), "stopping_epoch"] == 8
    assert table.loc[(0.0, 1.0), "mse"] == history["validation_mse"][7] and (table["n"] == 1).all()


def test_any_epsilon_is_told_from_unguided_runs(settings):
    unguided = [r for r in made(settings) if r["run"]["lambda"] == 0 and r["run"]["patience"] == 7]
    table = stopping_artefact.replayed_grid(unguided, [0.0, 0.01, 1.0], [1e-7, 1e-5]).set_index(["epsilon", "lambda"])
    by_hand = {}
    for width in (100, 260):
        here = [r for r in unguided if r["run"]["width"] == width]
        epochs = [stopping_artefact.replayed_epoch(r, 1.0, 1e-5) for r in here]
        mse = [r["history"]["validation_mse"][epoch - 1] for r, epoch in zip(here, epochs, strict=True)]
        by_hand[width] = np.mean(epochs), np.mean(mse)
    assert table.loc[(1e-5, 1.0), ["stopping_epoch", "mse"]].tolist() == pytest.approx(
        np.mean(list(by_hand.values()), 0)
    )
    # lambda / epsilon decides, but for its rounding
    assert table.loc[(1e-7, 0.01)].tolist() == pytest.approx(table.loc[(1e-5, 1.0)].tolist(), rel=0.05)
    assert table.loc[(1e-7, 0.0)].equals(table.loc[(1e-5, 0.0)]) and (table["n"] == len(unguided)).all()


def test_epochs_to_reach():
    assert stopping_artefact.epochs_to_reach([0.5, 0.3, 0.4, 0.2], 0.3) == 2
    assert stopping_artefact.epochs_to_reach([0.5, 0.3], 0.1) is None


@pytest.mark.parametrize("improvement", [2.0**-12, 3e-4])
def test_the_rounding_threshold_is_where_floats_lie_that_far_apart(improvement):
    spacing = np.spacing(np.float32(stopping_artefact.rounding_threshold(improvement)))
    assert improvement / 2 < spacing <= improvement


def test_thresholds_bracket_the_prediction(settings):
    found = stopping_artefact.pairs(made(settings, artefact), settings, FAMILY)
    table = stopping_artefact.thresholds(found)
    assert table["width"].tolist() == [100, 260] and table["n"].tolist() == [4, 4]
    assert (table["not_yet"] < table["replay"]).all() and (table["replay"] <= 2 * table["halved"]).all()
    falls = [falling(e) - falling(e + 1) for e in range(1, 45)]
    assert table["improvement"].to_numpy() == pytest.approx(np.median(falls), rel=0.02)


def test_thresholds_are_the_nearest_on_either_side(settings):
    found = stopping_artefact.pairs(made(settings, artefact), settings, FAMILY)
    runs = stopping_artefact.pair_frame(found)
    hidden = runs[runs["replayed_epoch"].notna() & (runs["width"] == 260)]
    epochs = hidden.groupby((hidden["lambda"] / hidden["epsilon"]).round(6))["epoch"].mean()
    halved, others = epochs.index[epochs <= 45 / 2], epochs.index[epochs > 45 / 2]
    assert len(halved) > 1 and len(others) > 1
    row = stopping_artefact.thresholds(found).set_index("width").loc[260]
    assert (row["not_yet"], row["halved"]) == (max(others), min(halved))


def test_summary_by_hand():
    runs = pd.DataFrame(
        {"epoch": [10, 12, 50], "unguided_epoch": [45, 44, 46], "replayed_epoch": [10, 11, 15]}
        | {"mse": [0.3, 0.5, 0.1], "unguided_mse": [0.2, 0.2, np.nan], "unguided_common_mse": 0.7}
        | {"variant": "base", "width": 100, "lambda": 1.0}
    )
    (row,) = stopping_artefact.summary(runs).to_dict("records")
    low, high = stats.ttest_1samp([0.1, 0.3], 0).confidence_interval()
    means = {"n": 3, "stopping_epoch": 24, "unguided_epoch": 45, "replayed_epoch": 12, "compared": 2, "mse": 0.4}
    means |= {"stopped_baseline": 0.2, "difference_low": low, "difference_high": high}
    assert row == pytest.approx({"variant": "base", "width": 100, "lambda": 1.0} | means)


def test_the_last_common_epoch_of_a_guided_run_that_lasts_longer(settings):
    runs = frame_of(settings, made(settings, lambda run: 60 if run["lambda"] else 45))
    assert runs["common_mse"].to_numpy() == pytest.approx(runs["unguided_common_mse"].to_numpy())
    assert (runs["change"] == runs["unguided_change"]).all() and runs["unguided_mse"].isna().all()


def test_each_part_of_h1_can_fail_alone(settings, plan):
    runs = frame_of(settings, made(settings, artefact))

    def h1(variant, **changes):
        here = runs["variant"] == variant
        return stopping_claims.h1(pd.concat([runs[~here], runs[here].assign(**changes)]), plan)

    for variant, number in (("base", 1), ("float64", 2)):  # 55 of 45 epochs: later is not alike either
        verdict, evidence = h1(variant, epoch=lambda part: part["epoch"] + 10)
        assert verdict == "partly" and f"({number}) " in evidence and evidence.count("fails") == 1
    assert h1("published", replayed_epoch=lambda part: part["epoch"] + 1)[0] == "supported"
    assert h1("published", replayed_epoch=lambda part: part["epoch"] + 3)[0] == "partly"
    three_of_four = h1("published", replayed_epoch=lambda part: part["epoch"] + 9 * (part["replicate"] == 0))
    assert three_of_four[0] == "partly"
    small = (runs["variant"] == "base") & (runs["lambda"] == 1e-4)  # H1 is about large lambda
    assert small.any() and stopping_claims.h1(runs.assign(epoch=runs["epoch"].mask(small, 20)), plan)[0] == "supported"


def test_h1_is_supported_by_the_artefact_and_refuted_by_a_real_effect(settings, plan):
    runs = frame_of(settings, made(settings, artefact))
    published = runs[runs["variant"] == "published"]
    assert (published["replayed_epoch"] == published["epoch"]).all() and published["epoch"].min() < 12
    assert stopping_claims.h1(runs, plan)[0] == "supported"

    def real(run):  # guided runs end early whatever is watched
        return 20 if run["lambda"] >= 0.01 else 45

    assert stopping_claims.h1(frame_of(settings, made(settings, real)), plan)[0] == "refuted"

    def half(run):
        return 20 if run["lambda"] >= 0.01 and run["precision"] == "float32" and run["monitor"] == "total" else 45

    assert stopping_claims.h1(frame_of(settings, made(settings, half)), plan)[0] == "partly"
    assert stopping_claims.h1(runs[runs["replicate"] < 2], plan)[0] == "undecided"
    assert stopping_claims.h1(runs.iloc[:0], plan)[0] == "undecided"


def test_h1_keras_wants_two_groups_told_from_unguided_runs(settings, plan):
    def two_groups(run):
        return artefact(run) if run["lambda"] >= 0.01 else 45

    runs = frame_of(settings, made(settings, two_groups))
    verdict, evidence = stopping_claims.h1_keras(runs, plan)
    assert verdict == "supported" and "keras-mean 100, 260 of 100, 260" in evidence
    assert "(2) smaller, 100% to 100% of them: holds; (3) 100% of 16 stopping epochs" in evidence

    here = runs["variant"] == "keras-mean"
    for number, lambda_, epoch in ((1, 0.01, 23), (2, 0.001, 22)):
        changed = runs.assign(epoch=runs["epoch"].mask(here & (runs["lambda"] == lambda_), epoch))
        changed["replayed_epoch"] = changed["replayed_epoch"].mask(here, changed["epoch"])
        verdict, evidence = stopping_claims.h1_keras(changed, plan)
        assert verdict == "partly" and f"({number}) " in evidence.partition(": fails")[0].rpartition("; ")[2]
    late = runs.assign(replayed_epoch=runs["replayed_epoch"] + 2)
    assert stopping_claims.h1_keras(late, plan)[0] == "partly"
    refuted = late.assign(epoch=late["epoch"].mask(here, 45).mask(here & (late["lambda"] == 0.001), 9))
    assert stopping_claims.h1_keras(refuted, plan)[0] == "refuted"
    for few in (runs[runs["replicate"] < 2], without(runs, variant="keras-mean", **{"lambda": 0.001}), runs.iloc[:0]):
        assert stopping_claims.h1_keras(few, plan)[0] == "undecided"
    only_large = {"keras-mean": {100: {0.01}}}
    assert stopping_claims.h1_keras(runs, only_large)[0] == "undecided"


def test_validation_images_are_those_of_the_data_sets():
    """Of those that are embedded; the others' are checked in test_datasets.py."""
    for module, name in ((digits, "digits"), (photographs, "photographs"), (shapes, "shapes")):
        assert len(module.read().validation_images) == stopping_artefact.VALIDATION_IMAGES[name]
    assert set(stopping_artefact.VALIDATION_IMAGES) == set(datasets.NAMES)


def without(runs, **cell):
    """All pairs but those of a cell."""
    return runs[~np.logical_and.reduce([runs[name] == value for name, value in cell.items()])]


def test_a_width_that_lacks_a_planned_lambda_does_not_count(settings, plan):
    runs = frame_of(settings, made(settings, artefact))
    one = without(runs, variant="float64", width=100, **{"lambda": 0.01})
    verdict, evidence = stopping_claims.h1(one, plan)
    assert verdict == "supported" and "float64 260 of 100, 260" in evidence
    both = without(runs, variant="float64", **{"lambda": 0.01})
    assert stopping_claims.h1(both, plan) == (
        "undecided",
        "widths that count: base 100, 260 of 100, 260; float64 none of 100, 260; published 100, 260 of 100, 260",
    )
    # One lambda of the exact form cannot refute that some lambda helps
    only = runs[(runs["variant"] != "exact-base") | (runs["lambda"] == 1.0)]
    assert stopping_claims.h4(runs, plan)[0] == "refuted" and stopping_claims.h4(only, plan)[0] == "undecided"


def test_c12_needs_a_width_that_counts_in_every_family(settings, plan):
    runs = frame_of(settings, made(settings)).assign(family=FAMILY)
    narrow = without(runs, variant="base", width=260, **{"lambda": 1.0})
    assert stopping_claims.c12(narrow, {FAMILY: plan}).verdict == "not reproduced"
    assert "base 100 of 100, 260" in stopping_claims.c12(narrow, {FAMILY: plan}).evidence
    none = without(runs, variant="base", **{"lambda": 1.0})
    assert stopping_claims.c12(none, {FAMILY: plan}).verdict == "inconclusive"


def by_luck(run):
    return run["form"] == "exact" and (run["width"], run["lambda"]) == (260, 1.0)


@pytest.mark.parametrize(
    ("speed", "verdict"),
    [
        (lambda run: 1.5 if run["form"] == "exact" and run["lambda"] == 0.01 else 1.0, "supported"),
        (lambda run: 1.5 if run["form"] == "exact" and run["width"] == 260 else 1.0, "partly"),
        (lambda run: 0.5 if run["form"] == "exact" else 1.0, "refuted"),
        # one cell of six by luck: its own 95 % interval lies below zero, the corrected one does not
        (lambda run: [1.12, 1.1, 1.1, 1.04][run["replicate"]] if by_luck(run) else 1.0, "undecided"),
        (lambda run: [1.2, 0.8][run["replicate"] % 2] if run["form"] == "exact" else 1.0, "undecided"),
    ],
)
def test_h4(settings, plan, speed, verdict):
    assert stopping_claims.h4(frame_of(settings, made(settings, speed=speed)), plan)[0] == verdict


def test_where_a_target_is_not_reached_there_is_no_interval(settings):
    runs = frame_of(settings, made(settings, speed=lambda run: 0.01 if run["form"] == "exact" else 1.0))
    table = stopping_artefact.time_to_quality(runs).set_index(["variant", "width", "lambda"])
    slow, same = table.loc[("exact-base", 100, 1.0)], table.loc[("base", 100, 1.0)]
    assert slow["reached"] == 0 and slow[["epochs", "low", "high"]].isna().all()
    assert slow["common_mse"] > slow["unguided_common_mse"]
    assert (same["reached"], same["low"], same["high"]) == (4, 0, 0)
    assert same["unguided_epochs"] == pytest.approx(30, abs=1)


def test_one_run_that_does_not_get_there_leaves_no_interval():
    runs = pd.DataFrame(
        {"epochs_to_target": [20, 22, np.nan], "unguided_to_target": [30, 31, 32], "target": 0.1}
        | {"variant": "base", "width": 100, "lambda": 1.0, "common_mse": 0.1, "unguided_common_mse": 0.1}
    )
    (row,) = stopping_artefact.time_to_quality(runs).to_dict("records")
    assert (row["n"], row["reached"]) == (3, 2) and np.isnan([row["low"], row["high"], row["epochs"]]).all()


def test_stopping_early_without_getting_there_is_not_fast(settings, plan):
    records = made(settings, speed=lambda run: 0.01 if run["form"] == "exact" else 1.0)
    for record in records:
        if record["run"]["form"] == "exact":
            record["history"] = {name: values[:12] for name, values in record["history"].items()}
    runs = frame_of(settings, records)
    row = (
        stopping_artefact.time_to_quality(runs).set_index(["variant", "width", "lambda"]).loc[("exact-base", 100, 1.0)]
    )
    assert row["reached"] == 0 and np.isnan(row["epochs"])
    assert stopping_claims.h4(runs, plan)[0] == "refuted"


@pytest.mark.parametrize(
    ("slow_forms", "expected"),
    [
        ({"reciprocal"}, ("reproduced", "does not survive")),
        ({"log", "exact"}, ("partly", "survives")),
        ({"reciprocal", "log", "exact"}, ("reproduced", "survives")),
        (set(), ("not reproduced", "does not survive")),
    ],
)
def test_c12(settings, plan, slow_forms, expected):
    records = made(settings, speed=lambda run: 0.5 if run["lambda"] == 1.0 and run["form"] in slow_forms else 1.0)
    runs = frame_of(settings, records).assign(family=FAMILY)
    verdict = stopping_claims.c12(runs, {FAMILY: plan})
    assert (verdict.verdict, verdict.control) == expected
    none = stopping_claims.c12(frame_of(settings, []).assign(family=FAMILY), {FAMILY: plan})
    assert (none.verdict, none.control) == ("not tested", "not tested")
    few = frame_of(settings, [r for r in records if r["run"]["replicate"] < 2]).assign(family=FAMILY)
    assert stopping_claims.c12(few, {FAMILY: plan}).verdict == "inconclusive"
    assert stopping_claims.c12(runs, {FAMILY: plan, "another": plan}).verdict == "inconclusive"
    no_log = stopping_claims.c12(runs[runs["variant"] != "log-base"], {FAMILY: plan}).verdict
    assert no_log == ("reproduced" if "reciprocal" in slow_forms else "inconclusive")


def test_c12_asks_for_every_width(settings, plan):
    records = made(settings, speed=lambda run: 0.5 if run["lambda"] == 1.0 and run["width"] == 260 else 1.0)
    verdict = stopping_claims.c12(frame_of(settings, records).assign(family=FAMILY), {FAMILY: plan})
    assert (verdict.verdict, verdict.control) == ("not reproduced", "does not survive")


def test_determinants_compare_the_last_common_epoch(settings):
    records = made(settings, lambda run: 20 if run["form"] == "exact" else 45, lambda run: 1 + (run["form"] == "log"))
    found = stopping_artefact.pairs(records, settings, FAMILY)
    table = stopping_artefact.determinants(found).set_index(["variant", "width", "lambda"])
    assert table.loc[("exact-base", 260, 1.0), ["initial", "unguided", "guided"]].tolist() == [-100, -80, -80]
    assert table.loc[("log-base", 260, 1.0), ["unguided", "guided"]].tolist() == [-55, -10]
    assert table.loc[("log-base", 260, 1.0), ["low", "high"]].tolist() == [45, 45]  # guided minus unguided


def test_guided_runs_that_outlast_the_unguided_stand_beside_longer_ones(settings):
    def epochs(run):
        unstopped = run["patience"] == 200
        return 200 if unstopped else 45 if run["lambda"] == 0 else 60 + run["replicate"]

    records = made(settings, epochs, lambda run: 2.0 if run["lambda"] == 1.0 else 1.0)
    found = stopping_artefact.unstopped_pairs(records, settings, FAMILY)
    assert {pair.variant for pair in found} == {"published"}
    assert {len(pair.unguided["history"]["validation_mse"]) for pair in found} == {200}
    for pair in found:
        unguided = autoencoder.make_run(settings, FAMILY, 260, 0.0, pair.guided["run"]["replicate"])
        seeds = {Run(FAMILY, run).seed("weights") for run in (pair.guided["run"], pair.unguided["run"])}
        assert seeds == {unguided.seed("weights")}

    table = stopping_artefact.equal_epochs(stopping_artefact.pair_frame(found)).set_index(["width", "lambda"])
    assert table.index.tolist() == [(260, x) for x in (1e-4, 0.001, 0.01, 1.0)] and (table["n"] == 4).all()
    ends = [(60 + k) * (1 + 1e-3 * k) for k in range(4)]
    same, faster = table.loc[(260, 0.01)], table.loc[(260, 1.0)]
    assert same["epochs"] == 61.5 and same["low"] == same["high"] == 0
    assert same["mse"] == pytest.approx(np.mean([falling(end) for end in ends]))
    assert faster["unguided_mse"] == pytest.approx(same["mse"])
    assert faster["mse"] == pytest.approx(np.mean([falling(2 * end) for end in ends])) and faster["high"] < 0
    assert (faster["change"], faster["unguided_change"]) == (-100 + 2 * 61.5, -100 + 61.5)


@pytest.mark.parametrize("changed", [{}, {"monitor": "base"}, {"form": "exact"}, {"form": "log"}])
def test_the_section_renders_under_any_protocol(settings, tmp_path, monkeypatch, changed):
    """What `dvc exp run -S autoencoder.monitor=base` and its like leave to be shown."""
    monkeypatch.setattr(paths, "PUBLISHED", PARAMS.parent / "data/published")
    monkeypatch.chdir(tmp_path)
    variant = dataclasses.replace(settings, autoencoder=dataclasses.replace(settings.autoencoder, **changed))
    grids = dict.fromkeys(settings_module.AUTOENCODERS, settings.autoencoder_grids[FAMILY])
    variant = dataclasses.replace(variant, autoencoder_grids=grids)
    records = made(variant, artefact)
    write_table(paths.table("paper", FAMILY), records)
    section = report.section(variant, tmp_path / "report", "")
    assert all(entry.path.exists() for entry in section.figures + section.tables) and section.figures
    told = [entry.frame["exact"].min() for entry in section.tables if "-replay" in entry.path.name]
    assert told == ([] if changed else [1.0])  # nothing is told where no constant hides the improvement


def test_the_committed_runs_belong_to_the_grid():
    """Their keys must stay what they are, or hours of training are lost."""
    loaded = settings_module.load("paper", PARAMS)
    for family in settings_module.AUTOENCODERS:
        records = read_table(PARAMS.parent / f"data/runs/paper/{family}.jsonl")
        assert records and of_grid(records, autoencoder.grid(loaded, family)) == records
