"""What a benchmark says of the machine that it ran on."""

import platform
import time
from pathlib import Path

import torch


def processor() -> str:
    """The processor's name where the system tells it, else its kind."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text().splitlines() if about.exists() else []
    names = {line.partition(":")[2].strip() for line in lines if line.startswith("model name")}
    return ", ".join(sorted(names)) or platform.machine()


def product_rate() -> float:
    """Floating-point operations a second of a 1024 x 1024 x 1024 float32 product on one core."""
    a, b, out = (torch.rand(1024, 1024) for _ in range(3))
    seconds = []
    for _ in range(30):
        start = time.thread_time()
        torch.mm(a, b, out=out)
        seconds.append(time.thread_time() - start)
    return 2 * 1024**3 / min(seconds)
