"""What a worker's failure looks like from outside."""

import multiprocessing

import pytest

from replication import datasets
from replication.errors import UserError
from replication.executors import OutOfTime, local_workers

FOREVER = float("inf")


@pytest.fixture
def digits(make_run, tmp_path, monkeypatch):
    """A run on real data that would take minutes."""
    monkeypatch.chdir(tmp_path)
    datasets.load("digits")
    return make_run(dataset="digits", precision="float32", width=200, batch_size=8, max_epochs=10_000, patience=9999)


def test_a_killed_worker_is_noticed(digits):
    epochs = local_workers([[digits]], 1, FOREVER)
    assert next(epochs).number == 1
    [worker] = multiprocessing.active_children()
    worker.kill()
    with pytest.raises(UserError, match=r"exit code -9.*Finished runs are kept"):
        list(epochs)


def test_an_error_in_a_worker_is_one_message(make_run):
    with pytest.raises(UserError, match="training failed: AssertionError: no such data"):
        list(local_workers([[make_run(dataset="no such data")]], 1, FOREVER))


def test_a_deadline_ends_the_workers(digits):
    with pytest.raises(OutOfTime):
        list(local_workers([[digits]], 1, deadline=0))
    assert multiprocessing.active_children() == []
