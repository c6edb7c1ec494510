"""Committed measurements of speed: data/benchmarks, which tests/benchmarks writes."""

import pandas as pd

from replication.core import paths
from replication.core.files import reading


def measurements(name: str) -> pd.DataFrame:
    """data/benchmarks/NAME.csv, empty where nothing is measured."""
    path = paths.BENCHMARKS / f"{name}.csv"
    with reading(path, "restore it: `git checkout data/benchmarks`"):
        return pd.read_csv(path) if path.exists() else pd.DataFrame()
