"""Settings of VGG16 and ResNet-50 (paper, section 5.4; data/published/assumptions.yaml for what it leaves open).

Beside params.yaml they hold what is recorded of the layers that the rows of Table 2 guide.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from replication.core.guided_settings import GuidedSettings, check_baseline, check_fits
from replication.core.profiled_weights import check_weights
from replication.core.schema import Lambdas, NotNegative, Positive, Share, Some, Struct, Whole, mistake
from replication.core.settings import Parameters
from replication.data.catalogue import check_batches, known
from replication.imagenette import rows
from replication.imagenette.rows import Chosen

NARROWEST = 64  # channels of the narrowest layer of torchvision's networks


class Training(Struct, frozen=True, kw_only=True):
    """How one network is trained. Training ends, and its learning rate falls, by the validation accuracy."""

    initialisation: Literal["glorot-uniform", "he-normal"]
    dropout: Share  # of the training with dropout
    form: Literal["reciprocal", "log"]
    epsilon: Positive  # in units of |c11|
    reduction: Literal["sum", "mean"]  # over the filters of a layer
    learning_rate: Positive
    momentum: Share
    weight_decay: NotNegative
    schedule_patience: Whole  # epochs without better accuracy until the learning rate falls
    patience: Whole  # and until training ends
    min_delta: NotNegative  # of the share of wrong answers


class Grid(Struct, frozen=True, kw_only=True):
    """Which rows of Table 2 are trained for one network at one scale, and what depends on the size of its data."""

    dataset: str
    divisor: Whole  # channels of torchvision's network over those of this one
    trainings: Annotated[tuple[Literal["plain", "augmentation", "augmentation+dropout"], ...], Some]
    rows: Annotated[tuple[str, ...], Some]  # guided layers: numbers such as 1+2, or pre-skip, or empirical
    profiles: Annotated[tuple[str, ...], Some] | None  # weights whose profile picks `empirical`; else an unguided run's
    lambdas: Lambdas
    replicates: Whole
    precision: Literal["float32", "float64", "bfloat16", "tf32"]
    batch_size: Whole  # images
    max_epochs: Whole


class ImagenetteSettings(GuidedSettings, frozen=True, kw_only=True):
    """Everything that is given of one family of networks, at one scale."""

    training: Training
    grid: Grid
    recorded: Mapping[str, Chosen]  # what the step `layers` found out, by row

    @property
    def network(self) -> str:
        """torchvision's name of the family's network."""
        return network_of(self.family)


def read(parameters: Parameters, family: str) -> ImagenetteSettings:
    """Read and check the settings of one family.

    Raises:
        UserError: a parameter is unknown, missing, of another type or out of range, or two do not fit each other; the
            record of the layers is damaged.
    """
    if network_of(family) not in rows.CONVOLUTIONS:
        known = ", ".join(rows.CONVOLUTIONS)
        raise mistake(f"families.{family}", f"the name of a family of imagenette begins with its network: {known}")
    settings = ImagenetteSettings(
        family=family,
        scale=parameters.scale,
        lambda_override=parameters.lambdas(family),
        training=parameters.read(Training, "imagenette"),
        grid=parameters.grid(Grid, family),
        recorded=rows.read_record(rows.record_path(parameters.scale, family), network_of(family)),
    )
    _check(settings, parameters.where(family))
    return settings


def network_of(family: str) -> str:
    return family.partition("-")[0]


def _check(settings: ImagenetteSettings, where: str) -> None:
    """What no field says of itself."""
    grid = settings.grid
    about = known(grid.dataset)
    if about is None or about.kind != "classes":
        raise mistake(
            f"{where}.dataset",
            f"{grid.dataset!r} is not Imagenette: choose imagenette-keras-v1, imagenette-keras-v2 or patterns",
        )
    check_batches(about, [grid.batch_size], f"{where}.batch_size")
    if grid.divisor > NARROWEST:
        raise mistake(f"{where}.divisor", f"{grid.divisor} leaves a layer of {NARROWEST} channels none")
    for row in grid.rows:
        try:
            rows.by_name(settings.network, row)
        except ValueError as error:
            raise mistake(f"{where}.rows", str(error)) from None
    check_weights(grid.profiles or (), f"{where}.profiles")
    check_baseline(grid.lambdas, where)
    factors = {"trainings": len(grid.trainings), "rows": len(grid.rows), "lambdas": len(settings.lambdas)}
    check_fits(where, **factors, replicates=grid.replicates)
