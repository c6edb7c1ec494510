"""U-Nets on COCO, paper section 5.5: the grid behind Table 3 and Figure 10."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from msgspec.structs import asdict

from replication.coco_unet.settings import UNetSettings
from replication.core.run import Run, unique, without_unused
from replication.core.runs import Record, table_of

if TYPE_CHECKING:
    import pandas as pd


def make_run(settings: UNetSettings, lambda_: float, **changes: Any) -> Run:
    """One U-Net."""
    chosen = settings.grid
    described = {
        "dataset": chosen.dataset,
        "widths": "-".join(map(str, chosen.widths)),
        "lambda": lambda_,
        "replicate": 0,
        "placement": chosen.placement,
        **asdict(settings.training),
        "precision": chosen.precision,
        "batch_size": chosen.batch_size,
        "max_epochs": chosen.max_epochs,
        **changes,
    }
    return Run(settings.family, without_unused(described, placement="none", reduction="none", monitor="base"))


def grid(settings: UNetSettings) -> list[Run]:
    """Table 3, its control (early stopping on the MSE alone), more unguided seeds, and the first placements."""
    chosen, lambdas = settings.grid, settings.lambdas
    runs = [make_run(settings, lambda_) for lambda_ in lambdas]
    runs += [make_run(settings, lambda_, monitor="base") for lambda_ in lambdas]
    runs += [make_run(settings, 0.0, replicate=replicate) for replicate in range(chosen.unguided_replicates)]
    runs += [
        make_run(settings, lambda_, placement=placement)
        for placement in chosen.first_placements or ()
        for lambda_ in lambdas
    ]
    return unique(runs)


def frame(records: Iterable[Record]) -> "pd.DataFrame":
    """One row a run (see `core.runs.table_of`), by lambda."""
    table = table_of(records, ["lambda", "replicate", "placement", "monitor", "key"])
    return table.sort_values(["lambda", "replicate"], ignore_index=True)
