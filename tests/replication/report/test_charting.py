"""The charting library is uPlot's own release, or it is refused."""

from importlib.metadata import PackageNotFoundError

import pytest

from replication.core.errors import UserError
from replication.report import charting, html


def test_the_files_are_those_of_the_release():
    script = charting.script()
    assert script.startswith("/*! https://github.com/leeoniya/uPlot (v1.6.31) */") and "var uPlot=" in script
    assert ".uplot" in charting.style()
    assert "</script" not in script and "Copyright (c) 2022 Leon Sorokin" in html.asset("uplot-licence.txt")


def test_another_file_is_refused(monkeypatch):
    monkeypatch.setitem(charting.FILES, "uplot.iife.min.js", "0" * 64)
    with pytest.raises(UserError, match=r"not that of uPlot 1\.6\.31"):
        charting.script()


def test_a_missing_package_is_said(monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(charting, "distribution", missing)
    with pytest.raises(UserError, match="needs the package youplot"):
        charting.style()
