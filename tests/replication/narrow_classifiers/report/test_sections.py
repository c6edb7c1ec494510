"""The section with and without runs."""

from pathlib import Path

import numpy as np
import pytest

from replication.core.family import findings_of, parts_of, room
from replication.core.paths import PARAMS
from replication.core.runs import make_record, write_table
from replication.core.settings import load
from replication.narrow_classifiers import grid

ROOT = PARAMS.absolute().parent
FAMILY = "classifiers-imagenette-64"
METRICS = ("accuracy", "train_loss", "validation_loss", "penalty", "seconds_per_epoch", "best_epoch")


@pytest.fixture
def parameters(tmp_path, monkeypatch):
    found = load("paper", path=ROOT / "params.yaml")
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    (tmp_path / "data" / "published").symlink_to(ROOT / "data" / "published")
    return found


def shown(parameters):
    parts = parts_of(parameters, "narrow_classifiers")
    findings = {part.name: findings_of(part) for part in parts}
    (section,) = room("narrow_classifiers").sections(parts, findings, Path("reports"), "")
    return section, room("narrow_classifiers").hypotheses(findings)


def records_of(runs):
    """Accuracies of 0.5 that scatter with the network and seed by 0.02, whatever lambda is."""
    generator = np.random.default_rng(0)
    draws = {}
    for run in runs:
        accuracy = 0.5 + draws.setdefault((run["network"], run["replicate"]), 0.02 * generator.normal())
        metrics = dict.fromkeys(METRICS, 1.0) | {"best_accuracy": accuracy}
        made = {"device": "a processor", "torch": "2", "data": "images, from files of 224 x 224 pixels"}
        yield make_record(run, metrics, {"accuracy": [accuracy] * 6}, 1.0, made)


def test_without_runs_it_says_what_is_missing(parameters):
    section, (h16,) = shown(parameters)
    assert not section.figures and not section.tables
    assert "0 of the 30 runs" in section.about and "no part of Table 2" in section.about
    assert (h16.name, h16.family, h16.verdict) == ("H16", FAMILY, "undecided")


def test_with_all_runs_it_has_a_figure_four_tables_and_a_verdict(parameters):
    (part,) = parts_of(parameters, "narrow_classifiers")
    write_table(part.table, list(records_of(grid.grid(part.settings))))
    section, (h16,) = shown(parameters)
    assert h16.verdict == "supported" and h16.ours.n == 10
    assert [figure.path.stem for figure in section.figures] == [f"accuracies-{FAMILY}"]
    kinds = ("differences", "scatter", "means", "runs")
    assert [table.path.stem for table in section.tables] == [f"{FAMILY}-{kind}" for kind in kinds]
    assert "64 pixels, 1/4 of the channels, 25 epochs" in section.about and "files of 224 x 224" in section.about
    assert len(section.tables[-1].frame) == 30


def test_one_network_alone_is_undecided_so_far(parameters):
    (part,) = parts_of(parameters, "narrow_classifiers")
    write_table(part.table, list(records_of(run for run in grid.grid(part.settings) if run["network"] == "resnet50")))
    section, (h16,) = shown(parameters)
    assert h16.verdict == "undecided" and "so far supported, 15 of 30 runs" in h16.evidence
    assert len(section.figures) == 1


def test_a_single_run_is_drawn(parameters):
    (part,) = parts_of(parameters, "narrow_classifiers")
    write_table(part.table, list(records_of(grid.grid(part.settings)[:1])))
    section, (h16,) = shown(parameters)
    assert len(section.figures) == 1 and h16.verdict == "undecided" and "1 of 30 runs" in h16.evidence
