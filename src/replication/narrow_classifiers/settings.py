"""Settings of the narrow classifiers: params.yaml, sections imagenette and scales.*.classifiers-*."""

from typing import Annotated, Literal

from msgspec.structs import replace

from replication.core.guided_settings import GuidedSettings, check_baseline, check_fits
from replication.core.schema import Lambdas, Some, Struct, Whole, mistake, named
from replication.core.settings import Parameters
from replication.data.catalogue import check_batches, check_kind
from replication.imagenette import rows
from replication.imagenette.settings import NARROWEST, Training


class Grid(Struct, frozen=True, kw_only=True):
    """Which networks are trained at one scale, for how long, and what depends on the size of their data."""

    dataset: str
    divisor: Whole  # channels of torchvision's network over those of this one
    rows: Annotated[dict[str, str], Some]  # network -> the layers that it guides, by a row's name in Table 2
    lambdas: Lambdas
    replicates: Whole
    precision: Literal["float32", "float64", "bfloat16"]
    batch_size: Whole  # images
    epochs: Whole  # nothing stops a training before, and its learning rate stays


class NarrowSettings(GuidedSettings, frozen=True, kw_only=True):
    """Everything that params.yaml says of one of these families, at one scale."""

    training: Training  # that of Table 2's networks, but that nothing stops it and its learning rate stays
    grid: Grid


def read(parameters: Parameters, family: str) -> NarrowSettings | None:
    """Read and check the settings of one family; None where the scale does not have it.

    Raises:
        UserError: a parameter is unknown, missing, of another type or out of range, or two do not fit each other.
    """
    if parameters.of_scale[family] is None:
        return None
    grid = parameters.grid(Grid, family)
    settings = NarrowSettings(
        family=family,
        scale=parameters.scale,
        lambda_override=parameters.lambdas(family),
        training=_unstopped(parameters.read(Training, "imagenette"), grid.epochs),
        grid=grid,
    )
    _check(settings, parameters.where(family))
    return settings


def _unstopped(training: Training, epochs: int) -> Training:
    """With a patience, and one of the schedule, as long as the training itself neither of them acts."""
    return replace(training, patience=epochs, schedule_patience=epochs, min_delta=0.0)


def _check(settings: NarrowSettings, where: str) -> None:
    """What no field says of itself."""
    grid = settings.grid
    about = check_kind(grid.dataset, "classes", where)
    check_batches(about, [grid.batch_size], f"{where}.batch_size")
    if grid.divisor > NARROWEST:
        raise mistake(f"{where}.divisor", f"{grid.divisor} leaves a layer of {NARROWEST} channels none")
    for network, row in grid.rows.items():
        _check_row(network, row, f"{where}.rows")
    check_baseline(grid.lambdas, where)
    check_fits(where, rows=len(grid.rows), lambdas=len(settings.lambdas), replicates=grid.replicates)


def _check_row(network: str, row: str, where: str) -> None:
    if network not in rows.CONVOLUTIONS:
        raise mistake(where, f"no network {named(network)}: choose {' or '.join(rows.CONVOLUTIONS)}")
    try:
        found = rows.by_name(network, row)
    except ValueError as error:
        raise mistake(f"{where}.{network}", str(error)) from None
    if found is None:
        raise mistake(f"{where}.{network}", f"{row} needs a profile of a network of full width: choose another row")
