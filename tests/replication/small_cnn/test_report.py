"""Sections of the report from made-up records: whatever exists is drawn, and nothing else."""

import dataclasses

import numpy as np
import pytest
from msgspec.structs import replace
from small_cnn_runs import ROOT, made, with_grid

from replication.core.family import findings_of
from replication.core.runs import write_table
from replication.core.settings import load
from replication.core.variants import Variant
from replication.small_cnn import room
from replication.small_cnn.report import figures, sections
from replication.small_cnn.statistics import placebos


def families(*settings):
    """Families at paper scale, with settings of the test's own."""
    parameters = load("paper", ROOT / "params.yaml")
    return [dataclasses.replace(room.family(parameters, one.family), settings=one) for one in settings]


def rendered(parts, folder):
    """The sections, by way of the findings' files."""
    return sections.sections(parts, {part.name: findings_of(part) for part in parts}, folder, "")


def test_a_variant_of_the_users_own_is_drawn_under_its_name(few):
    variant = Variant(lambdas=(1.0,), changes={"form": "log"})
    own = with_grid(
        replace(few, variants=few.variants | {"logarithm": variant}),
        variants=("exact", "logarithm"),
    )
    records = made(own)
    table = placebos.gains(records, own)
    named = placebos.by_variant(records, own)
    figure = figures.placebos(table, named | {"unguided": named["corner"]})
    labels = figure.axes[1].get_legend_handles_labels()[1]
    assert labels == ["corner, c11", "exact change", "logarithm", "unguided, corner"]
    assert [bars.get_label() for bars in figure.axes[0].containers] == labels[:3]


@pytest.mark.parametrize("amount", ["all", "some", "none"])
def test_the_sections_render_whatever_exists(few, few_mnist, tmp_path, monkeypatch, amount):
    monkeypatch.chdir(tmp_path)
    parts = families(few, few_mnist)
    for part in parts:
        records = made(part.settings)
        kept = {"all": records, "none": []}.get(amount, [r for r in records if r["run"]["replicate"] % 3 == 1])
        write_table(part.table, kept)
    found = {part.name: findings_of(part) for part in parts}
    assert set(room.ROOM.verdicts(found)) == {"C7", "C8"}
    assert [one.name for one in room.ROOM.hypotheses(found)] == ["H2", "H3", "H4-cnn", "H6", "H15"]
    table1, hypotheses = rendered(parts, tmp_path / "report")
    assert len(table1.figures) == (0 if amount == "none" else 2)
    assert len(hypotheses.tables) == (0 if amount == "none" else 5)
    assert all(entry.path.exists() for section in (table1, hypotheses) for entry in section.figures + section.tables)
    if amount == "all":
        shown = table1.tables[0].frame
        assert shown.loc[0, "published validation gain"] == "+0.0052** (0.0035)"
        assert shown["n"].tolist() == [10, 10]


@pytest.mark.parametrize("lambdas", [(0.0, 0.01), (0.0,)])
def test_a_given_lambda_decides_no_hypothesis(few, few_mnist, tmp_path, monkeypatch, lambdas):
    monkeypatch.chdir(tmp_path)
    parts = families(*(replace(settings, lambda_override=lambdas) for settings in (few, few_mnist)))
    for part, settings in zip(parts, (few, few_mnist), strict=True):
        write_table(part.table, made(settings))
    found = {part.name: findings_of(part) for part in parts}
    assert {one.verdict for one in room.ROOM.hypotheses(found)} == {"undecided"}
    rendered(parts, tmp_path / "report")


def test_stars_are_the_papers():
    assert [sections.stars(p) for p in (0.2, 0.04, 0.004, 0.0004, np.nan)] == ["", "*", "**", "***", ""]


def test_the_figure_on_the_choice_shows_every_shuffle(few, tmp_path, monkeypatch):
    """Its bars have the area 1 together, and their mean is that of the shuffles but for the width of a bar."""
    monkeypatch.chdir(tmp_path)
    (part,) = families(few)
    write_table(part.table, made(few))
    found = findings_of(part)
    chosen, shuffled = found.facts["choice"], found.table("shuffled")
    figure = figures.choice(chosen, shuffled, found.table("power"), None)
    bars = figure.axes[0].patches
    assert len(bars) == len(shuffled)
    assert sum(bar.get_width() * bar.get_height() for bar in bars) == pytest.approx(1)
    mean = sum((bar.get_x() + bar.get_width() / 2) * bar.get_width() * bar.get_height() for bar in bars)
    assert mean == pytest.approx(chosen["expected"], abs=bars[0].get_width())
