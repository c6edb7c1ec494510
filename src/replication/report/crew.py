"""Work on all cores: within `all_cores`, tasks wait; at its end each process does its share of them, this one too.

The shares are fixed when the processes start, so that none of them waits for anybody: if this one is killed, they end.
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

Task = Callable[[], None]  # which may be done twice, and pickled where processes do not fork
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
    number = min(workers(), -(-len(tasks) // FEW))
    _share([tasks[k::number] for k in range(number)])


def _share(shares: Sequence[Sequence[Task]]) -> None:
    """Do the first share here, others in processes. What one of them could not do is done here, where it is told."""
    if not shares:
        return
    # A fork has imported everything already. From Python 3.12 on it warns, if some library here has threads.
    forks = sys.platform == "linux" and sys.version_info < (3, 12)
    context: Any = multiprocessing.get_context("fork" if forks else "spawn")
    others = [(share, context.Process(target=_do, args=(share,), daemon=True)) for share in shares[1:]]
    for _, process in others:
        process.start()
    for task in shares[0]:
        task()
    for share, process in others:
        process.join()
        for task in share if process.exitcode else ():
            task()


def _do(share: Sequence[Task]) -> None:
    """In a process of its own; Ctrl-C is for the first one, which ends this."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        for task in share:
            task()
    except Exception:  # it happens again where it can be told
        sys.exit(1)
