"""How many processes may run at once: the machine's cores, of them those that we may use, and a container's share."""

import os
from collections.abc import Iterator
from pathlib import Path

from replication.core.errors import UserError

GROUPS = Path("/proc/self/cgroup")  # of this process: NUMBER:CONTROLLERS:PATH a line
MOUNTED = Path("/sys/fs/cgroup")
VARIABLE = "REPLICATION_WORKERS"


def workers() -> int:
    """Processes that train at once on the CPU: REPLICATION_WORKERS, or one a core.

    Raises:
        UserError: the variable holds no such number.
    """
    text = os.environ.get(VARIABLE)
    if text is None:
        return cores()
    if not text.isdecimal() or int(text) < 1:
        raise UserError(f"{VARIABLE} is a number of processes, 1 or more, and not {text!r}")
    return int(text)


def cores() -> int:
    """How many this process may use: no more than it has affinity to, and than the CPU time of its container is for."""
    ours = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([ours, *(int(quota) for quota in _quotas())]))


def _quotas() -> Iterator[float]:
    """Cores' worth of CPU time that a group of this process may take: its own, and those that it is in."""
    try:
        lines = GROUPS.read_text().splitlines()
    except OSError:  # no Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:  # version 2
            folders = [MOUNTED]
        elif "cpu" in controllers.split(","):
            folders = [MOUNTED / "cpu", MOUNTED / controllers]
        else:
            continue
        for folder in folders:
            # In a container the path may be the host's, and what is mounted the container's own group.
            for group in [folder / path.lstrip("/"), *(folder / path.lstrip("/")).parents]:
                if group.is_relative_to(folder) and (quota := _quota(group)) is not None:
                    yield quota


def _quota(group: Path) -> float | None:
    """Time over period, both in microseconds; None where a group has no limit."""
    try:
        text = (group / "cpu.max").read_text()  # version 2: TIME PERIOD
    except OSError:
        try:
            text = f"{(group / 'cpu.cfs_quota_us').read_text()} {(group / 'cpu.cfs_period_us').read_text()}"
        except OSError:
            return None
    time, period = text.split()
    return None if time in ("max", "-1") else int(time) / int(period)
