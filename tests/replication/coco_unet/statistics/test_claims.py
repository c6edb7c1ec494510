"""Claim C11 by its rule on made-up runs, and the gains of a run over another."""

import pandas as pd
import pytest
from unet_runs import made_up

from replication.coco_unet import grid
from replication.coco_unet.statistics import claims
from replication.core import paths
from replication.core.family import find
from replication.core.settings import load

PUBLISHED = pd.read_csv(paths.PUBLISHED / "table3.csv")
LAMBDAS = (0.0, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)


def run_of(lambda_, monitor="total", *, accuracy=0.8, iou=0.6, epochs=20, replicate=0, images=(60_000, 10_000)):
    guided = lambda_ != 0
    return {
        "lambda": lambda_,
        "replicate": replicate,
        "placement": "3-7-11-15" if guided else "none",
        "monitor": monitor if guided else "base",
        "accuracy": accuracy,
        "iou": iou,
        "stopping_epoch": epochs,
        "stopped_early": int(epochs < 40),
        "train_images": images[0],
        "validation_images": images[1],
    }


def verdict(total, base=(), seeds=(0.8,), **more):
    """`total`, `base`: accuracy, IoU and epochs of the guided runs, by what early stopping watches."""
    rows = [run_of(0.0, replicate=seed, accuracy=accuracy, **more) for seed, accuracy in enumerate(seeds)]
    for monitor, values in (("total", total), ("base", base)):
        for lambda_, (accuracy, iou, epochs) in zip(LAMBDAS[1:], values, strict=False):
            rows.append(run_of(lambda_, monitor, accuracy=accuracy, iou=iou, epochs=epochs, **more))
    return claims.c11(pd.DataFrame(rows), PUBLISHED)


BETTER, WORSE = (0.81, 0.61, 18), (0.79, 0.59, 22)


def test_c11_by_its_rule():
    found = verdict([BETTER] * 6, base=[BETTER] * 6, seeds=(0.8, 0.795))
    assert (found.verdict, found.control) == ("reproduced", "survives")
    four = [(0.81, 0.61, 18)] * 4 + [(0.81, 0.59, 22)] * 2
    assert verdict(four).verdict == "reproduced"  # IoU at 4 of 6, as published
    three = [(0.81, 0.61, 18)] * 3 + [(0.81, 0.59, 22)] * 3
    assert verdict(three).verdict == "partly" and "IoU at 3" in verdict(three).evidence
    assert verdict([WORSE] * 6).verdict == "not reproduced"
    assert verdict([(0.79, 0.59, 19)] * 6).verdict == "not reproduced"  # 95 % of the epochs
    assert verdict([(0.79, 0.59, 18)] * 6).verdict == "partly"


def test_c11_needs_half_of_the_lambda_and_all_images():
    few = verdict([BETTER] * 5)
    assert few.verdict == "reproduced" and "not run: lambda 10" in few.evidence
    half, less = verdict([BETTER] * 3), verdict([BETTER] * 2)
    assert (half.verdict, half.so_far) == ("reproduced", "")
    assert (less.verdict, less.so_far) == ("inconclusive", "reproduced, 3 of 7 lambda")
    iou_at_two_of_three = verdict([BETTER, BETTER, (0.81, 0.59, 18)])
    assert "IoU nearly always" in iou_at_two_of_three.evidence  # as at four of six, published
    sample = verdict([BETTER] * 6, base=[BETTER] * 6, seeds=(0.8, 0.795), images=(320, 60))
    assert (sample.verdict, sample.control) == ("inconclusive", "not tested") and "320 + 60" in sample.evidence
    one = verdict([BETTER], base=[BETTER], seeds=(0.8, 0.795))
    assert (one.verdict, one.control) == ("inconclusive", "not tested")
    limited = verdict([(0.81, 0.61, 40)] * 6)
    assert "fewest epochs 200 % of the unguided run's, at lambda 0.0001 (ended by the epoch limit)" in (
        limited.evidence.replace("200%", "200 %")
    )
    assert verdict([]).verdict == "not tested"
    assert claims.c11(grid.frame([]), PUBLISHED).verdict == "not tested"


def test_c11_must_survive_noise_between_seeds_and_the_other_stopping_rule():
    assert verdict([BETTER] * 6, base=[BETTER] * 6).control == "not tested"  # one seed
    assert verdict([BETTER] * 6, base=[BETTER] * 6, seeds=(0.8, 0.82)).control == "does not survive"
    mixed = verdict([BETTER] * 6, base=[BETTER] * 5 + [WORSE], seeds=(0.8, 0.795))
    assert mixed.control == "does not survive" and "at 5 of 6" in mixed.control_evidence
    range_and_not_sd = verdict([BETTER] * 6, base=[BETTER] * 6, seeds=(0.8, 0.812))
    assert range_and_not_sd.control == "does not survive"
    mean_and_not_best = [(0.85, 0.61, 18)] + [(0.801, 0.61, 18)] * 5
    assert verdict(mean_and_not_best, base=[BETTER] * 6, seeds=(0.8, 0.82)).control == "does not survive"
    no_fewer_epochs = verdict([BETTER] * 6, base=[(0.81, 0.61, 20)] * 6, seeds=(0.8, 0.795))
    assert no_fewer_epochs.control == "does not survive"
    assert verdict([BETTER] * 6, base=[BETTER] * 5, seeds=(0.8, 0.795)).control == "not tested"
    fewer = verdict([BETTER] * 6, base=[BETTER] * 6, seeds=(0.8, 0.795), images=(60_000, 5_000))
    assert (fewer.verdict, fewer.control) == ("inconclusive", "not tested")


def test_the_unguided_run_is_replicate_0():
    runs = [{"run": {"lambda": value, "replicate": seed}} for value, seed in ((1.0, 0), (0.0, 1), (0.0, 0))]
    assert claims.unguided(runs) is runs[2] and claims.unguided(runs[:2]) is None


def test_gains_are_paired_over_images():
    records = [made_up(run) for run in find(load("demo"), "unet-coco").grid]
    scores = claims.scores(records, claims.unguided(records)).set_index(["lambda", "monitor"])
    guided = scores.loc[(1.0, "total")]
    # 20 of 4096 pixels more are right in every image: the same gain whatever the images, so no width at all
    assert guided["accuracy_gain"] == pytest.approx(20 / 4096)
    assert guided["accuracy_gain_low"] == pytest.approx(guided["accuracy_gain_high"]) == pytest.approx(20 / 4096)
    equal = guided[["accuracy_gain_equal_epochs", "iou_gain_equal_epochs"]].tolist()  # after the second
    assert equal == pytest.approx([-0.1, 0.05])
    longer = claims.scores(records, next(r for r in records if r["run"]["lambda"])).set_index("lambda").loc[[0.0]]
    turned = longer[["accuracy_gain_equal_epochs", "iou_gain_equal_epochs"]].iloc[0].tolist()
    assert turned == pytest.approx([0.1, -0.05])
    assert guided["accuracy_high"] - guided["accuracy_low"] > 20 / 4096
    assert guided["accuracy_low"] < guided["accuracy"] < guided["accuracy_high"]
    assert claims.trivial(records[0])["iou"] == pytest.approx(600 / 4096)
