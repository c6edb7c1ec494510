"""Two sweeps share their runs; what one gives up, the other trains."""

import os
import subprocess
import time

import pytest

from replication.core import claims
from replication.core.claims import Claims
from replication.core.files import OURS
from replication.core.runs import make_record
from replication.core.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def runs(make_run):
    return [make_run(replicate=k) for k in range(3)]


def claim(store, run, owner, age=0.0):
    path = store.folder / "claims" / run.key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(owner)
    os.utime(path, (time.time() - age,) * 2)
    return path


OTHER = ".tmp00000000-1"  # another machine


def test_a_run_is_claimed_once_and_given_up_at_the_end(store, runs):
    with Claims(store) as ours, Claims(store) as theirs:
        assert ours.take(runs[:2]) == runs[:2] and ours.take(runs[:2]) == runs[:2]
        assert theirs.take(runs) == runs[2:]
        assert theirs.elsewhere(runs) == runs[:2] and ours.elsewhere(runs) == runs[2:]
        ours.release(runs[0].key)
        assert theirs.take(runs) == [runs[0], runs[2]]
    assert list((store.folder / "claims").iterdir()) == []


def test_a_finished_run_is_not_claimed(store, runs):
    store.put(make_record(runs[0], {}, {}, 1, {}))
    with Claims(store) as ours:
        assert ours.take(runs) == runs[1:]


def test_a_claim_that_is_not_touched_is_nobodys(store, runs):
    claim(store, runs[0], OTHER, age=claims.STALE + 1)
    claim(store, runs[1], OTHER, age=claims.STALE / 2)
    with Claims(store) as ours:
        assert ours.take(runs) == [runs[0], runs[2]]


def test_a_claim_of_a_process_that_is_gone_is_nobodys(store, runs):
    with subprocess.Popen(["true"]) as gone:
        pass
    claim(store, runs[0], f"{OURS}{gone.pid}")
    claim(store, runs[1], f"{OURS}{os.getpid()}")
    with Claims(store) as ours:
        assert ours.take(runs) == [runs[0], runs[2]]


def test_claims_are_touched_while_the_sweep_lives(store, runs, monkeypatch):
    monkeypatch.setattr(claims, "BEAT", 0.01)
    with Claims(store) as ours:
        ours.take(runs[:1])
        path = claim(store, runs[0], ours.owner, age=claims.STALE + 1)
        until = time.monotonic() + 10
        while time.time() - path.stat().st_mtime > claims.STALE and time.monotonic() < until:
            time.sleep(0.01)
        assert time.time() - path.stat().st_mtime < claims.STALE
