"""Who executes runs. An executor takes stacks of runs and yields their epochs; it knows neither store nor tables."""

import ctypes
import multiprocessing
import os
import platform
import queue
import signal
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from replication import data as datasets
from replication.core.errors import UserError
from replication.core.runs import Run
from replication.training.trainer import Epoch, find

Stack = Sequence[Run]

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's mallopt
KEPT_BYTES = 1 << 30


@dataclass(frozen=True)
class Failed:
    """A worker met an error; the message is for the user."""

    message: str


class OutOfTime(Exception):
    """The time budget is spent; what is still in training is given up."""


def in_process(stacks: Sequence[Stack], trainer: str, device: torch.device, deadline: float) -> Iterator[Epoch]:
    """Train one stack after the other in this process. `deadline` is in seconds of time.time().

    Raises:
        OutOfTime: the deadline has passed.
    """
    keep_freed_memory()
    for stack in stacks:
        if time.time() > deadline:
            raise OutOfTime
        data = datasets.load(stack[0]["dataset"])
        for epoch in find(trainer).train(stack, data, device):
            yield epoch
            if time.time() > deadline:
                raise OutOfTime


def local_workers(stacks: Sequence[Stack], trainer: str, workers: int, deadline: float) -> Iterator[Epoch]:
    """Train stacks in several processes of one thread each, on the CPU.

    Raises:
        UserError: a worker died or failed.
        OutOfTime: the deadline has passed.
    """
    context = multiprocessing.get_context("spawn")
    tasks: multiprocessing.Queue[Stack | None] = context.Queue()
    events: multiprocessing.Queue[Epoch | Failed | None] = context.Queue()
    for stack in [*stacks, *[None] * workers]:
        tasks.put(stack)
    processes = [
        context.Process(target=_work, args=(trainer, tasks, events, os.getpid()), daemon=True) for _ in range(workers)
    ]
    for process in processes:
        process.start()
    running = workers
    try:
        while running:
            if time.time() > deadline:
                raise OutOfTime
            try:
                event = events.get(timeout=1)
            except queue.Empty:
                for process in processes:
                    if process.exitcode:
                        raise UserError(
                            f"a training process died (exit code {process.exitcode}; -9 often means that memory ran "
                            "out). Finished runs are kept: start the same command again"
                        ) from None
                continue
            if event is None:
                running -= 1
            elif isinstance(event, Failed):
                raise UserError(event.message)
            else:
                yield event
    finally:
        tasks.cancel_join_thread()  # this process may end though nobody reads the tasks that are left
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()


def _work(
    trainer: str,
    tasks: "multiprocessing.Queue[Stack | None]",
    events: "multiprocessing.Queue[Epoch | Failed | None]",
    parent: int,
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends its workers
    torch.set_num_threads(1)
    keep_freed_memory()
    try:
        while (stack := tasks.get()) is not None:
            data = datasets.load(stack[0]["dataset"])
            for epoch in find(trainer).train(stack, data, torch.device("cpu")):
                events.put(epoch)
                if os.getppid() != parent:
                    os._exit(1)  # the parent was killed: nobody would keep what is trained here
        events.put(None)
    except UserError as error:
        events.put(Failed(str(error)))
    except Exception as error:  # reported in the parent, where somebody reads it; where it comes from too
        events.put(Failed(f"training failed: {type(error).__name__}: {error}\n\n{traceback.format_exc()}"))


def keep_freed_memory() -> None:
    """Have glibc keep what a step frees for the next one. With another C library nothing changes.

    By default it hands the pages of a few megabytes back and faults in fresh ones at every step, which may cost a small
    CNN as much as its arithmetic (tests/benchmarks/small_cnn.py). An older glibc refuses so large a threshold and is
    left as it is: with the other one alone, a fixed small threshold would have every step fault in its pages anew.
    """
    if platform.libc_ver()[0] == "glibc":
        mallopt = ctypes.CDLL(None).mallopt  # 1 for done, 0 for refused
        if mallopt(M_MMAP_THRESHOLD, KEPT_BYTES):
            mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
