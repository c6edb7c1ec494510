"""Claim C11 by its rule on made-up runs, the grid, and the sections of the report from records alone."""

import numpy as np
import pandas as pd
import pytest
from replication.core.families import grid

from replication.coco_unet import grid as unet
from replication.coco_unet.report import sections as report
from replication.coco_unet.statistics import claims as unet_claims
from replication.coco_unet.training import task as segmentation
from replication.coco_unet.training.masks import encode_image, encode_mask
from replication.core import paths
from replication.core.runs import Store, make_record, write_table
from replication.core.settings import load
from replication.profiles import record as profiles
from replication.profiles.zoo import glorot_uniform_
from replication.training import large_models as single

PUBLISHED = pd.read_csv(paths.PUBLISHED / "table3.csv")
LAMBDAS = (0.0, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)


def test_the_grid_is_the_papers():
    settings = load("paper")
    runs = pd.DataFrame([run.settings for run in grid(settings, "unet-coco")])
    table3 = runs[(runs["placement"] == "3-7-11-15") & (runs["monitor"] == "total")]
    assert tuple(sorted({0.0, *table3["lambda"]})) == LAMBDAS == tuple(PUBLISHED["lambda"])
    assert set(runs["placement"]) == {"none", "2", "2-3", "3-7-11-15", "3-7-11-15-19-24-29-34-39"}
    assert len(runs) == 6 * 4 + 6 + 3  # four placements, the control, three unguided seeds
    assert set(runs["widths"]) == {"64-128-256-512-1024"} and set(runs["dataset"]) == {"coco-60000-10000"}
    assert grid(load("demo"), "unet-coco-sample") == []


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
    return unet_claims.c11(pd.DataFrame(rows), PUBLISHED)


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


def test_c11_needs_all_lambda_and_all_images():
    few = verdict([BETTER] * 5)
    assert few.verdict == "inconclusive" and "not run: lambda 10" in few.evidence
    sample = verdict([BETTER] * 6, base=[BETTER] * 6, seeds=(0.8, 0.795), images=(320, 60))
    assert (sample.verdict, sample.control) == ("inconclusive", "not tested") and "320 + 60" in sample.evidence
    one = verdict([BETTER], base=[BETTER], seeds=(0.8, 0.795))
    assert (one.verdict, one.control) == ("inconclusive", "not tested")
    limited = verdict([(0.81, 0.61, 40)] * 6)
    assert "fewest epochs 200 % of the unguided run's, at lambda 0.0001 (ended by the epoch limit)" in (
        limited.evidence.replace("200%", "200 %")
    )
    assert verdict([]).verdict == "not tested"
    assert unet_claims.c11(unet.frame([]), PUBLISHED).verdict == "not tested"


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
    assert unet_claims.unguided(runs) is runs[2] and unet_claims.unguided(runs[:2]) is None


def made_up(run, images=40):
    """A record as the trainer writes it; guidance finds a little more of each object."""
    generator = np.random.default_rng(5)
    tp = generator.integers(300, 500, images) + (20 if run["lambda"] else 0)
    fn, fp = 600 - tp, generator.integers(50, 150, images)
    counts = {"tp": tp, "fp": fp, "fn": fn, "tn": 4096 - tp - fn - fp}
    stacked = np.stack(list(counts.values()), axis=1)
    metrics = segmentation.metrics(single.torch.from_numpy(stacked)) | {
        "stopping_epoch": 3,
        "stopped_early": 0,
        "validation_loss": 0.1,
        "best_epoch": 2,
        "seconds_per_epoch": 2.0 + run["lambda"],
        "images_per_second": 9.0,
        "train_images": 128,
        "validation_images": images,
    }
    mask = np.zeros((64, 64), dtype=bool)
    mask[8:40, 8:40] = True
    picture = np.full((64, 64, 3), 90, dtype=np.uint8)
    shown = {"id": 7, "prediction": encode_mask(mask)}
    if run["lambda"] == 0:
        shown |= {"truth": encode_mask(~mask), "image": encode_image(picture)}
    history = {"validation_loss": [0.3, 0.2, 0.1], "accuracy": [0.5, 0.6, 0.7], "iou": [0.1, 0.2, 0.3]}
    if run["lambda"]:
        history = {"validation_loss": [0.3, 0.2], "accuracy": [0.5, 0.5], "iou": [0.1, 0.25]}
    record = make_record(run, metrics, history, 6.0, {"device": "cpu", "torch": "2", "data": "d"})
    return record | {"per_image": {name: values.tolist() for name, values in counts.items()}, "shown": [shown]}


def test_gains_are_paired_over_images():
    settings = load("demo")
    records = [made_up(run) for run in unet.grid(settings, "unet-coco")]
    scores = unet_claims.scores(records, unet_claims.unguided(records)).set_index(["lambda", "monitor"])
    guided = scores.loc[(1.0, "total")]
    # 20 of 4096 pixels more are right in every image: the same gain whatever the images, so no width at all
    assert guided["accuracy_gain"] == pytest.approx(20 / 4096)
    assert guided["accuracy_gain_low"] == pytest.approx(guided["accuracy_gain_high"]) == pytest.approx(20 / 4096)
    equal = guided[["accuracy_gain_equal_epochs", "iou_gain_equal_epochs"]].tolist()  # after the second
    assert equal == pytest.approx([-0.1, 0.05])
    longer = unet_claims.scores(records, next(r for r in records if r["run"]["lambda"])).set_index("lambda").loc[[0.0]]
    turned = longer[["accuracy_gain_equal_epochs", "iou_gain_equal_epochs"]].iloc[0].tolist()
    assert turned == pytest.approx([0.1, -0.05])
    assert guided["accuracy_high"] - guided["accuracy_low"] > 20 / 4096
    assert guided["accuracy_low"] < guided["accuracy"] < guided["accuracy_high"]
    assert unet_claims.trivial(records[0])["iou"] == pytest.approx(600 / 4096)


def test_the_section_needs_records_alone(tmp_path, monkeypatch):
    settings = load("demo")
    table = tmp_path / "unet-coco.jsonl"
    monkeypatch.setattr(paths, "table", lambda *_: table)
    [empty] = report.sections(settings, tmp_path, "stand-in")
    assert "0 of the 5 runs" in empty.about and empty.verdicts["C11"].verdict == "not tested"
    write_table(table, [made_up(run) for run in unet.grid(settings, "unet-coco")])
    [section] = report.sections(settings, tmp_path, "stand-in")
    assert all(
        figure.path.stat().st_size > 5000 and figure.path.with_suffix(".svg").exists() for figure in section.figures
    )
    assert "393 to 550 (1.40 times)" in section.about and "ours from 2 to 3 (1.50 times)" in section.about
    table3, gains = (entry.frame for entry in section.tables)
    assert list(table3["lambda"]) == list(LAMBDAS) and table3["epochs"].notna().sum() == 3
    assert len(gains) == 5 and section.verdicts["C11"].verdict == "inconclusive"


def test_the_sample_is_named_everywhere_and_decides_nothing(tmp_path, monkeypatch):
    settings = load("paper")
    monkeypatch.setattr(paths, "table", lambda _, family: tmp_path / f"{family}.jsonl")
    runs = unet.grid(settings, "unet-coco-sample")
    write_table(tmp_path / "unet-coco-sample.jsonl", [made_up(run) for run in runs])
    full, sample = report.sections(settings, tmp_path, "")
    assert full.note == "" and sample.note == "a sample of 320 + 60 images, 4 to 64 filters"
    assert not sample.verdicts and full.verdicts["C11"].verdict == "inconclusive"


def test_the_unguided_run_is_profiled_when_its_weights_are_there(tmp_path, monkeypatch):
    settings = load("demo")
    monkeypatch.chdir(tmp_path)
    assert any("its profile is left out" in line for line in profiles.write(settings, "unet"))
    run = unet.grid(settings, "unet-coco")[0]
    assert run["lambda"] == 0
    model = segmentation.build(run)
    glorot_uniform_(model, seed=123)
    store = Store(paths.store())
    store.put(made_up(run))
    path = store.weights(run.key)
    path.parent.mkdir()
    single.save_file(model.state_dict(), path)
    profiles.write(settings, "unet")
    layers = profiles.frame(profiles.read_record(profiles.record_path("demo", "unet"))).set_index(["weights", "name"])
    corner = model.encoder[1].conv2.weight[:, :, 0, 0].abs().log().mean().item()
    assert layers.loc[("trained", "encoder.1.conv2"), "mean"] == pytest.approx(corner, rel=1e-5)
    assert layers.loc[("random", "encoder.1.conv2"), "mean"] != pytest.approx(corner, rel=1e-2)
    assert (
        "unguided run of unet-coco, 4-8-16-32-32 filters, 128 images, 3 epochs"
        in layers.loc[("trained", "output"), "source"]
    )
