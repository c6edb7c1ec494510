"""What a worker's failure looks like from outside."""

import multiprocessing
import os
import platform
import signal
import subprocess
import sys
import threading
import time

import pytest
import torch

from replication import data as datasets
from replication.core import executors
from replication.core.errors import UserError
from replication.core.executors import OutOfTime, in_process, local_workers
from replication.core.run import Run

FOREVER = float("inf")
TRAINER = "replication.autoencoder.training.train"


@pytest.fixture
def digits(make_run, tmp_path, monkeypatch):
    """A run on real data that would take minutes."""
    monkeypatch.chdir(tmp_path)
    datasets.load("digits")
    return make_run(dataset="digits", precision="float32", width=200, batch_size=8, max_epochs=10_000, patience=9999)


def test_a_killed_worker_is_noticed_at_once_and_replaced_twice(digits, capsys):
    """Though another one keeps the parent busy with short epochs."""
    runs = [digits, Run(digits.family, {**digits.settings, "width": 3, "batch_size": 512, "replicate": 1})]
    epochs = local_workers([[run] for run in runs], TRAINER, 2, FOREVER)
    assert next(epochs).number == 1
    first, _ = sorted(multiprocessing.active_children(), key=lambda process: process.pid)
    pid, noticed = first.pid, time.monotonic()
    first.kill()
    for _ in epochs:
        if (
            pid not in {process.pid for process in multiprocessing.active_children()}
            and "died" in capsys.readouterr().err
        ):
            break
    assert time.monotonic() - noticed < 2
    epochs.close()
    assert multiprocessing.active_children() == []


def test_a_stack_goes_back_into_the_queue_twice(digits, capsys):
    epochs = local_workers([[digits]], TRAINER, 1, FOREVER)
    pids = set()
    for _ in range(3):
        assert next(epochs).number == 1
        [worker] = multiprocessing.active_children()
        pids.add(worker.pid)
        worker.kill()
    with pytest.raises(UserError, match=r"exit code -9.*the third over the same 1 runs. Finished runs are kept"):
        list(epochs)
    assert len(pids) == 3 and multiprocessing.active_children() == []
    again = "a training process died (exit code -9; -9 often means that memory ran out): another one trains its 1 runs"
    assert capsys.readouterr().err.splitlines() == [again] * 2


def test_ctrl_c_while_a_worker_still_imports_says_nothing(digits, capfd):
    epochs = local_workers([[digits]], TRAINER, 1, FOREVER)
    starting = threading.Thread(target=lambda: [os.kill(pid, signal.SIGINT) for pid in children_within(10)])
    starting.start()
    assert next(epochs).number == 1
    starting.join()
    epochs.close()
    assert capfd.readouterr().err == ""


AT_FORK = []  # signals that a fork sends to its own process
os.register_at_fork(before=lambda: [os.kill(os.getpid(), number) for number in AT_FORK])


@pytest.mark.skipif(sys.version_info >= (3, 12) or sys.platform != "linux", reason="no forks here")
@pytest.mark.parametrize("thread", [True, False], ids=["another thread is there", "alone"])
@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGALRM], ids=["Ctrl-C", "SIGTERM", "the deadline"]
)
def test_a_signal_during_a_fork_is_not_lost(digits, number, thread, capfd):
    """A progress bar has a thread, which gets a signal that the main thread does not want for now."""
    ended = threading.Event()
    if thread:
        threading.Thread(target=ended.wait, daemon=True).start()

    def ring(*_):
        raise OutOfTime

    before = signal.signal(number, ring)
    AT_FORK.append(number)
    try:
        with pytest.raises(OutOfTime):
            next(local_workers([[digits]], TRAINER, 1, FOREVER))
    finally:
        AT_FORK.clear()
        ended.set()
        signal.signal(number, before)
    assert capfd.readouterr().err == "" and multiprocessing.active_children() == []


def children_within(seconds):
    """Process ids of this process's workers, as soon as there are some."""
    end = time.monotonic() + seconds
    while not (found := [process.pid for process in multiprocessing.active_children()]) and time.monotonic() < end:
        time.sleep(0.01)
    return found


def test_an_error_in_a_worker_is_one_message(make_run):
    with pytest.raises(UserError, match="no data set 'no such data': write mnist"):
        list(local_workers([[make_run(dataset="no such data")]], TRAINER, 1, FOREVER))


@pytest.mark.usefixtures("digits")
def test_an_unforeseen_error_in_a_worker_is_one_message_too(make_run):
    message = r"(?s)training failed: KeyError: 'float33'\n\nTraceback.*train\.py"
    with pytest.raises(UserError, match=message):
        list(local_workers([[make_run(dataset="digits", precision="float33")]], TRAINER, 1, FOREVER))


def test_a_deadline_ends_the_workers(digits):
    with pytest.raises(OutOfTime):
        list(local_workers([[digits]], TRAINER, 1, deadline=0))
    assert multiprocessing.active_children() == []


MANY = """
import sys
from replication.core.executors import OutOfTime, local_workers
from replication.core.run import Run

if __name__ == "__main__":
    try:
        list(local_workers([[Run("autoencoder-test", {"note": "x" * 100})]] * 5000, "no.such.trainer", 1, deadline=0))
    except OutOfTime:
        print("out of time")
"""


def test_tasks_that_are_left_do_not_keep_the_process(tmp_path):
    """More of them than a pipe holds."""
    script = tmp_path / "many.py"
    script.write_text(MANY)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "out of time\n"


FAULTS = """
import resource, torch
from replication.core import executors

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.zeros(1 << 20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

ctypes = executors.ctypes
"""
HANDED_BACK = """
ctypes.CDLL(None).mallopt(executors.M_MMAP_THRESHOLD, 1 << 17)  # what glibc starts with, and keeps where it pays
print(faults())
executors.keep_freed_memory()
faults()
print(faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc hands freed pages back like this")
def test_freed_memory_is_kept():
    handed_back, kept = map(int, said_by(FAULTS + HANDED_BACK).split())
    assert handed_back > 20 * 1000 and kept < 100  # 4 MB are 1,024 pages


REFUSED = """
class Older:  # glibc, which takes no threshold above 32 MiB
    def __init__(self, _):
        self.mallopt = lambda name, value: name != executors.M_MMAP_THRESHOLD and real.mallopt(name, value)

real, ctypes.CDLL = ctypes.CDLL(None), Older
executors.keep_freed_memory()
faults()
print(faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc hands freed pages back like this")
def test_a_refused_threshold_costs_nothing():
    """Glibc's own thresholds grow with what is freed, until either of them is set."""
    assert int(said_by(FAULTS + REFUSED)) < 100


def said_by(script):
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not done.stderr
    return done.stdout


def test_nothing_is_begun_after_the_deadline(make_run):
    with pytest.raises(OutOfTime):
        next(in_process([[make_run(dataset="no such data")]], TRAINER, torch.device("cpu"), deadline=0.0))


def test_a_worker_trains_one_stack_after_the_other(make_run, tmp_path, monkeypatch):
    """A process takes seconds to start."""
    monkeypatch.chdir(tmp_path)
    datasets.load("digits")
    started = []

    class Counted(executors._Worker):
        def __init__(self, *arguments):
            started.append(arguments)
            super().__init__(*arguments)

    monkeypatch.setattr(executors, "_Worker", Counted)
    runs = [make_run(dataset="digits", precision="float32", replicate=k, max_epochs=1) for k in range(3)]
    epochs = list(local_workers([[run] for run in runs], TRAINER, 1, FOREVER))
    assert sum(len(epoch.finished) for epoch in epochs) == 3 and len(started) == 1
