"""The sections on the U-Nets from records alone."""

import pandas as pd
import pytest
from unet_runs import made_up

from replication.coco_unet.report import sections as report
from replication.core import paths
from replication.core.family import findings_of, parts_of, room
from replication.core.runs import write_table
from replication.core.settings import load

LAMBDAS = [0.0, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Tables of the test's own."""
    monkeypatch.setattr(paths, "table", lambda _, name: tmp_path / f"{name}.jsonl")
    monkeypatch.setattr(paths, "statistics", lambda _: tmp_path / "statistics")
    return tmp_path


def made(scale, folder, note, *, trained=()):
    """The sections and the verdict on C11, when these families have their runs."""
    parts = parts_of(load(scale), "coco_unet")
    for part in parts:
        if part.name in trained:
            write_table(part.table, [made_up(run) for run in part.grid])
    findings = {part.name: findings_of(part) for part in parts}
    return report.sections(parts, findings, folder, note), room("coco_unet").verdicts(findings)["C11"]


def test_the_section_needs_records_alone(folder):
    [empty], verdict = made("demo", folder, "stand-in")
    assert "0 of the 5 runs" in empty.about and verdict.verdict == "not tested"
    [section], verdict = made("demo", folder, "stand-in", trained=["unet-coco"])
    assert all(
        figure.path.stat().st_size > 5000 and figure.path.with_suffix(".svg").exists() for figure in section.figures
    )
    assert len(section.figures) == 2
    assert "393 to 550 (1.40 times)" in section.about and "ours from 2 to 3 (1.50 times)" in section.about
    table3, gains = (entry.frame for entry in section.tables)
    assert list(table3["lambda"]) == LAMBDAS and table3["epochs"].notna().sum() == 3
    assert len(gains) == 5 and verdict.verdict == "inconclusive"


def test_table_3_stands_beside_the_published_one(folder):
    [section], _ = made("demo", folder, "stand-in", trained=["unet-coco"])
    table3, gains = (entry.frame.set_index("lambda") for entry in section.tables)
    printed = pd.read_csv(paths.PUBLISHED / "table3.csv").set_index("lambda")
    assert table3["epochs, published"].tolist() == printed["epochs"].tolist()
    seconds = (printed["training_seconds"] / printed["epochs"]).tolist()
    assert table3["seconds per epoch, published"].tolist() == pytest.approx(seconds)
    assert table3.loc[1.0, "ended by"] == "epoch limit" and table3.loc[1.0, "seconds per epoch"] == 3
    assert table3.loc[1.0, "IoU"] > table3.loc[0.0, "IoU"]
    assert gains.loc[1.0, "accuracy gain"].tolist() == pytest.approx([20 / 4096] * 2)  # watched: base, total
    assert gains.loc[0.0, "accuracy gain"] == 0


def test_the_sample_is_named_everywhere_and_decides_nothing(folder):
    (full, sample), verdict = made("paper", folder, "", trained=["unet-coco-sample"])
    assert full.note == "" and sample.note == "a sample of 320 + 60 images, 4 to 64 filters"
    assert full.title == "U-Net on COCO (`unet-coco`)"
    assert sample.title == "U-Net on a sample of COCO (`unet-coco-sample`)"
    assert verdict.verdict == "inconclusive" and "320 + 60" not in full.about
