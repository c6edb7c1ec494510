"""U-Nets on COCO, paper section 5.5: the grid behind Table 3 and Figure 10."""

from collections.abc import Iterable
from typing import Any

import pandas as pd

from replication.core import describe
from replication.core.runs import Record, Run, unique
from replication.core.settings import Settings


def make_run(settings: Settings, family: str, lambda_: float, **changes: Any) -> Run:
    """One U-Net."""
    grid = settings.unet_grids[family]
    described = {
        "dataset": grid.dataset,
        "widths": "-".join(map(str, grid.widths)),
        "lambda": lambda_,
        "replicate": 0,
        "placement": grid.placement,
        **vars(settings.unet),
        "precision": grid.precision,
        "batch_size": grid.batch_size,
        "max_epochs": grid.max_epochs,
        **changes,
    }
    return Run(family, describe.blanked(described, placement="none", reduction="none", monitor="base"))


def grid(settings: Settings, family: str) -> list[Run]:
    """Table 3, its control (early stopping on the MSE alone), more unguided seeds, and the first placements.

    In the order in which they are worth having.
    """
    if family not in settings.unet_grids:
        return []
    chosen = settings.unet_grids[family]
    lambdas = settings.lambdas_of(chosen)
    runs = [make_run(settings, family, lambda_) for lambda_ in lambdas]
    runs += [make_run(settings, family, lambda_, monitor="base") for lambda_ in lambdas]
    runs += [make_run(settings, family, 0.0, replicate=replicate) for replicate in range(chosen.unguided_replicates)]
    runs += [
        make_run(settings, family, lambda_, placement=placement)
        for placement in chosen.first_placements or ()
        for lambda_ in lambdas
    ]
    return unique(runs)


def frame(records: Iterable[Record]) -> pd.DataFrame:
    """One row a run (see `describe.frame`), by lambda."""
    table = describe.frame(records, ["lambda", "replicate", "placement", "monitor", "key"])
    return table.sort_values(["lambda", "replicate"], ignore_index=True)
