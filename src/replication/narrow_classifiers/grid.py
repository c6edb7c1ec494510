"""The runs of the narrow classifiers: each network's row of Table 2, seed by seed. Their trainer is the full ones'."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from msgspec.structs import asdict

from replication.core.run import Run, unique, without_unused
from replication.core.runs import Record, table_of
from replication.imagenette.rows import by_name
from replication.narrow_classifiers.settings import NarrowSettings

if TYPE_CHECKING:
    import pandas as pd

TRAINING = "plain"
LAST = 5  # epochs


def make_run(settings: NarrowSettings, network: str, lambda_: float, replicate: int) -> Run:
    """One network."""
    chosen = settings.grid
    row = chosen.rows[network]
    layers = by_name(network, row)
    assert layers is not None
    assert layers.numbers is not None
    described: dict[str, Any] = {
        "dataset": chosen.dataset,
        "network": network,
        "divisor": chosen.divisor,
        "training": TRAINING,
        "row": row,
        "lambda": lambda_,
        "replicate": replicate,
        "layers": "-".join(map(str, layers.numbers)),
        **asdict(settings.training),
        "precision": chosen.precision,
        "batch_size": chosen.batch_size,
        "max_epochs": chosen.epochs,
    }
    return Run(settings.family, without_unused(described, layers="none", reduction="none"))


def grid(settings: NarrowSettings) -> list[Run]:
    """Every run of a family, in the order of params.yaml: seed by seed, network by network, lambda by lambda."""
    return unique(
        make_run(settings, network, lambda_, replicate)
        for replicate in range(settings.grid.replicates)
        for network in settings.grid.rows
        for lambda_ in settings.lambdas
    )


def frame(records: Iterable[Record]) -> "pd.DataFrame":
    """One row a run (see `core.runs.table_of`), and `last_accuracy`, the mean of its last five epochs."""
    found = list(records)
    table = table_of(found, ["network", "lambda", "replicate", "best_accuracy"])
    last = [record["history"]["accuracy"][-LAST:] for record in found]
    return table.assign(last_accuracy=[sum(accuracies) / len(accuracies) for accuracies in last])
