"""Where a record was made: code, machine and libraries. What nobody can tell is `NOT_RECORDED`."""

import platform
import re
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

NOT_RECORDED = "not recorded"
MODULE = "src/replication/core/provenance.py"
CODE = ("src", "params.yaml")  # what decides numbers; a sweep itself changes its tables
VECTORS = re.compile(r"avx\w*|fma|amx\w*|asimd\w*|sve\w*|sse4_2")  # as /proc/cpuinfo names instructions
CPUINFO = Path("/proc/cpuinfo")


def environment(device: "torch.device", models: int) -> dict[str, str]:
    """Where and when a stack of models was trained, for their records.

    Keys: device, torch, stack (models in it); commit (its hash, with " (changed)" after it where the code differs from
    it), date (UTC, ISO 8601), processor, instructions (vector instructions that it has), capability (those that torch
    uses), threads, python, numpy, scipy, blas. One lock gives Python 3.11 other versions of numpy and scipy than 3.12.
    """
    import torch  # takes seconds, which readers of records need not wait

    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return {
        "device": f"{device.type} {name}",
        "torch": torch.__version__,
        "stack": str(models),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "threads": str(torch.get_num_threads()),
        **_of_this_process(),
    }


def recorded(environment: Mapping[str, str], name: str) -> str:
    """One entry of a record's environment; older records lack most of them."""
    return environment.get(name, NOT_RECORDED)


@cache
def _of_this_process() -> dict[str, str]:
    import torch

    processor, instructions = _processor()
    return {
        "commit": commit(Path(__file__).parents[3]),
        "processor": processor,
        "instructions": instructions,
        "capability": torch.backends.cpu.get_cpu_capability(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": version("scipy"),
        "blas": _blas(torch.__config__.show()),
    }


def commit(folder: Path) -> str:
    """The commit that the code in a folder was checked out from."""
    try:
        _git(folder, "ls-files", "--error-unmatch", MODULE)  # else: within another's repository
        found = _git(folder, "rev-parse", "HEAD")
        return found + " (changed)" * bool(_git(folder, "status", "--porcelain", "--", *CODE))
    except (OSError, subprocess.SubprocessError):  # no git, no checkout, no commit yet, or one of somebody else's
        return NOT_RECORDED


def _git(folder: Path, *command: str) -> str:
    done = subprocess.run(["git", "-C", folder, *command], capture_output=True, text=True, check=True, timeout=30)
    return done.stdout.strip()


def _processor() -> tuple[str, str]:
    """Its model, and its vector instructions."""
    try:
        lines = CPUINFO.read_text().splitlines()
    except OSError:
        lines = []
    said = dict(reversed([[part.strip() for part in line.split(":", 1)] for line in lines if ":" in line]))
    flags = (said.get("flags") or said.get("Features") or "").split()
    vectors = sorted(flag for flag in flags if VECTORS.fullmatch(flag))
    return said.get("model name") or platform.processor() or NOT_RECORDED, " ".join(vectors) or NOT_RECORDED


def _blas(configuration: str) -> str:
    """Torch's BLAS, with MKL's version where it is MKL."""
    name = re.search(r"BLAS_INFO=(\w+)", configuration)
    version = re.search(r"Math Kernel Library Version ([\d.]+)", configuration)
    if name is None:
        return NOT_RECORDED
    return f"{name[1]} {version[1]}" if name[1] == "mkl" and version else name[1]
