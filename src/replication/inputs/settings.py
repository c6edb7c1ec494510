"""Settings of the autoencoders that tell what the penalty touches (H9, H10): params.yaml, scales.*.inputs-*."""

from dataclasses import dataclass
from typing import Any, Literal

from replication.autoencoder.training.guided_inputs import LEADING, RULES, canonical
from replication.core.params import build, check_keys, convert, mapping, mistake


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
