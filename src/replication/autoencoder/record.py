"""The record of what the guided square parts see of the images (`square_part` makes it). Reading it needs no torch."""

import pandas as pd

from replication.core import paths, strict_json
from replication.core.files import reading

NAME = "square-part"


def read(scale: str, family: str) -> pd.DataFrame:
    """The recorded table of a family (see `square_part.seen`), empty where nothing is recorded."""
    path = paths.record(scale, NAME)
    with reading(path, "`python -m replication square-part` writes it anew"):
        return pd.DataFrame(strict_json.loads(path.read_text())[family] if path.exists() else [])
