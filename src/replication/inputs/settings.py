"""Settings of the autoencoders that tell what the penalty touches (H9, H10): params.yaml, scales.*.inputs-*."""

import re
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from replication.autoencoder.settings import Training
from replication.core.schema import Lambdas, Positive, Struct, Whole, Widths, mistake, read_as
from replication.core.settings import Parameters

LEADING = "leading"  # the paper's
RULES = MOST_VARIABLE, DEAD_ONLY, RAREST = "most-variable", "dead-only", "rarest"  # by which others are chosen


class Arm(Struct, frozen=True, kw_only=True):
    """Runs that are guided in one way, at some widths and lambda, one for each replicate."""

    widths: Widths  # hidden units
    lambdas: Lambdas
    form: Literal["log", "exact", "scale"] = "log"  # scale: the norm of the guided block alone, a placebo
    inputs: Any = LEADING  # of the guided block: the paper's, those of a rule, or a list; read as one text
    rate_factor: Positive = 1.0  # times the learning rate
    weight_factor: Positive = 1.0  # times the encoder's initial weights


class Grid(Struct, frozen=True, kw_only=True):
    """Which of these autoencoders are trained at one scale. Nothing is stopped early."""

    dataset: str
    batch_size: Whole  # images
    max_epochs: Whole
    replicates: Whole
    arms: dict[str, Any]  # each an `Arm`


class InputsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that params.yaml says of one of these families, at one scale."""

    family: str
    scale: str
    lambda_override: tuple[float, ...] | None
    training: Training  # the published autoencoders'
    grid: Grid
    arms: dict[str, Arm]


def read(parameters: Parameters, family: str) -> InputsSettings | None:
    """Read and check the settings of one family; None where the scale does not have it.

    Raises:
        UserError: a parameter is unknown, missing, of another type or out of range, or inputs that cannot be.
    """
    if parameters.of_scale[family] is None:
        return None
    grid = parameters.grid(Grid, family)
    where = f"{parameters.where(family)}.arms"
    return InputsSettings(
        family=family,
        scale=parameters.scale,
        lambda_override=parameters.lambda_override,
        training=parameters.read(Training, "autoencoder"),
        grid=grid,
        arms={name: read_arm(raw, f"{where}.{name}") for name, raw in grid.arms.items()},
    )


def read_arm(raw: Any, where: str) -> Arm:
    """One arm, with its inputs as one text."""
    arm = read_as(Arm, raw, where)
    try:
        inputs = canonical(arm.inputs)
    except ValueError as error:
        raise mistake(f"{where}.inputs", str(error)) from None
    if inputs != LEADING and arm.form == "exact":
        raise mistake(f"{where}.inputs", "the exact form acts on all inputs: leave inputs away")
    if inputs not in (LEADING, *RULES) and (wrong := set(arm.widths) - {listed := len(inputs.split(","))}):
        raise mistake(
            f"{where}.inputs", f"{listed} inputs are listed for width {min(wrong)}: list as many as the width"
        )
    return replace(arm, inputs=inputs)


def canonical(inputs: Any) -> str:
    """How a run says its inputs: the name of a rule, or the listed numbers in ascending order.

    Raises:
        ValueError: neither a rule nor different whole numbers.

    >>> canonical([7, 0, 300])
    '0,7,300'
    """
    if inputs in (LEADING, *RULES):
        return str(inputs)
    listed = inputs
    if isinstance(inputs, str) and re.fullmatch(r"\d+(,\d+)*", inputs):
        listed = [int(number) for number in inputs.split(",")]
    if not isinstance(listed, list) or not listed or any(type(n) is not int or n < 0 for n in listed):
        rules = ", ".join([LEADING, *RULES])
        raise ValueError(f"got {inputs!r}: choose one of {rules}, or list the numbers of inputs, from 0")
    if twice := sorted({number for number in listed if listed.count(number) > 1}):
        raise ValueError(f"input {twice[0]} is listed twice")
    return ",".join(str(number) for number in sorted(listed))
