"""The section on Table 2 from records alone."""

import numpy as np
import pytest
from msgspec.structs import replace

from replication.core import paths
from replication.core.family import findings_of, parts_of, room
from replication.core.runs import make_record, write_table
from replication.core.settings import load
from replication.imagenette import grid, rows
from replication.imagenette.report import sections as report
from replication.imagenette.rows import Chosen

FAMILIES = ("vgg16-imagenette", "resnet50-imagenette")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Tables and records of the test's own."""
    monkeypatch.setattr(paths, "table", lambda _, name: tmp_path / f"{name}.jsonl")
    monkeypatch.setattr(paths, "record", lambda _, name: tmp_path / f"{name}.json")
    monkeypatch.setattr(paths, "statistics", lambda _: tmp_path / "statistics")
    return tmp_path


def made_up(run):
    accuracy = 0.5 + (0.125 if run["lambda"] else 0)
    metrics = dict.fromkeys(("train_loss", "penalty", "seconds_per_epoch", "images_per_second"), 1.0)
    metrics |= {"accuracy": accuracy - 0.1, "best_accuracy": accuracy, "best_epoch": 2, "stopping_epoch": 3}
    metrics |= {"stopped_early": 0, "train_images": 96, "validation_images": 32}
    return make_record(run, metrics, {}, 6.0, {"device": "cpu", "torch": "2", "data": "96 + 32 images"})


def find_empirical_layers(parameters):
    """What the step `layers` would record."""
    first = grid.first_unguided(parts_of(parameters, "imagenette")[1].settings)
    chosen = Chosen(numbers=(1,), source="the profile of an unguided run here", basis=first.key)
    rows.write_record(rows.record_path("demo", FAMILIES[1]), {"empirical": chosen})


def made(parameters, folder):
    """The section, the verdicts and the findings."""
    parts = parts_of(parameters, "imagenette")
    findings = {part.name: findings_of(part) for part in parts}
    [section] = report.sections(parts, findings, folder, "stand-in")
    return section, room("imagenette").verdicts(findings), findings


def test_without_runs_the_published_table_stands_alone(folder):
    section, verdicts, findings = made(load("demo"), folder)
    assert "0 of the 4 runs" in section.about and "not known before the first unguided run" in section.about
    assert {claim: verdict.verdict for claim, verdict in verdicts.items()} == {"C9": "not tested", "C10": "not tested"}
    table = section.tables[0].frame
    assert len(table) == 18 and table.loc[0, "0"] == "0.698; -" and not section.figures
    assert findings["resnet50-imagenette"].metrics["planned"] == 4


def test_the_figures_baseline_comes_first_though_lambda_be_negative(folder, monkeypatch):
    find_empirical_layers(load("demo"))
    parts = parts_of(load("demo"), "imagenette")
    own = [replace(part.settings, lambda_override=(-0.1, 0.0)) for part in parts[:2]]
    monkeypatch.setattr("replication.imagenette.room.read", lambda _, name: own[FAMILIES.index(name)])
    for family, settings in zip(FAMILIES, own, strict=True):
        write_table(folder / f"{family}.jsonl", [made_up(run) for run in grid.grid(settings)])
    drawn = []
    draw = report.published_figures.table2

    def table2(*args, **kwargs):
        drawn.append(args[:2])
        return draw(*args, **kwargs)

    monkeypatch.setattr(report.published_figures, "table2", table2)
    monkeypatch.setattr("replication.report.drawing._folder", lambda: folder / "kept")  # none is kept from elsewhere
    made(load("demo"), folder)
    [(cells, lambdas)] = drawn
    assert lambdas == [0.0, -0.1] and cells["accuracies"].tolist() == [[0.5, 0.625]] * len(cells)


def test_every_cell_holds_both_numbers_its_error_and_n(folder):
    find_empirical_layers(load("demo"))
    for family in parts_of(load("demo"), "imagenette")[:2]:
        write_table(family.table, [made_up(run) for run in family.grid])
    section, verdicts, _ = made(load("demo"), folder)
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
    assert {verdict.verdict for verdict in verdicts.values()} == {"inconclusive", "not tested"}


def test_table_2_needs_both_families():
    parameters = load("demo")
    names = [
        [part.name for part in room("imagenette").parts(parameters, [*wanted])] for wanted in (FAMILIES[:1], FAMILIES)
    ]
    assert names == [["vgg16-imagenette"], [*FAMILIES, "table2"]]
