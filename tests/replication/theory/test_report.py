"""The theory section: what it draws and writes, with and without a record."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from replication.core import paths
from replication.core.settings import Theory, load
from replication.report import page
from replication.theory import experiment as theory
from replication.theory.report import figures as theory_figures
from replication.theory.report import sections as theory_section

PARAMS = Path(__file__).parents[3] / "params.yaml"


def test_the_drawn_losses_are_the_papers_formulas():
    x = np.array([-1.5, -1e-3, 1e-9, 0.2, 1.0])
    size, epsilon = np.abs(x), 1e-3
    closed = {
        ("log", "loss"): -np.log(size),
        ("log", "slope by x"): 1 / size,
        ("log", "slope by log x"): np.ones(5),
        ("reciprocal", "loss"): 1 / (size + epsilon),
        ("reciprocal", "slope by x"): 1 / (size + epsilon) ** 2,
        ("reciprocal", "slope by log x"): size / (size + epsilon) ** 2,
    }
    for (form, quantity), expected in closed.items():
        np.testing.assert_allclose(theory_figures._quantity(x, form, epsilon, quantity), expected, atol=1e-12)


@pytest.fixture
def settings(tmp_path, monkeypatch):
    loaded = load("demo", PARAMS)
    monkeypatch.chdir(tmp_path)
    return loaded


def test_the_section(settings):
    theory.write(theory.run(Theory(layers=2, filters=5, samples=100, repeats=2)), paths.record("demo", "theory"))
    section = theory_section.section(settings, Path("reports"))
    assert [figure.path.name for figure in section.figures] == ["figure2-losses.png", "theory-formulas.png"]
    assert all(f.path.exists() and f.path.with_suffix(".svg").exists() for f in section.figures)
    assert all(table.path.exists() and len(table.frame) for table in section.tables)
    assert "29 random layers, 30 small cases" in section.about and section.note == ""
    assert section.verdicts["C1"].control == "does not survive"


def test_missing_values_are_empty_and_words_stay_whole():
    table = page._markdown_table(pd.DataFrame({"determinant": [1e-10, np.nan], "n": [3, 4], "who": ["nan", None]}))
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    assert rows[0] == ["determinant", "n", "who"] and rows[2:] == [["1e-10", "3", "nan"], ["", "4", ""]]


def test_without_a_record_it_says_so(settings):
    section = theory_section.section(settings, Path("reports"))
    assert section.verdicts["C1"].verdict == "not tested" and not section.tables
    assert "`python -m replication theory --scale demo` has not run" in section.about
    assert [figure.path.name for figure in section.figures] == ["figure2-losses.png"]
