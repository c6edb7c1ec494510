"""Who executes runs. An executor takes stacks of runs and yields their epochs; it knows neither store nor tables."""

import ctypes
import multiprocessing
import os
import platform
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection, resource_tracker
from typing import Any

import torch
from tqdm import tqdm

from replication import data as datasets
from replication.core.cores import cores
from replication.core.errors import UserError
from replication.core.run import Run
from replication.core.runs import Record
from replication.training.trainer import Epoch, find

Stack = Sequence[Run]

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's mallopt
KEPT_BYTES = 1 << 30
DONE = "done"  # a worker with its stack
RAISING = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)  # what ends a sweep: a user, a scheduler, the deadline
RETURNS = 2  # how often a stack goes back into the queue because its worker died


@dataclass(frozen=True)
class Failed:
    """A worker met an error; the message is for the user."""

    message: str


class OutOfTime(Exception):
    """The time budget is spent; what is still in training is given up."""


def in_process(stacks: Iterable[Stack], trainer: str, device: torch.device, deadline: float) -> Iterator[Epoch]:
    """Train one stack after the other in this process. `deadline` is in seconds of time.monotonic().

    Raises:
        OutOfTime: the deadline has passed.
    """
    keep_freed_memory()
    if device.type == "cpu":  # torch knows nothing of a container's share
        torch.set_num_threads(min(torch.get_num_threads(), cores()))
    for stack in stacks:
        if time.monotonic() > deadline:
            raise OutOfTime
        data = datasets.load(stack[0]["dataset"])
        try:
            for epoch in find(trainer).train(stack, data, device):
                yield epoch
                if time.monotonic() > deadline:
                    raise OutOfTime
        except torch.OutOfMemoryError:
            raise UserError(no_memory(stack)) from None


def no_memory(stack: Stack) -> str:
    """What to say where a GPU is too small."""
    batch = f"with batches of {stack[0]['batch_size']}" if "batch_size" in stack[0].settings else ""
    return (
        f"the GPU has too little memory free to train {len(stack)} runs of {stack[0].family} at once {batch}".rstrip()
        + ". End what else uses it, or choose --device cpu. Finished runs are kept"
    )


@dataclass
class Task:
    """A stack on its way to being trained."""

    stack: Stack
    lost: int = 0  # how many workers have died over it

    def drop(self, finished: Sequence[Record]) -> None:
        """Take out the runs that have finished: the others go on without them."""
        keys = {record["key"] for record in finished}
        self.stack = [run for run in self.stack if run.key not in keys]


@contextmanager
def _held_back() -> Iterator[None]:
    """Signals wait until its end, whichever thread they reach: an exception that one raises in a function that Python
    calls at a fork would be lost.
    """
    came: list[int] = []
    main = threading.current_thread() is threading.main_thread()
    handlers = {number: signal.getsignal(number) for number in RAISING} if main else {}
    ours = {number: handler for number, handler in handlers.items() if callable(handler)}
    for number in ours:
        signal.signal(number, lambda number, _frame: came.append(number))
    try:
        yield
    finally:
        for number, handler in ours.items():
            signal.signal(number, handler)
    for late in came:
        ours[signal.Signals(late)](late, None)


class _Worker:
    """A process of one thread that trains one stack after the other, and the pipe that leads to it."""

    def __init__(self, trainer: str, task: Task, others: Sequence[Any]) -> None:
        """Args: others: the pipes to the workers that run already."""
        # A fork has imported torch already, which takes seconds. It trains with one thread, so that none of the threads
        # that this process may have is missed there. Not with Python 3.12 and later, which warn of it.
        forks = sys.platform == "linux" and sys.version_info < (3, 12) and not torch.cuda.is_initialized()
        context: Any = multiprocessing.get_context("fork" if forks else "spawn")
        self.pipe, its_end = context.Pipe()
        ours = [self.pipe, *others] if forks else []  # a fork has these open too: their far ends would see no end
        self.process = context.Process(target=_work, args=(trainer, its_end, os.getpid(), ours), daemon=True)
        # Ctrl-C reaches the whole group. It waits until the new process, still importing, can ignore it, and SIGTERM
        # until a fork can end by it.
        resource_tracker.ensure_running()  # it would let signals through again
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, *([signal.SIGTERM] if forks else [])})
        try:
            with _held_back():
                try:
                    self.process.start()
                finally:
                    signal.pthread_sigmask(signal.SIG_SETMASK, before)
        except BaseException:  # what was held back: nobody else would end this worker
            if self.process.pid is not None:
                self.end()
            raise
        its_end.close()  # else the end of the process would not show
        self.give(task)

    def give(self, task: Task) -> None:
        self.task = task
        with suppress(OSError):  # of one that has died: what comes from it next says so
            self.pipe.send(task.stack)

    def end(self) -> None:
        self.process.terminate()
        self.process.join()
        self.pipe.close()


def local_workers(stacks: Iterable[Stack], trainer: str, workers: int, deadline: float) -> Iterator[Epoch]:
    """Train stacks in several processes of one thread each, on the CPU. A stack is asked for when a process is free.

    What a process was training when it died is trained by a new one, twice at most. `deadline` as in `in_process`.

    Raises:
        UserError: a training failed, or three processes died over the same stack.
        OutOfTime: the deadline has passed.
    """
    coming = (Task(stack) for stack in stacks)
    back: deque[Task] = deque()  # of workers that died
    working: dict[Any, _Worker] = {}  # by its pipe

    def following() -> Task | None:
        return back.popleft() if back else next(coming, None)

    try:
        while True:
            if time.monotonic() > deadline:
                raise OutOfTime
            while len(working) < workers and (task := following()) is not None:
                worker = _Worker(trainer, task, list(working))
                working[worker.pipe] = worker
            if not working:
                return
            for pipe in connection.wait(list(working), timeout=1):
                worker = working[pipe]
                event = _received(pipe)
                if isinstance(event, Failed):
                    raise UserError(event.message)
                if isinstance(event, Epoch):
                    worker.task.drop(event.finished)
                    yield event
                elif event == DONE and (task := following()) is not None:
                    worker.give(task)
                else:
                    del working[pipe]
                    worker.end()
                    if event is None:
                        back += _returned(worker)
    finally:
        for worker in working.values():
            worker.process.terminate()
        for worker in working.values():
            worker.end()


def _received(pipe: Any) -> Any:
    """What a worker has sent; None if it died."""
    try:
        return pipe.recv()
    except (EOFError, OSError):
        return None


def _returned(worker: _Worker) -> list[Task]:
    """What a dead worker leaves to be trained."""
    code = worker.process.exitcode
    return returned(worker.task, f"a training process died (exit code {code}; -9 often means that memory ran out)")


def returned(task: Task, died: str) -> list[Task]:
    """What is left to be trained of a task whose worker died; says so.

    Raises:
        UserError: it is not the first to have died over it, nor the second.
    """
    if not task.stack:
        return []
    if task.lost == RETURNS:
        raise UserError(
            f"{died}, the third over the same {len(task.stack)} runs. Finished runs are kept: start the same command "
            "again, with fewer --workers if memory is short"
        )
    task.lost += 1
    tqdm.write(f"{died}: another one trains its {len(task.stack)} runs", file=sys.stderr)
    return [task]


def _work(trainer: str, pipe: Any, parent: int, parents_pipes: Sequence[Any]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends its workers
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # which a fork would take as its parent does
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    for other in parents_pipes:
        other.close()
    torch.set_num_threads(1)
    keep_freed_memory()
    try:
        while True:
            stack = pipe.recv()
            data = datasets.load(stack[0]["dataset"])
            for epoch in find(trainer).train(stack, data, torch.device("cpu")):
                pipe.send(epoch)
                if os.getppid() != parent:
                    os._exit(1)  # the parent was killed: nobody would keep what is trained here
            pipe.send(DONE)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        os._exit(1)  # the parent is gone
    except UserError as error:
        pipe.send(Failed(str(error)))
    except Exception as error:  # reported in the parent, where somebody reads it; where it comes from too
        pipe.send(Failed(f"training failed: {type(error).__name__}: {error}\n\n{traceback.format_exc()}"))


def keep_freed_memory() -> bool:
    """Have glibc keep what a step frees for the next one; whether it does. With another C library nothing changes.

    By default it hands the pages of a few megabytes back and faults in fresh ones at every step, which may cost a small
    CNN as much as its arithmetic (tests/benchmarks/small_cnn.py). An older glibc refuses so large a threshold and is
    left as it is: with the other one alone, a fixed small threshold would have every step fault in its pages anew.
    """
    if platform.libc_ver()[0] == "glibc":
        mallopt = ctypes.CDLL(None).mallopt  # 1 for done, 0 for refused
        return bool(mallopt(M_MMAP_THRESHOLD, KEPT_BYTES) and mallopt(M_TRIM_THRESHOLD, KEPT_BYTES))
    return False
