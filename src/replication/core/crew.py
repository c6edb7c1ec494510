"""Work on all cores: within `all_cores`, tasks wait; at its end several processes, this one too, take one at a time.

No process waits for another one's words: if this one is killed, the others end when no task is left.
"""

import multiprocessing
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from replication.core.cores import workers

FEW = 3  # tasks that one process does before another has started

Task = Callable[[], object]  # which may be done twice, and is pickled where processes do not fork
_waiting: ContextVar[list[Task] | None] = ContextVar("waiting", default=None)


def do(task: Task) -> None:
    """Do it now, or at the end of `all_cores`."""
    waiting = _waiting.get()
    if waiting is None:
        task()
    else:
        waiting.append(task)


@contextmanager
def all_cores() -> Iterator[None]:
    """Let tasks wait, and do them together at the end; none of them after an error within."""
    tasks: list[Task] = []
    before = _waiting.set(tasks)
    try:
        yield
    finally:
        _waiting.reset(before)
    _together(tasks, processes=min(workers(), -(-len(tasks) // FEW)))


def _together(tasks: Sequence[Task], processes: int) -> None:
    """Do all tasks. One that another process could not do is done here at the end, where its error is told."""
    # A fork has imported everything already. From Python 3.12 on it warns, if some library here has threads.
    forks = sys.platform == "linux" and sys.version_info < (3, 12)
    context: Any = multiprocessing.get_context("fork" if forks else "spawn")
    taken, done = context.Value("i", 0), context.RawArray("b", len(tasks))
    others = [context.Process(target=_help, args=(tasks, taken, done), daemon=True) for _ in range(processes - 1)]
    for process in others:
        process.start()
    _take(tasks, taken, done)
    for process in others:
        process.join()
    for task, is_done in zip(tasks, done, strict=True):
        if not is_done:
            task()


def _take(tasks: Sequence[Task], taken: Any, done: Any) -> None:
    """Do the next task that nobody has taken, until there is none."""
    while True:
        with taken.get_lock():
            place, taken.value = taken.value, taken.value + 1
        if place >= len(tasks):
            return
        tasks[place]()
        done[place] = 1


def _help(tasks: Sequence[Task], taken: Any, done: Any) -> None:
    """In a process of its own; Ctrl-C is for the first one, which ends this."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        _take(tasks, taken, done)
    except Exception:  # it happens again where it can be told
        sys.exit(1)
