"""VGG16 and ResNet-50 on Imagenette, paper section 5.4: the grid behind Table 2.

A row of Table 2 is a network, a training and the layers that are guided; it has a baseline of its own, as in the paper.
The name of the row is part of what a run starts from, so that the runs of a row share initial weights and batches and
those of two rows do not: the 18 rows are independent of one another.

Which layers a row's name means is known before a run is described: its setting `layers` holds their numbers, so that
its key, and its record, say what was guided. Where that is not known yet, as of `empirical` before the step `layers`
has found a profile, the grid leaves the row's guided runs out.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from msgspec.structs import asdict

from replication.core.run import Run, unique, without_unused
from replication.core.runs import Record, table_of
from replication.imagenette import rows
from replication.imagenette.rows import Chosen
from replication.imagenette.settings import ImagenetteSettings

if TYPE_CHECKING:
    import pandas as pd

BASELINE = 0.0
ROW = ["network", "training", "row"]  # what tells the rows of Table 2 apart
WAITING = "not known before the first unguided run has finished"
OUTDATED = "not known: the record was made with other settings, and `python -m replication layers` makes it anew"


def make_run(
    settings: ImagenetteSettings,
    *,
    training: str,
    row: str,
    lambda_: float,
    replicate: int = 0,
    layers: str = "none",
) -> Run:
    """One network."""
    chosen = settings.grid
    described: dict[str, Any] = {
        "dataset": chosen.dataset,
        "network": settings.network,
        "divisor": chosen.divisor,
        "training": training,
        "row": row,
        "lambda": lambda_,
        "replicate": replicate,
        "layers": layers,
        **asdict(settings.training),
        "precision": chosen.precision,
        "batch_size": chosen.batch_size,
        "max_epochs": chosen.max_epochs,
    }
    return Run(settings.family, without_unused(described, layers="none", reduction="none"))


def grid(settings: ImagenetteSettings) -> list[Run]:
    """Every run that can be described now: all but the guided ones of rows whose layers are not known."""
    chosen = settings.grid
    layers = {row: guided_layers(settings, row).numbers for row in chosen.rows}
    return unique(
        make_run(
            settings,
            training=training,
            row=row,
            lambda_=lambda_,
            replicate=replicate,
            layers="-".join(map(str, numbers or ())),
        )
        for replicate in range(chosen.replicates)
        for training in chosen.trainings
        for row, numbers in layers.items()
        for lambda_ in settings.lambdas
        if numbers is not None or lambda_ == BASELINE
    )


def planned(settings: ImagenetteSettings) -> int:
    """Runs of the whole grid, those that cannot be described yet included."""
    chosen = settings.grid
    return len(set(chosen.trainings)) * len(set(chosen.rows)) * len(set(settings.lambdas)) * chosen.replicates


def guided_layers(settings: ImagenetteSettings, row: str) -> Chosen:
    """The layers that a row of Table 2 guides, as far as they are known.

    What is recorded counts only if these settings would have had it chosen from the same profile.
    """
    named = rows.by_name(settings.network, row)
    if named is not None:
        return named
    found = settings.recorded.get(row)
    if found is None:
        return Chosen(numbers=None, source=WAITING)
    if found.basis not in {*(settings.grid.profiles or ()), first_unguided(settings).key}:
        return Chosen(numbers=None, source=OUTDATED)
    return found


def first_unguided(settings: ImagenetteSettings) -> Run:
    """The unguided run whose profile stands in for that of a pretrained network."""
    chosen = settings.grid
    return make_run(settings, training=chosen.trainings[0], row=chosen.rows[0], lambda_=BASELINE)


def frame(records: Iterable[Record]) -> "pd.DataFrame":
    """One row a run: see `core.runs.table_of`."""
    return table_of(records, [*ROW, "lambda", "replicate", "best_accuracy"])
