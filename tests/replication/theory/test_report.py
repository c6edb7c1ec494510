"""The theory section: what it draws and writes, with and without a record."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from entropy_guidance import penalty
from replication.core import paths
from replication.core.family import findings_of, parts_of, room
from replication.core.settings import load
from replication.report import page
from replication.theory import experiment, record
from replication.theory.report import figures as theory_figures
from replication.theory.settings import Theory

PARAMS = Path(__file__).parents[3] / "params.yaml"


@pytest.mark.parametrize("form", ["log", "reciprocal"])
def test_the_drawn_losses_are_the_librarys_and_their_slopes_those_of_autograd(form):
    x, epsilon = np.array([-1.5, -1e-3, 1e-9, 0.2, 1.0]), 1e-3
    change = torch.from_numpy(np.log(np.abs(x))).requires_grad_()
    loss = penalty(change, 1.0, form=form, epsilon=epsilon)
    (by_log,) = torch.autograd.grad(loss.sum(), change)
    slope = by_log.abs().numpy()
    for quantity, expected in (
        ("loss", loss.detach().numpy()),
        ("slope by log x", slope),
        ("slope by x", slope / np.abs(x)),
    ):
        np.testing.assert_allclose(theory_figures._quantity(x, form, epsilon, quantity), expected, atol=1e-12)


@pytest.fixture
def parameters(tmp_path, monkeypatch):
    loaded = load("demo", PARAMS)
    monkeypatch.chdir(tmp_path)
    return loaded


def shown(parameters):
    """Findings, verdict and section."""
    parts = parts_of(parameters, "theory")
    findings = {part.name: findings_of(part) for part in parts}
    (section,) = room("theory").sections(parts, findings, Path("reports"), "a note for stand-in data")
    return findings["theory"], room("theory").verdicts(findings)["C1"], section


def test_the_section(parameters):
    rows = experiment.run(Theory(layers=2, filters=5, samples=100, repeats=2))
    record.save(rows, paths.record("demo", "theory"))
    found, verdict, section = shown(parameters)
    assert [figure.path.name for figure in section.figures] == ["figure2-losses.png", "theory-formulas.png"]
    assert all(f.path.exists() and f.path.with_suffix(".svg").exists() for f in section.figures)
    assert all(table.path.exists() and len(table.frame) for table in section.tables)
    assert "29 random layers, 30 small cases" in section.about and section.note == ""
    assert verdict.control == "does not survive"
    assert found.metrics == {"layers": 29, "witness": 30, "filters": 11}


def test_infinities_survive_in_findings(parameters):
    """A corner of zero has the logarithm -inf; a tall layer's output lies in a subspace."""
    rows = experiment.run(Theory(layers=2, filters=5, samples=100, repeats=2))
    record.save(rows, paths.record("demo", "theory"))
    found, *_ = shown(parameters)
    assert found.table("filters")["c11"][0] == -np.inf and found.table("filters")["c11"].dtype == float
    classes = found.table("classes").set_index("class")
    assert classes["plain_gap"]["dense, tall"] == np.inf
    assert np.isnan(classes["determinant_error"]["convolution, equal channels"])


def test_missing_values_are_empty_and_words_stay_whole():
    table = page._markdown_table(pd.DataFrame({"determinant": [1e-10, np.nan], "n": [3, 4], "who": ["nan", None]}))
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    assert rows[0] == ["determinant", "n", "who"] and rows[2:] == [["1e-10", "3", "nan"], ["", "4", ""]]


def test_without_a_record_it_says_so(parameters):
    _, verdict, section = shown(parameters)
    assert verdict.verdict == "not tested" and not section.tables
    assert "`python -m replication theory --scale demo` has not run" in section.about
    assert [figure.path.name for figure in section.figures] == ["figure2-losses.png"]
