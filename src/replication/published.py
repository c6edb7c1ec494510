"""What the paper prints, and what we wrote down about it before our runs: data/published, read and never written."""

from typing import Any

import pandas as pd
from ruamel.yaml import YAML

from replication import paths


def read(name: str) -> Any:
    """The content of data/published/NAME.yaml."""
    return YAML(typ="safe").load(paths.PUBLISHED / f"{name}.yaml")


def table(number: int) -> pd.DataFrame:
    """Table 1, 2 or 3 of the paper as printed."""
    return pd.read_csv(paths.PUBLISHED / f"table{number}.csv")
