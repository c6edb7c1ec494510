"""Settings of the U-Nets (paper, section 5.5; data/published/assumptions.yaml for what it leaves open)."""

from typing import Annotated, Literal

from replication.coco_unet.layer_numbers import SKIP_FEEDING, layers_by_number, numbers_of
from replication.core.guided_settings import GuidedSettings, check_baseline, check_fits
from replication.core.schema import Lambdas, NotNegative, Positive, Share, Some, Struct, Whole, Widths, mistake, named
from replication.core.settings import Parameters
from replication.data.catalogue import check_batches, known


class Training(Struct, frozen=True, kw_only=True):
    """How one U-Net is trained."""

    network: Literal["unet", "smp-unet", "smp-unet-imagenet"]
    dropout: Share
    form: Literal["reciprocal", "log"]
    epsilon: Positive  # in units of |c11|
    reduction: Literal["sum", "mean"]  # over the filters of a layer
    monitor: Literal["total", "base"]
    learning_rate: Positive
    patience: Whole  # epochs
    min_delta: NotNegative  # of the watched loss


class Grid(Struct, frozen=True, kw_only=True):
    """Which U-Nets are trained at one scale, and what depends on the size of its data."""

    dataset: str
    widths: Widths  # filters of the encoder's levels and of the bottleneck
    placement: str  # Table 3's: numbers as the paper counts, or skip-feeding
    first_placements: Annotated[tuple[str, ...], Some] | None
    lambdas: Lambdas
    unguided_replicates: Whole  # seeds; guided runs have the first one's
    precision: Literal["float32", "float64", "bfloat16", "tf32"]
    batch_size: Whole  # images
    max_epochs: Whole


class UNetSettings(GuidedSettings, frozen=True, kw_only=True):
    """Everything that params.yaml says of one family of U-Nets, at one scale."""

    training: Training
    grid: Grid


def read(parameters: Parameters, family: str) -> UNetSettings:
    """Read and check the settings of one family.

    Raises:
        UserError: a parameter is unknown, missing, of another type or out of range, or two do not fit each other.
    """
    settings = UNetSettings(
        family=family,
        scale=parameters.scale,
        lambda_override=parameters.lambdas(family),
        training=parameters.read(Training, "unet"),
        grid=parameters.grid(Grid, family),
    )
    _check(settings, parameters.where(family))
    return settings


def _check(settings: UNetSettings, where: str) -> None:
    """What no field says of itself."""
    grid = settings.grid
    about = known(grid.dataset)
    if about is None or about.kind != "masks":
        said = (
            f"{grid.dataset!r} has no masks: choose drawings, or coco-TRAIN-VALIDATION such as coco-keras-60000-10000"
        )
        raise mistake(f"{where}.dataset", said)
    check_batches(about, [grid.batch_size], f"{where}.batch_size")
    side = about.side
    levels = len(grid.widths) - 1  # each halves the image
    if levels < 1:
        raise mistake(f"{where}.widths", "a U-Net has two widths at least: a level of its encoder, and the bottleneck")
    if levels > side or side % 2**levels:
        raise mistake(f"{where}.widths", f"{levels} levels do not halve {side} pixels evenly: leave some out")
    for name, placements in (("placement", (grid.placement,)), ("first_placements", grid.first_placements or ())):
        for placement in placements:
            _check_placement(placement, settings.training.network, levels, f"{where}.{name}")
    check_baseline(grid.lambdas, where)
    check_fits(where, unguided_replicates=grid.unguided_replicates)
    check_fits(where, first_placements=len(grid.first_placements or ()), lambdas=len(settings.lambdas))


def _check_placement(placement: str, network: str, levels: int, where: str) -> None:
    if placement == SKIP_FEEDING:
        return
    if network != "unet":
        said = f"{named(placement)} are numbers of the paper's own U-Net, and unet.network is {network}"
        raise mistake(where, f"{said}: choose {SKIP_FEEDING}")
    try:
        layers_by_number(levels, numbers_of(placement))
    except ValueError as error:
        raise mistake(where, f"{named(placement)}: {error}") from None
