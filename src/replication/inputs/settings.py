"""Settings of the autoencoders that tell what the penalty touches (H9, H10): params.yaml, scales.*.inputs-*."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from replication.core.params import build, check_keys, convert, mapping, mistake

LEADING = "leading"  # the paper's
RULES = MOST_VARIABLE, DEAD_ONLY, RAREST = "most-variable", "dead-only", "rarest"  # by which others are chosen


@dataclass(frozen=True, kw_only=True)
class InputsArm:
    """Runs that are guided in one way, at some widths and lambda, one for each replicate."""

    widths: tuple[int, ...]
    lambdas: tuple[float, ...]
    form: Literal["log", "exact", "scale"]  # scale: the norm of the guided block alone, a placebo
    inputs: str  # of the guided block: leading (the paper's), a rule, or a list of inputs
    rate_factor: float  # times the learning rate
    weight_factor: float  # times the encoder's initial weights


@dataclass(frozen=True, kw_only=True)
class InputsGrid:
    """Which of these autoencoders are trained at one scale. Nothing is stopped early."""

    dataset: str
    batch_size: int
    max_epochs: int
    replicates: int
    arms: dict[str, InputsArm]


DEFAULTS: dict[str, Any] = {"form": "log", "inputs": LEADING, "rate_factor": 1.0, "weight_factor": 1.0}


def inputs_grid(raw: Any, where: str) -> InputsGrid:
    """Read and check one grid.

    Raises:
        UserError: a parameter is unknown, missing or of the wrong type, or inputs that cannot be.
    """
    check_keys(raw, {"dataset", "batch_size", "max_epochs", "replicates", "arms"}, where)
    arms = mapping(raw["arms"], f"{where}.arms")
    return InputsGrid(
        dataset=convert(raw["dataset"], str, f"{where}.dataset"),
        batch_size=convert(raw["batch_size"], int, f"{where}.batch_size"),
        max_epochs=convert(raw["max_epochs"], int, f"{where}.max_epochs"),
        replicates=convert(raw["replicates"], int, f"{where}.replicates"),
        arms={name: _arm(value, f"{where}.arms.{name}") for name, value in arms.items()},
    )


def _arm(raw: Any, where: str) -> InputsArm:
    said = DEFAULTS | mapping(raw, where)
    try:
        said["inputs"] = canonical(said["inputs"])
    except ValueError as error:
        raise mistake(f"{where}.inputs", str(error)) from None
    arm: InputsArm = build(InputsArm, said, where)
    if arm.inputs != LEADING and arm.form == "exact":
        raise mistake(f"{where}.inputs", "the exact form acts on all inputs: leave inputs away")
    if arm.inputs not in (LEADING, *RULES) and (wrong := set(arm.widths) - {listed := len(arm.inputs.split(","))}):
        raise mistake(
            f"{where}.inputs", f"{listed} inputs are listed for width {min(wrong)}: list as many as the width"
        )
    if arm.rate_factor == 0 or arm.weight_factor == 0:
        raise mistake(where, "rate_factor and weight_factor multiply: expected positive numbers")
    return arm


def canonical(inputs: str | Sequence[int]) -> str:
    """How a run says its inputs: the name of a rule, or the listed numbers in ascending order.

    Raises:
        ValueError: neither a rule nor different whole numbers.

    >>> canonical([7, 0, 300])
    '0,7,300'
    """
    if inputs == LEADING or (isinstance(inputs, str) and inputs in RULES):
        return str(inputs)
    if isinstance(inputs, str) and re.fullmatch(r"\d+(,\d+)*", inputs):
        inputs = [int(number) for number in inputs.split(",")]
    listed = isinstance(inputs, Sequence) and not isinstance(inputs, str) and len(inputs) > 0
    if not listed or any(type(number) is not int or number < 0 for number in inputs):
        rules = ", ".join([LEADING, *RULES])
        raise ValueError(f"got {inputs!r}: choose one of {rules}, or list the numbers of inputs, from 0")
    if twice := sorted({number for number in inputs if list(inputs).count(number) > 1}):
        raise ValueError(f"input {twice[0]} is listed twice")
    return ",".join(str(number) for number in sorted(inputs))
