"""Settings of guidance before a batch norm: params.yaml, sections norms and scales.*.norms-*."""

from typing import Literal

import msgspec

from replication.core import room_for
from replication.core.schema import Lambdas, Positive, Struct, Whole, mistake
from replication.core.settings import Parameters
from replication.data.catalogue import check_batches, check_kind

Form = Literal[
    "none",
    "log",  # entropy guidance of the pre-skip convolutions
    "scale",  # of the same gradient what changes a filter's length alone
    "rate",  # no penalty: steps as much shorter as the form scale would make them
]
GUIDED: tuple[Form, ...] = ("log", "scale", "rate")
SMALLEST = 8  # pixels of a side: two blocks halve it


class Training(Struct, frozen=True, kw_only=True):
    """How every run is trained."""

    learning_rate: Positive
    batch_size: Whole
    precision: Literal["float32", "float64", "tf32"]


class Grid(Struct, frozen=True, kw_only=True):
    """Which networks are trained at one scale."""

    dataset: str
    width: Whole  # maps of the first stage
    lambdas: Lambdas
    replicates: Whole
    epochs: Whole


class NormsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that params.yaml says of one of these families, at one scale."""

    family: str
    scale: str
    lambda_override: tuple[float, ...] | None
    training: Training
    grid: Grid

    @property
    def lambdas(self) -> tuple[float, ...]:
        """Of guided runs."""
        chosen = self.grid.lambdas if self.lambda_override is None else self.lambda_override
        return tuple(value for value in chosen if value)


def read(parameters: Parameters, family: str) -> NormsSettings | None:
    """Read and check the settings of one family; None where the scale does not have it.

    Raises:
        UserError: a parameter is unknown, missing, of another type or out of range, or two do not fit each other.
    """
    if parameters.of_scale[family] is None:
        return None
    settings = NormsSettings(
        family=family,
        scale=parameters.scale,
        lambda_override=parameters.lambdas(family),
        training=parameters.read(Training, "norms"),
        grid=parameters.grid(Grid, family),
    )
    where = parameters.where(family)
    about = check_kind(settings.grid.dataset, "small images", where)
    check_batches(about, [settings.training.batch_size], "norms.batch_size")
    room_for.check_runs(settings.grid.replicates, f"{where}.replicates")
    if about is not None and about.side < SMALLEST:
        raise mistake(f"{where}.dataset", f"images of {about.side} pixels a side, {SMALLEST} or more are needed")
    return settings
