"""Figures are drawn when what they show has changed, and only then."""

import pandas as pd
import pytest
from matplotlib import pyplot as plt

from replication.report import drawing, figures
from replication.report.drawing import later

DRAWN = []


def bars(table, *, colour="black"):
    DRAWN.append(len(table))
    figure, axes = plt.subplots(figsize=(1, 1))
    axes.bar(table["x"], table["y"], color=colour)
    return figure


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    DRAWN.clear()
    return tmp_path


def table(y=2.0):
    return pd.DataFrame({"x": [1, 2], "y": [1.0, y]})


def saved(folder, data, note="", name="bars", **named):
    path = figures.save(later(bars, data, **named), folder, name, note)
    return path.read_bytes(), path.with_suffix(".svg").read_bytes()


def test_the_same_data_are_drawn_once_and_give_the_same_files(project):
    first = saved(project / "a", table())
    assert saved(project / "b", table(), name="other") == first and DRAWN == [2]
    assert first[0].startswith(b"\x89PNG") and b"<svg" in first[1]


def test_other_data_arguments_or_notes_are_drawn_anew(project):
    found = {saved(project, table()), saved(project, table(3.0)), saved(project, table(), note="stand-in")}
    found.add(saved(project, table(), colour="red"))
    assert len(found) == len(DRAWN) == 4


def test_other_code_is_drawn_anew(project, monkeypatch):
    saved(project, table())
    monkeypatch.setattr(drawing, "_code", lambda *_: b"another style")
    saved(project, table())
    assert DRAWN == [2, 2]


def test_a_figure_of_which_a_file_is_lost_is_drawn_anew(project):
    first = saved(project, table())
    next((project / ".runs" / "figures").glob("*.svg")).unlink()
    assert saved(project, table()) == first and DRAWN == [2, 2]


def test_the_oldest_are_forgotten(project, monkeypatch):
    monkeypatch.setattr(drawing, "KEPT", 4)
    for y in (1.0, 2.0, 3.0):
        saved(project, table(y))
    assert len(list((project / ".runs" / "figures").iterdir())) == 4
