"""Malformed inputs get one message of at most three lines that names file and key, before anything is trained."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from malformed import CASES, RIGHT, Malformed, mutations, places
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


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=2),
    max_leaves=4,
)
PLACES = [path for path, right in places(RIGHT, ()) if right is not None and path[0] != "scale"]


@given(st.sampled_from(PLACES), VALUES)
@settings(max_examples=60, deadline=None)
def test_whatever_stands_in_a_place_is_taken_or_refused_and_never_when_it_is_of_another_type(path, value):
    found = tried(Malformed(("check",), ((path, value),), ""))
    assert found.clear or found.status == 0, found
    if found.status == 0:
        right = RIGHT
        for name in path:
            right = right[name]
        assert fits(value, right)


def fits(value, right):
    """Whether a value is of the kind of another; null may stand where there may be nothing."""
    if isinstance(right, bool) or value is None:
        return value is None or isinstance(value, bool)
    if isinstance(right, int | float):
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**128
    return isinstance(value, type(right))
