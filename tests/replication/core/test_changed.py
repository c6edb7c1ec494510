"""What makes a variant: settings that the present scale does not share with the commit."""

import subprocess

import pytest

from replication.core import paths
from replication.core.changed import at_commit, changed

PARAMS = """\
scale: demo
lambda:  # the paper's
train:
autoencoder: {monitor: total, batch_size: 512}
scales:
  demo: {widths: [20, 140]}
  paper: {widths: [60]}
"""


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths.PARAMS.write_text(PARAMS)
    for words in (["init", "-q"], ["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"]):
        subprocess.run(["git", *words], check=True)


def after(*replacements, scale="demo"):
    text = PARAMS
    for before, now in replacements:
        assert before in text
        text = text.replace(before, now)
    paths.PARAMS.write_text(text)
    return changed(scale)


def test_the_grid_as_committed_is_no_variant():
    assert after() == []


def test_each_value_that_differs_is_told():
    told = after(("lambda:  # the paper's", "lambda: 0.01"), ("total, ", "total, new: 1e-05, "), ("20, 140", "20"))
    assert told == [
        "autoencoder.new: null -> 1e-05",
        "lambda: null -> 0.01",
        "scales.demo.widths: [20, 140] -> [20]",
    ]


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("scale: demo", "scale: paper"),
        ("train:", "train: [a-family]"),
        ("  # the paper's", ""),
        ("{monitor: total, batch_size: 512}", "\\n  batch_size: 512\\n  monitor: total"),
        ("[60]", "[80]"),  # another scale's
        ("  paper: ", "  mine: {widths: [9]}\\n  paper: "),
    ],
)
def test_what_is_wanted_how_it_is_written_and_another_scale_are_no_variant(before, now):
    assert after((before, now.replace("\\n", "\n"))) == []


def test_a_scale_of_ones_own_is_a_variant_by_what_it_shares_alone():
    mine = ("  paper: ", "  mine: {widths: [9]}\n  paper: ")
    assert after(mine, scale="mine") == []
    assert after(mine, ("total", "base"), scale="mine") == ["autoencoder.monitor: total -> base"]


def test_outside_of_git_nothing_is_a_variant(monkeypatch):
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    assert after(("total", "base")) == []


@pytest.mark.parametrize("committed", ["", "scale: [", "scale: demo\n"])
def test_a_commit_that_nobody_could_run_is_nothing_to_differ_from(committed):
    paths.PARAMS.write_text(committed)
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qam", "y"], check=True)
    assert after() == []


def test_a_file_as_committed():
    after(("total", "base"))
    assert at_commit(paths.PARAMS) == PARAMS and at_commit(paths.PUBLISHED / "nothing") is None
