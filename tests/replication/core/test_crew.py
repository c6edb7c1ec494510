"""Tasks that wait are done once each, in several processes, and their errors are told."""

import os
import time
from functools import partial

import pytest

from replication.core import crew
from replication.core.errors import UserError


def note(folder, name):
    (folder / name).write_text(f"{os.getpid()}")


def meet(folder, name):
    """Wait for another process."""
    note(folder, name)
    for _ in range(1000):
        if len({path.read_text() for path in folder.iterdir()} - {""}) == 2:
            return
        time.sleep(0.01)


def refuse(folder, name):
    if os.getpid() != int((folder / "first").read_text()):
        os._exit(7)  # as if it had been killed
    note(folder, name)


def fail():
    raise UserError("the disk is full")


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
    monkeypatch.setenv("REPLICATION_WORKERS", "2")


def test_a_task_is_done_at_once_outside(tmp_path):
    crew.do(partial(note, tmp_path, "one"))
    assert (tmp_path / "one").exists()


def test_tasks_wait_and_are_shared(tmp_path):
    names = [str(k) for k in range(7)]
    with crew.all_cores():
        for name in names:
            crew.do(partial(note, tmp_path, name))
        assert list(tmp_path.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_two_processes_work_at_a_time(tmp_path):
    with crew.all_cores():
        for k in range(6):
            crew.do(partial(meet, tmp_path, f"{k}"))
    assert len({path.read_text() for path in tmp_path.iterdir()}) == 2


def test_few_tasks_start_no_process(tmp_path):
    with crew.all_cores():
        for name in "ab":
            crew.do(partial(note, tmp_path, name))
    assert {path.read_text() for path in tmp_path.iterdir()} == {f"{os.getpid()}"}


def test_what_a_process_could_not_do_is_done_here(tmp_path):
    note(tmp_path, "first")
    with crew.all_cores():
        for k in range(6):
            crew.do(partial(refuse, tmp_path, f"{k}"))
    assert {path.read_text() for path in tmp_path.iterdir()} == {f"{os.getpid()}"} and len(
        list(tmp_path.iterdir())
    ) == 7


def test_an_error_of_another_process_is_told_here(tmp_path):
    with pytest.raises(UserError, match="disk is full"), crew.all_cores():
        for k in range(6):
            crew.do(fail if k == 3 else partial(note, tmp_path, f"{k}"))


def test_nothing_is_done_after_an_error_within(tmp_path):
    with pytest.raises(KeyError), crew.all_cores():
        crew.do(partial(note, tmp_path, "one"))
        raise KeyError
    assert list(tmp_path.iterdir()) == []
    crew.do(partial(note, tmp_path, "two"))  # and it waits no longer
    assert (tmp_path / "two").exists()
