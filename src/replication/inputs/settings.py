"""Settings of the autoencoders that tell what the penalty touches (H9, H10): params.yaml, scales.*.inputs-*."""

from typing import Any, Literal

import msgspec

from replication.autoencoder.inputs import LEADING, RULES, canonical
from replication.autoencoder.settings import Training
from replication.core.schema import Lambdas, Positive, Struct, Whole, Widths, mapping, mistake, read_as
from replication.core.settings import Parameters


class Arm(Struct, frozen=True, kw_only=True):
    """Runs that are guided in one way, at some widths and lambda, one for each replicate."""

    widths: Widths  # hidden units
    lambdas: Lambdas
    form: Literal["log", "exact", "scale"] = "log"  # scale: the norm of the guided block alone, a placebo
    inputs: str = LEADING  # of the guided block: leading (the paper's), a rule, or a list of inputs
    rate_factor: Positive = 1.0  # times the learning rate
    weight_factor: Positive = 1.0  # times the encoder's initial weights


class _Grid(Struct, frozen=True, kw_only=True):
    """As params.yaml has it."""

    dataset: str
    batch_size: Whole  # images
    max_epochs: Whole
    replicates: Whole
    arms: dict[str, dict[str, Any]]


class Grid(_Grid, frozen=True, kw_only=True):
    """Which of these autoencoders are trained at one scale. Nothing is stopped early."""

    arms: dict[str, Arm]  # type: ignore[assignment]


class InputsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that params.yaml says of one of these families, at one scale."""

    family: str
    scale: str
    lambda_override: tuple[float, ...] | None
    published: Training  # what the runs share with the published ones
    grid: Grid


def read(parameters: Parameters, family: str) -> InputsSettings | None:
    """Read and check the settings of one family; None where the scale does not have it.

    Raises:
        UserError: a parameter is unknown, missing, of another type or out of range, or inputs that cannot be.
    """
    if parameters.of_scale[family] is None:
        return None
    return InputsSettings(
        family=family,
        scale=parameters.scale,
        lambda_override=parameters.lambda_override,
        published=parameters.read(Training, "autoencoder"),
        grid=read_grid(parameters.of_scale[family], parameters.where(family)),
    )


def read_grid(raw: Any, where: str) -> Grid:
    """The grid of one family."""
    grid = read_as(_Grid, raw, where)
    arms = {name: _arm(value, f"{where}.arms.{name}") for name, value in grid.arms.items()}
    return Grid(
        dataset=grid.dataset,
        batch_size=grid.batch_size,
        max_epochs=grid.max_epochs,
        replicates=grid.replicates,
        arms=arms,
    )


def _arm(raw: Any, where: str) -> Arm:
    said = mapping(raw, where)
    try:
        inputs = canonical(said.get("inputs", LEADING))
    except ValueError as error:
        raise mistake(f"{where}.inputs", str(error)) from None
    arm = read_as(Arm, said | {"inputs": inputs}, where)
    if arm.inputs != LEADING and arm.form == "exact":
        raise mistake(f"{where}.inputs", "the exact form acts on all inputs: leave inputs away")
    if arm.inputs not in (LEADING, *RULES) and (wrong := set(arm.widths) - {listed := len(arm.inputs.split(","))}):
        raise mistake(
            f"{where}.inputs", f"{listed} inputs are listed for width {min(wrong)}: list as many as the width"
        )
    return arm
