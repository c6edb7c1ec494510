"""Where things lie. Everything is relative to the project's folder, but for the run store."""

import os
from pathlib import Path

PARAMS = Path("params.yaml")
PUBLISHED = Path("data/published")
BENCHMARKS = Path("data/benchmarks")
RAW = Path("data/raw")
PREPARED = Path("data/prepared")
RUNS = Path("data/runs")


def store() -> Path:
    """The run store. In a DVC experiment's temporary copy, DVC_ROOT still names the project it came from."""
    return Path(os.environ.get("DVC_ROOT", ".")) / ".runs"


def manifest(scale: str, role: str) -> Path:
    return Path("data/manifests") / scale / f"{role}.json"


def table(scale: str, family: str) -> Path:
    return Path("data/runs") / scale / f"{family}.jsonl"


def record(scale: str, name: str) -> Path:
    return Path("data/runs") / scale / f"{name}.json"


def reports(scale: str) -> Path:
    return Path("reports") / scale


def statistics(scale: str) -> Path:
    return Path("data/statistics") / scale


def sources(scale: str) -> Path:
    return Path("data/sources") / scale
