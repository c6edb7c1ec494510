"""The section on Table 2 from records alone."""

import dataclasses

import numpy as np
import pytest

from replication.core import paths
from replication.core.runs import make_record, write_table
from replication.core.settings import CLASSIFIERS, load
from replication.imagenette import grid as classifiers
from replication.imagenette.report import sections as report


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """Demo settings; tables and store of the test's own."""
    found = load("demo")
    monkeypatch.setattr(paths, "table", lambda _, name: tmp_path / f"{name}.jsonl")
    monkeypatch.setattr(paths, "store", lambda: tmp_path / ".runs")
    return found


def made_up(run):
    accuracy = 0.5 + (0.125 if run["lambda"] else 0)
    metrics = dict.fromkeys(("train_loss", "penalty", "seconds_per_epoch", "images_per_second"), 1.0)
    metrics |= {"accuracy": accuracy - 0.1, "best_accuracy": accuracy, "best_epoch": 2, "stopping_epoch": 3}
    metrics |= {"stopped_early": 0, "train_images": 96, "validation_images": 32}
    profile = [{"layer": k, "name": f"c{k}", "mean": mean} for k, mean in enumerate([-1.0, -5.0, -5.0, -5.0], 1)]
    where = {"device": "cpu", "torch": "2", "data": "96 + 32 images"}
    return make_record(run, metrics, {}, 6.0, where) | ({} if run["lambda"] else {"profile": profile})


def test_without_runs_the_published_table_stands_alone(settings, tmp_path):
    section = report.section(settings, tmp_path, "stand-in")
    assert "0 of the 4 runs" in section.about and "not known before the first unguided run" in section.about
    assert {claim: verdict.verdict for claim, verdict in section.verdicts.items()} == {
        "C9": "not tested",
        "C10": "not tested",
    }
    table = section.tables[0].frame
    assert len(table) == 18 and table.loc[0, "0"] == "0.698; -" and not section.figures
    assert section.metrics["resnet50-imagenette"]["planned"] == 4


def test_the_figures_baseline_comes_first_though_lambda_be_negative(settings, tmp_path, monkeypatch):
    given = dataclasses.replace(settings, lambda_override=(-0.1, 0.0))
    for family in CLASSIFIERS:
        write_table(tmp_path / f"{family}.jsonl", [made_up(classifiers.first_unguided(given, family))])
        write_table(tmp_path / f"{family}.jsonl", [made_up(run) for run in classifiers.grid(given, family)])
    drawn = []
    draw = report.published_audit_figures.table2

    def table2(*args, **kwargs):
        drawn.append(args[:2])
        return draw(*args, **kwargs)

    monkeypatch.setattr(report.published_audit_figures, "table2", table2)
    report.section(given, tmp_path, "stand-in")
    [(rows, lambdas)] = drawn
    assert lambdas == [0.0, -0.1] and rows["accuracies"].tolist() == [[0.5, 0.625]] * len(rows)


def test_every_cell_holds_both_numbers_its_error_and_n(settings, tmp_path):
    first = classifiers.first_unguided(settings, "resnet50-imagenette")
    write_table(tmp_path / "resnet50-imagenette.jsonl", [made_up(first)])
    for family in CLASSIFIERS:
        write_table(tmp_path / f"{family}.jsonl", [made_up(run) for run in classifiers.grid(settings, family)])
    section = report.section(settings, tmp_path, "stand-in")
    assert section.about.count("4 of the 4 runs") == 2 and "empirical: 1 (from the profile of an un" in section.about
    tables = {entry.path.stem: entry.frame for entry in section.tables}
    cells = tables["table2-cells"].set_index(["model", "training", "guided layers"])
    se = np.sqrt(0.5 * 0.5 / 32)
    assert cells.loc[("vgg16", "plain", "1"), "0"] == f"0.698; 0.500 ± {se:.3f} (n 1)"
    assert cells.loc[("resnet50", "augmentation", "pre-skip"), "1"].startswith("0.808; 0.625 ± 0.086 (n 1)")
    assert cells.loc[("vgg16", "plain", "1+2"), "1"] == "0.730; -"
    columns = tables["table2-columns"].iloc[0]
    assert columns["lambda"] == 1 and columns["n rows"] == 4 and columns["difference"] == pytest.approx(0.125)
    chance = tables["table2-chance"].set_index("quantity")
    assert chance.loc["rows with the best off the baseline", "published"] == "17 (p = 0.249)"
    assert chance.loc["rows with the best off the baseline", "ours"].startswith("4 (p = 0.06")
    assert len(tables["table2-runs"]) == 8
    [figure] = section.figures
    assert figure.path.stat().st_size > 5000 and figure.path.with_suffix(".svg").exists()
    assert {verdict.verdict for verdict in section.verdicts.values()} == {"inconclusive", "not tested"}
