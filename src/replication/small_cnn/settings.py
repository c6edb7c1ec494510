"""Settings of the small CNNs (paper, section 5.3; data/published/assumptions.yaml for what it leaves open)."""

import math
from collections.abc import Iterable
from typing import Annotated, Literal

from msgspec.structs import replace

from replication.core.guided_settings import GuidedSettings, check_baseline, check_fits
from replication.core.schema import (
    Lambdas,
    Number,
    Positive,
    Share,
    Some,
    Struct,
    Whole,
    Widths,
    mistake,
    named,
    read_some,
)
from replication.core.settings import Parameters
from replication.core.variants import AtReplicates, Variant, check_can_be_trained, read_variants
from replication.data.catalogue import check_batches, check_kind, known
from replication.small_cnn.geometry import Padding, feature_sides

CIFAR10, MNIST = "cnn-cifar10", "cnn-mnist"  # the paper's families: that of Table 1, and its control
CANDIDATE = ("batch_size", "padding", "negative_slope")  # the settings that calibration compares

Names = Annotated[tuple[str, ...], Some]


class Training(Struct, frozen=True, kw_only=True):
    """How one small CNN is trained."""

    form: Literal["reciprocal", "log", "exact", "decay"]  # decay: weight decay in the guidance's place
    epsilon: Positive  # in units of the guided weight
    anchor: Literal["corner", "center", "random"]  # other places than the corner are placebos
    precision: Literal["float32", "float64", "tf32"]
    learning_rate: Positive
    batch_size: Whole  # images
    padding: Padding
    negative_slope: Share  # of the leaky ReLU


class Grid(Struct, frozen=True, kw_only=True):
    """Which small CNNs are trained at one scale. The smallest architecture is the first of `blocks` and `widths`."""

    dataset: str
    blocks: Widths  # convolutions
    widths: Widths  # filters of each
    lambdas: Lambdas
    replicates: Whole
    smallest_replicates: Whole  # of the smallest architecture
    variants: Names | None  # of `cnn_variants`, for the smallest architecture
    weaker_lambdas: Lambdas | None  # guided as the paper's, but below its lambda: the smallest architecture
    epochs: Whole


class Calibration(Struct, frozen=True, kw_only=True):
    """Settings whose baselines (lambda = 0 only) are compared with the published ones.

    Each candidate changes some of the settings in use. Its runs last `epochs`, and tell what fewer would have given.
    """

    candidates: Annotated[dict[str, dict[str, Number]], Some]
    blocks: Widths
    widths: Widths
    replicates: Whole
    epochs: Whole
    lengths: Widths  # numbers of epochs to compare


class CnnSettings(GuidedSettings, frozen=True, kw_only=True):
    """Everything that params.yaml says of one family of small CNNs, at one scale."""

    training: Training
    grid: Grid
    variants: dict[str, Variant]  # those that may be named in a grid
    calibration: Calibration


def read(parameters: Parameters, family: str) -> CnnSettings:
    """Read and check the settings of one family.

    Raises:
        UserError: a parameter is unknown, missing, of another type or out of range, or two do not fit each other.
    """
    settings = CnnSettings(
        family=family,
        scale=parameters.scale,
        lambda_override=parameters.lambdas(family),
        training=parameters.read(Training, "cnn"),
        grid=parameters.grid(Grid, family),
        variants=read_variants(parameters.section("cnn_variants"), "cnn_variants", Training, AtReplicates),
        calibration=_calibration(parameters),
    )
    _check(settings, parameters.where(family))
    check_can_be_trained(settings.variants, parameters, "cnn_variants")
    _check_named(settings.variants, parameters)
    _check_calibration(settings)
    return settings


def _calibration(parameters: Parameters) -> Calibration:
    wanted = parameters.read(Calibration, "cnn_calibration")
    where = "cnn_calibration.candidates"
    candidates = {
        name: read_some(Training, changes, f"{where}.{named(name)}") for name, changes in wanted.candidates.items()
    }
    for name, changes in candidates.items():
        if other := sorted(changes.keys() - set(CANDIDATE)):
            raise mistake(
                f"{where}.{named(name)}", f"{', '.join(other)} is not compared. Known: {', '.join(CANDIDATE)}"
            )
    return replace(wanted, candidates=candidates)


def _check(settings: CnnSettings, where: str) -> None:
    """What no field of the grid says of itself."""
    grid = settings.grid
    if unknown := sorted(set(grid.variants or ()) - settings.variants.keys()):
        there = ", ".join(map(named, settings.variants))
        raise mistake(f"{where}.variants", f"unknown {', '.join(map(named, unknown))}. Known: {there}")
    for name in grid.variants or ():
        more = settings.variants[name].replicates or 0
        if more > grid.smallest_replicates:
            said = f"{more}, but the smallest architecture has {grid.smallest_replicates} unguided runs"
            raise mistake(f"cnn_variants.{named(name)}.replicates", said)
    check_baseline(grid.lambdas, where)
    least = min((lambda_ for lambda_ in grid.lambdas if lambda_), default=math.inf)
    if not all(0 < lambda_ < least for lambda_ in grid.weaker_lambdas or ()):
        raise mistake(f"{where}.weaker_lambdas", f"expected numbers between 0 and the grid's smallest, {least:g}")
    if grid.smallest_replicates < grid.replicates:
        raise mistake(
            f"{where}.smallest_replicates",
            f"{grid.smallest_replicates}, but the smallest architecture has at least the {grid.replicates} of the rest",
        )
    about = check_kind(grid.dataset, "small images", where)
    check_batches(about, [settings.training.batch_size], "cnn.batch_size")
    _check_pixels(grid, settings.training.padding, grid.blocks, f"{where}.blocks")
    factors = {"blocks": len(grid.blocks), "widths": len(grid.widths), "lambdas": len(settings.lambdas)}
    check_fits(where, **factors, replicates=grid.replicates)
    check_fits(where, lambdas=len(settings.lambdas), smallest_replicates=grid.smallest_replicates)


def _check_calibration(settings: CnnSettings) -> None:
    """It compares lengths that its runs have; its candidates see the images of Table 1."""
    wanted = settings.calibration
    if (longest := max(wanted.lengths)) > wanted.epochs:
        said = f"{longest} epochs are more than the {wanted.epochs} of its runs, cnn_calibration.epochs"
        raise mistake("cnn_calibration.lengths", said)
    factors = {"candidates": len(wanted.candidates), "blocks": len(wanted.blocks), "widths": len(wanted.widths)}
    check_fits("cnn_calibration", **factors, replicates=wanted.replicates)
    if settings.family == CIFAR10:
        for name, changes in wanted.candidates.items():
            training = replace(settings.training, **changes)
            where = f"cnn_calibration.candidates.{named(name)}.batch_size"
            check_batches(known(settings.grid.dataset), [training.batch_size], where)
            _check_pixels(settings.grid, training.padding, wanted.blocks, "cnn_calibration.blocks")


def _check_named(variants: Iterable[str], parameters: Parameters) -> None:
    """A variant is trained where a family's grid names it; one that no grid names would train nothing."""
    scales = [scale for scale in parameters.scales.values() if isinstance(scale, dict)]
    grids = [grid for scale in scales for name in parameters.families if isinstance(grid := scale.get(name), dict)]
    named_ = {name for grid in grids if isinstance(names := grid.get("variants"), list) for name in names}
    if unnamed := [name for name in variants if name not in named_]:
        raise mistake(
            f"cnn_variants.{unnamed[0]}",
            f"no grid names it, so it would train nothing: add it to scales.{parameters.scale}.{CIFAR10}.variants",
        )


def _check_pixels(grid: Grid, padding: Padding, blocks: Iterable[int], where: str) -> None:
    """Each block halves the image, and leaves at least one pixel of it."""
    about = known(grid.dataset)
    if about is not None and feature_sides(about.side, min(max(blocks), about.side), padding)[-1] < 1:
        size = f"{about.side} x {about.side}"
        raise mistake(where, f"{max(blocks)} blocks leave no pixel of the {size} of {grid.dataset} (padding {padding})")
