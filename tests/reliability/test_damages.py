"""Damaged files of every kind: their reader gives what was written, or names the file."""

import contextlib
import io
import random

import damaged
import pytest
from malformed import ROOT

EACH = 14  # damages of a kind; `make reliability` does more


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("whole"))
        with contextlib.redirect_stderr(io.StringIO()):
            damaged.write(ROOT / "data/runs")
        yield damaged.kinds()


NAMES = (
    *("tables", "digests of tables", "records of the store", "checkpoints", "images", "memory maps", "manifests"),
    *("descriptions of memory maps", "layers", "findings", "theory", "audit", "zeros", "inputs", "square parts"),
    *("profiles", "studies, by their digests", "digests of studies"),
)


def test_every_kind_is_named(kinds):
    assert set(NAMES) == set(kinds)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_damaged_is_not_taken_for_whole(name, kinds):
    kind, rng = kinds[name], random.Random(name)
    assert kind.read()
    for path in kind.files:
        for text in damaged.damages(path.read_bytes(), rng, -(-EACH // len(kind.files)), sealed=kind.sealed):
            assert not damaged.outcome(kind, path, text), (path, text[:200])


def test_a_change_that_nobody_notices_is_told(kinds):
    """The judge itself."""
    kind = kinds["findings"]
    path = kind.files[0]
    assert damaged.outcome(kind, path, path.read_bytes().replace(b"3", b"4")) == "taken for what it is not"
