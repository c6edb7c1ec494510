"""Known traps of a machine and its libraries: what is tried or looked up, what was found, and what it means here."""

import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from replication.core import cores

EXCLUDED_TORCH = "2.13.0"  # as pyproject.toml has it
ROWS = 160  # of a matrix: from 151 on torch's batched LU may be wrong on a CPU with several threads
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Trap:
    """One check."""

    name: str
    state: Literal["ok", "note", "problem"]
    found: str


def check() -> Iterator[Trap]:
    """All of them; takes a second, torch's import apart."""
    yield _torch_version()
    yield _batched_lu()
    yield _threads()
    yield _freed_memory()


def _torch_version() -> Trap:
    import torch  # takes seconds, which --help should not wait

    version = torch.__version__.partition("+")[0]
    if version == EXCLUDED_TORCH:
        return Trap("torch", "problem", f"version {version} is not supported: install what requirements.lock has")
    return Trap("torch", "ok", f"version {version}")


def _batched_lu() -> Trap:
    """Determinants of a batch, with as many threads as there are cores, beside those of its matrices one by one."""
    import torch

    number, before = max(2, cores.cores()), torch.get_num_threads()
    stack = torch.randn(4, ROWS, ROWS, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = torch.stack([torch.linalg.slogdet(one).logabsdet for one in stack])
    torch.set_num_threads(number)
    try:
        with _silent():
            found = torch.linalg.slogdet(stack).logabsdet
    finally:
        torch.set_num_threads(before)
    if torch.allclose(found, expected, atol=1e-6):
        return Trap("batched LU", "ok", f"right with {number} threads")
    return Trap(
        "batched LU",
        "note",
        f"torch's is wrong with {number} threads from 151 rows on. Nothing here uses it so: large matrices are taken "
        "one by one, small networks train with one thread",
    )


@contextmanager
def _silent() -> Iterator[None]:
    """What libraries print at a mistake of theirs is not for the user."""
    sys.stdout.flush()
    kept = [os.dup(number) for number in (1, 2)]
    with Path(os.devnull).open("w") as nothing:
        try:
            for number in (1, 2):
                os.dup2(nothing.fileno(), number)
            yield
        finally:
            for number, before in zip((1, 2), kept, strict=True):
                os.dup2(before, number)
                os.close(before)


def _threads() -> Trap:
    import torch

    ours, machine = cores.cores(), os.cpu_count() or 1
    said = [f"{name}={os.environ[name]}" for name in (*THREADS, cores.VARIABLE) if name in os.environ]
    found = f"{ours} of {machine} cores may be used, {cores.workers()} processes train small networks"
    found += f" ({', '.join(said)})" if said else ""
    if torch.get_num_threads() < ours:
        return Trap("threads", "note", f"{found}. Large networks get {torch.get_num_threads()} of {ours} cores")
    if cores.workers() > ours:
        return Trap("threads", "note", f"{found}: more processes than cores")
    return Trap("threads", "ok", found)


def _freed_memory() -> Trap:
    from replication.core.executors import keep_freed_memory

    library, version = platform.libc_ver()
    if library != "glibc":
        return Trap("memory", "note", f"no glibc ({sys.platform}): small networks may train slower")
    if keep_freed_memory():
        return Trap("memory", "ok", f"glibc {version} keeps what a step frees")
    return Trap("memory", "note", f"glibc {version} refuses to keep what a step frees: small networks train slower")
