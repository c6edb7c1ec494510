"""Malformed inputs get one message of at most three lines that names file and key, before anything is trained."""

import random
from pathlib import Path

import pytest
from malformed import CASES, RIGHT, Malformed, mutations
from tried import answer, is_refused, tried

from replication.core import executors

SAMPLE = 120  # of the mutations; `make reliability` tries more


@pytest.fixture(autouse=True)
def _no_training(tmp_path, monkeypatch):
    def train(*_arguments):
        raise AssertionError("it trains")

    for way in ("in_process", "local_workers"):
        monkeypatch.setattr(executors, way, train)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("malformed", CASES.values(), ids=CASES.keys())
def test_a_mistake_is_named_before_anything_is_trained(malformed):
    assert is_refused(malformed), tried(malformed)


@pytest.mark.parametrize("scale", RIGHT["scales"])
def test_the_file_is_right(scale):
    assert tried(Malformed(("check", "--scale", scale), (), "")).status == 0


@pytest.mark.parametrize("malformed", random.Random(0).sample(list(mutations()), SAMPLE), ids=str)
def test_a_value_that_may_not_be_is_refused(malformed):
    assert is_refused(malformed), tried(malformed)


COMMANDS = {
    ("sweep", "--family", "autoencoder"): "error: no family 'autoencoder': params.yaml has autoencoder-mnist, ",
    ("sweep", "--family", "cnn-mnist", "--shard", "3/2"): "error: --shard is I/N with 1 <= I <= N",
    ("sweep", "--family", "cnn-mnist", "--shard", "9" * 5000): "error: --shard is I/N with 1 <= I <= N",
    ("sweep", "--family", "cnn-mnist", "--only", "width"): "error: --only width: no run of the grid has width ''",
    ("sweep", "--family", "cnn-mnist", "--only", "=" * 999): "error: --only ",
    ("sweep", "--family", "cnn-mnist", "--only", "width=" + "9" * 5000): "error: --only ",
    ("calibrate", "--family", "cnn-mnist"): "error: cnn-mnist has no calibration",
    ("layers", "--family", "cnn-mnist"): "error: cnn-mnist has no rows of Table 2",
    ("prepare", "letters"): "error: no family uses 'letters'",
    ("statistics", "nothing"): "error: no part 'nothing'",
    ("runs", "show", "no key"): "error: 0 finished runs have a key that begins with 'no key'",
    ("runs", "merge", "nowhere.jsonl"): "error: no file nowhere.jsonl",
    ("set-scale", "huge"): "error: unknown scale 'huge'",
    ("profile", "no-network"): "error: ",
    ("status", "--scale", "x" * 5000): "error: unknown scale 'xxx",
}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command)[:60])
def test_a_command_that_cannot_be_done_says_why(command):
    Malformed((), (), "").write(Path("params.yaml"))
    found = answer(command)
    assert found.clear and found.said.startswith(COMMANDS[command]), found
