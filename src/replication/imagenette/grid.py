"""VGG16 and ResNet-50 on Imagenette, paper section 5.4: the grid behind Table 2.

A row of Table 2 is a network, a training and the layers that are guided; it has a baseline of its own, as in the paper.
The name of the row is part of what a run starts from, so that the runs of a row share initial weights and batches and
those of two rows do not: the 18 rows are independent of one another.

Which layers `pre-skip` and `empirical` mean is found out before a run is described: its setting `layers` holds their
numbers, so that its key, and its record, say what was guided. Pre-skip layers follow from the network's graph alone.
Empirical layers follow from a recorded profile of trained weights, the same on every machine that has the record: the
first of the grid's `profiles` that the profile stage has recorded; where it has none, the profile in the record of the
family's own first unguided run. Until that run has finished, the guided runs of an empirical row cannot be described:
the grid leaves them out, and a sweep asks for it again when it has trained the others.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch

from entropy_guidance import selection
from replication.core import describe, paths
from replication.core.errors import UserError
from replication.core.runs import Record, Run, Store, read_current, unique
from replication.core.settings import Settings
from replication.profiles import record as profiles

EMPIRICAL, PRE_SKIP = "empirical", "pre-skip"
BASELINE = 0.0
CONVOLUTIONS = {"vgg16": 13, "resnet50": 53}
ROW = ["network", "training", "row"]  # what tells the rows of Table 2 apart


@dataclass(frozen=True)
class Chosen:
    """Numbers of the guided layers, and what they were chosen from."""

    numbers: tuple[int, ...]
    source: str


def make_run(
    settings: Settings,
    family: str,
    *,
    training: str,
    row: str,
    lambda_: float,
    replicate: int = 0,
    layers: str = "none",
) -> Run:
    """One classifier."""
    grid = settings.classifier_grids[family]
    described: dict[str, Any] = {
        "dataset": grid.dataset,
        "network": network(family),
        "divisor": grid.divisor,
        "training": training,
        "row": row,
        "lambda": lambda_,
        "replicate": replicate,
        "layers": layers,
        **vars(settings.classifiers),
        "precision": grid.precision,
        "batch_size": grid.batch_size,
        "max_epochs": grid.max_epochs,
    }
    return Run(family, describe.blanked(described, layers="none", reduction="none"))


def network(family: str) -> str:
    """torchvision's name of the family's network."""
    return family.partition("-")[0]


def grid(settings: Settings, family: str) -> list[Run]:
    """Every run that can be described now: all but, perhaps, the guided ones of empirical rows (see above).

    Raises:
        UserError: a row's name means no layers of this network.
    """
    chosen = settings.classifier_grids[family]
    layers = {row: guided_layers(settings, family, row) for row in chosen.rows}
    return unique(
        make_run(
            settings,
            family,
            training=training,
            row=row,
            lambda_=lambda_,
            replicate=replicate,
            layers="-".join(map(str, found.numbers)) if found else "none",
        )
        for replicate in range(chosen.replicates)
        for training in chosen.trainings
        for row, found in layers.items()
        for lambda_ in settings.lambdas_of(chosen)
        if found is not None or lambda_ == BASELINE
    )


def planned(settings: Settings, family: str) -> int:
    """Runs of the whole grid, those that cannot be described yet included."""
    chosen = settings.classifier_grids[family]
    return len(set(chosen.trainings)) * len(set(chosen.rows)) * len(settings.lambdas_of(chosen)) * chosen.replicates


def guided_layers(settings: Settings, family: str, row: str) -> Chosen | None:
    """The layers that a row of Table 2 guides; None for `empirical` while no profile is recorded.

    Raises:
        UserError: the name means no layers of this network.
    """
    if row == EMPIRICAL:
        return _empirical(settings, family)
    where = f"scales.{settings.scale}.{family}.rows"
    if row == PRE_SKIP:
        if numbers := _pre_skip(settings, family):
            return Chosen(numbers, "the network's graph")
        raise UserError(f"{where}: {network(family)} has no skip connections")
    try:
        numbers = tuple(int(number) for number in row.split("+"))
    except ValueError:
        numbers = (0,)
    last = CONVOLUTIONS[network(family)]
    if not all(1 <= number <= last for number in numbers):
        raise UserError(
            f"{where}: {row!r} is no row. Write numbers of convolutions, 1 to {last}, such as '1+2', or {PRE_SKIP}, or "
            f"{EMPIRICAL}"
        )
    return Chosen(numbers, "the paper")


def _pre_skip(settings: Settings, family: str) -> tuple[int, ...]:
    """As the profile stage has recorded them, or from the network itself where it has not."""
    if layers := _recorded(settings, family):
        return tuple(layer["layer"] for layer in layers if layer["pre_skip"])
    from replication.profiles import zoo  # torchvision takes seconds to import

    with torch.device("meta"):
        model = zoo.build(network(family))
    names = selection.convolutions(model)
    return tuple(names.index(name) + 1 for name in selection.by_role(model, "pre-skip", torch.empty(1, 3, 64, 64)))


def _recorded(settings: Settings, family: str, weights: str | None = None) -> list[dict[str, Any]]:
    """Lines of the profile stage's record: those of one kind of weights, or of the first that it has."""
    lines = profiles.read_record(profiles.record_path(settings.scale, network(family)))
    lines = [line for line in lines if line["network"] == network(family)]  # at demo scale another may stand in
    kind = weights or next((line["weights"] for line in lines), None)
    return [line for line in lines if line["weights"] == kind]


def _empirical(settings: Settings, family: str) -> Chosen | None:
    for weights in settings.classifier_grids[family].profiles or ():
        if layers := _recorded(settings, family, weights):
            return _highest(layers, f"the recorded profile of its {weights} weights ({layers[0]['source']})")
    record = _finished(settings, family, first_unguided(settings, family))
    if record is None:
        return None
    return _highest(
        record["profile"],
        f"the profile of an unguided run here ({record['run']['training']}, row {record['run']['row']}, validation "
        f"accuracy {record['metrics']['accuracy']:.3f} after {record['metrics']['stopping_epoch']} epochs)",
    )


def first_unguided(settings: Settings, family: str) -> Run:
    """The unguided run whose profile stands in for that of a pretrained network."""
    chosen = settings.classifier_grids[family]
    return make_run(settings, family, training=chosen.trainings[0], row=chosen.rows[0], lambda_=BASELINE)


def _finished(settings: Settings, family: str, run: Run) -> Record | None:
    store = Store(paths.store())
    if run.key in store.keys():
        return store[run.key]
    table = read_current(paths.table(settings.scale, family))
    return next((record for record in table if record["key"] == run.key), None)


def _highest(layers: list[dict[str, Any]], source: str) -> Chosen | None:
    """By `selection.empirical`; None where the weights were not finite."""
    names = selection.empirical(pd.DataFrame(layers))
    numbers = tuple(layer["layer"] for layer in layers if layer["name"] in names)
    return Chosen(numbers, source) if numbers else None


def frame(records: Iterable[Record]) -> pd.DataFrame:
    """One row a run: see `describe.frame`."""
    return describe.frame(records, [*ROW, "lambda", "replicate", "best_accuracy"])
