"""Settings of the autoencoders that tell what the penalty touches (H9, H10): params.yaml, scales.*.inputs-*."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from replication.autoencoder.inputs import LEADING, RULES, canonical
from replication.autoencoder.settings import Training
from replication.core.guided_settings import check_fits
from replication.core.schema import Lambdas, Positive, Struct, Whole, Widths, mapping, mistake, named, read_as
from replication.core.settings import Parameters
from replication.data.catalogue import Known, check_batches, check_kind


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
    arms: Annotated[dict[str, dict[str, Any]], Meta(min_length=1)]


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
        lambda_override=parameters.lambdas(family),
        published=parameters.read(Training, "autoencoder"),
        grid=read_grid(parameters.of_scale[family], parameters.where(family)),
    )


def read_grid(raw: Any, where: str) -> Grid:
    """The grid of one family."""
    grid = read_as(_Grid, raw, where)
    about = check_kind(grid.dataset, "small images", where)
    check_batches(about, [grid.batch_size], f"{where}.batch_size")
    arms = {name: _arm(value, about, f"{where}.arms.{named(name)}") for name, value in grid.arms.items()}
    for name, arm in arms.items():
        check_fits(
            f"{where}.arms.{named(name)}",
            widths=len(arm.widths),
            lambdas=len(arm.lambdas),
            replicates=grid.replicates,
        )
    _check_baselines(arms, where)
    return Grid(
        dataset=grid.dataset,
        batch_size=grid.batch_size,
        max_epochs=grid.max_epochs,
        replicates=grid.replicates,
        arms=arms,
    )


def _check_baselines(arms: Mapping[str, Arm], where: str) -> None:
    """Every arm has unguided runs of its widths beside it."""
    plain = [arm for arm in arms.values() if 0 in arm.lambdas and arm.rate_factor == arm.weight_factor == 1]
    there = {width for arm in plain for width in arm.widths}
    for name, arm in arms.items():
        if alone := sorted(set(arm.widths) - there):
            said = f"no arm has unguided runs of width {', '.join(map(str, alone))}: lambda 0, and both factors 1"
            raise mistake(f"{where}.arms.{named(name)}.widths", said)


def _arm(raw: Any, about: Known | None, where: str) -> Arm:
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
    if about is not None and arm.inputs != LEADING:
        _check_inputs(arm, about.inputs, where)
    return arm


def _check_inputs(arm: Arm, there: int, where: str) -> None:
    """The images have as many inputs as are guided, and those that are listed."""
    if max(arm.widths) > there:
        raise mistake(f"{where}.widths", f"{max(arm.widths):,} guided inputs are more than the {there:,} of an image")
    if arm.inputs not in RULES and (largest := max(map(int, arm.inputs.split(",")))) >= there:
        raise mistake(f"{where}.inputs", f"input {largest} is listed, and an image has the inputs 0 to {there - 1}")
