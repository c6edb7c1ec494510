"""Texts of others are shown, never obeyed."""

import html
from html.parser import HTMLParser

import pytest
from autoencoder_runs import made
from hypothesis import given, settings
from hypothesis import strategies as st

from replication.autoencoder.settings import read
from replication.core import board, paths
from replication.core.runs import write_table
from replication.core.settings import load
from replication.core.variant import Comparison, Row
from replication.report import page
from replication.report.text import folded, plain, to_html

MARKER = '<b class="marker">m</b> [m](https://marker.invalid) ![m](https://marker.invalid/m.png) `m` **m** | <!-- m -->'
marked = st.text("<>&*_`[]()!|\\~#-/ab1. \n", max_size=40)


class Page(HTMLParser):
    """What a browser would see: tags, and text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data


def seen(markdown):
    return Page(to_html(markdown))


@given(marked)
@settings(max_examples=300, deadline=None)
def test_a_plain_text_is_seen_as_it_is(text):
    """In a sentence and in a cell."""
    shown = " ".join(text.split())
    for markdown, tags in ((f"x {plain(text)} y", {"p"}), (f"|a|\n|-|\n|x {plain(text)} y|", set("abc"))):
        found = seen(markdown)
        assert " ".join(found.text.split()).endswith(" ".join(f"x {shown} y".split()))
        assert {tag for tag, _ in found.tags} <= tags | {"table", "thead", "tbody", "tr", "th", "td"}


@given(marked)
@settings(max_examples=300, deadline=None)
def test_no_html_of_the_markdown_comes_through(text):
    """Even unescaped: no tag that Markdown itself does not make."""
    for markdown in (
        f"<b>{text}</b>",
        f"<p onclick=x>{text}",
        f"<script>{text}",
        f"<details><summary>{text}<b></summary>",
    ):
        found = seen(markdown).tags
        assert not {"b", "script"} & {tag for tag, _ in found}
        assert not any("onclick" in attributes for _, attributes in found)


def test_what_is_folded_stays_folded():
    found = seen(folded("| a |\n|---|\n| 1 |", "3 < 4 rows <b>"))
    assert [tag for tag, _ in found.tags] == ["details", "summary", "table", "thead", "tr", "th", "tbody", "tr", "td"]
    assert "3 < 4 rows <b>" in found.text


@pytest.fixture
def marked_page(tmp_path, monkeypatch, request):
    """The demo's page on records with a marker in every text that a run does not fix."""
    root = paths.PARAMS.parent.resolve()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    for name in ("params.yaml", "data/published", "data/benchmarks"):
        (tmp_path / name).symlink_to(root / name)
    parameters = load("demo")
    recorded = made(read(parameters, "autoencoder-mnist"))
    words = dict.fromkeys(("device", "torch", "processor", "threads", "commit", "date", "stack", MARKER), MARKER)
    write_table(paths.table("demo", "autoencoder-mnist"), [record | {"environment": words} for record in recorded])
    shown = board.exhibits(parameters)
    shown = [exhibit for exhibit in shown if exhibit.room.title.startswith("Autoencoder")]
    board.write(parameters, shown)
    page.write(parameters, shown)
    return (paths.reports("demo") / request.param).read_text()


@pytest.mark.parametrize("marked_page", ["appendix.html"], indirect=True)
def test_a_marker_in_every_field_of_a_record_is_text_on_the_page(marked_page):
    found = Page(marked_page)
    assert html.unescape(MARKER) in found.text
    assert not [tag for tag in found.tags if "marker" in str(tag) or tag[0] == "b"]
    assert [tag[0] for tag in found.tags].count("script") == 1  # the page's own
    [policy] = [a["content"] for tag, a in found.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; img-src data:;")


def test_a_variants_pages_say_what_it_changes_and_leave_the_grids_alone(tmp_path, monkeypatch):
    root = paths.PARAMS.parent.resolve()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    for name in ("params.yaml", "data/published", "data/benchmarks"):
        (tmp_path / name).symlink_to(root / name)
    parameters, folder = load("demo"), paths.reports("demo") / "variant"
    shown = [one for one in board.exhibits(parameters) if one.room.title.startswith("Autoencoder")]
    row = Row(f"C4 {MARKER}", f"8 {MARKER}", "19 | epochs")
    board.write(parameters, shown, folder)
    page.write(parameters, shown, folder, Comparison((f"lambda: null -> {MARKER}",), (row,), compared=True))
    assert sorted(path.name for path in paths.reports("demo").iterdir()) == ["metrics.json", "plots", "variant"]
    found = Page((folder / "report.html").read_text())
    assert f"Changed: lambda: null -> {html.unescape(MARKER)}" in found.text and "19 | epochs" in found.text
    assert not [tag for tag in found.tags if "marker" in str(tag) or tag[0] == "b"]
    body = Page(to_html((folder / "report.md").read_text()))
    assert "19 | epochs" in body.text and not [tag for tag in body.tags if tag[0] == "b"]

    page.delete(folder)
    assert not folder.exists() and (paths.reports("demo") / "metrics.json").exists()


def test_a_family_whose_runs_all_diverged_is_shown_as_diverged(tmp_path, monkeypatch):
    root = paths.PARAMS.parent.resolve()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    for name in ("params.yaml", "data/published", "data/benchmarks"):
        (tmp_path / name).symlink_to(root / name)
    parameters = load("demo")
    lost = [diverged(record) for record in made(read(parameters, "autoencoder-mnist"))]
    write_table(paths.table("demo", "autoencoder-mnist"), lost)
    shown = [one for one in board.exhibits(parameters) if one.room.title.startswith("Autoencoder")]
    board.write(parameters, shown)
    page.write(parameters, shown)
    text = (paths.reports("demo") / "appendix.md").read_text()
    assert "**All of them diverged**: numbers of their last epoch are not finite." in text


def diverged(record):
    history = {name: [float("nan")] * 2 for name in record["history"]}
    metrics = dict.fromkeys(record["metrics"], float("nan")) | {"stopping_epoch": 2, "stopped_early": 0}
    return record | {"history": history, "metrics": metrics}
