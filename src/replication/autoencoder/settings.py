"""Settings of the autoencoders (paper, section 5.2; data/published/assumptions.yaml for what it leaves open)."""

from typing import Annotated, Any, Literal

from msgspec.structs import asdict

from replication.core.guided_settings import GuidedSettings, check_baseline, check_fits
from replication.core.schema import Lambdas, NotNegative, Positive, Some, Struct, Whole, Widths, mistake
from replication.core.settings import Parameters
from replication.core.variants import AtWidths, Variant, check_can_be_trained, read_variants
from replication.data.catalogue import check_batches, check_kind


class Training(Struct, frozen=True, kw_only=True):
    """How one autoencoder is trained."""

    form: Literal["reciprocal", "log", "exact", "scale"]  # scale: a control of the exact form
    epsilon: Positive  # in units of |det W_sq|
    monitor: Literal["total", "base", "keras"]  # keras: the total as Keras's running mean rounds it
    precision: Literal["float32", "float64", "tf32"]
    output_activation: Literal["sigmoid", "linear"]
    learning_rate: Positive
    adam: Literal["torch", "keras"] = "torch"  # whose epsilon: added after the bias correction, or before it
    patience: Whole  # epochs
    min_delta: NotNegative  # of the watched loss


def described(training: Training, **others: Any) -> dict[str, Any]:
    """The settings of a run's training, with others that replace or join them.

    What was not thought of when the first runs were made is in a run's description only where it differs from theirs.
    """
    settings = {**asdict(training), **others}
    if settings["adam"] == "torch":
        del settings["adam"]
    return settings


class Grid(Struct, frozen=True, kw_only=True):
    """Which autoencoders are trained at one scale, and what depends on the size of its data."""

    dataset: str
    widths: Widths  # hidden units
    test_width: Whole  # of the printed test table
    lambdas: Lambdas
    replicates: Whole
    batch_size: Whole  # images
    max_epochs: Whole
    unstopped_widths: Widths
    variant_widths: Widths  # of the control and of the variants
    variant_replicates: Whole  # the control has as many as the grid


class Calibration(Struct, frozen=True, kw_only=True):
    """Baseline settings to compare with the published baseline (lambda = 0 only)."""

    widths: Widths
    batch_sizes: Widths  # images
    min_deltas: Annotated[tuple[NotNegative, ...], Some]
    replicates: Whole
    max_epochs: Whole


class AutoencoderSettings(GuidedSettings, frozen=True, kw_only=True):
    """Everything that params.yaml says of one family of autoencoders, at one scale."""

    training: Training
    grid: Grid
    variants: dict[str, Variant]
    calibration: Calibration


def read(parameters: Parameters, family: str) -> AutoencoderSettings:
    """Read and check the settings of one family.

    Raises:
        UserError: a parameter is unknown, missing, of another type or out of range, or two do not fit each other.
    """
    settings = AutoencoderSettings(
        family=family,
        scale=parameters.scale,
        lambda_override=parameters.lambdas(family),
        training=parameters.read(Training, "autoencoder"),
        grid=parameters.grid(Grid, family),
        variants=read_variants(parameters.section("variants"), "variants", Training, AtWidths),
        calibration=parameters.read(Calibration, "calibration"),
    )
    own = {name: one for name, one in settings.variants.items() if family in (one.families or [family])}
    _check(settings.grid, own, parameters.where(family))
    check_can_be_trained(settings.variants, parameters, "variants")
    _check_calibration(settings, parameters.where(family))
    check_fits(
        parameters.where(family),
        widths=len(settings.grid.widths),
        lambdas=len(settings.lambdas),
        replicates=settings.grid.replicates,
    )
    return settings


def _check_calibration(settings: AutoencoderSettings, where: str) -> None:
    wanted = settings.calibration
    if wanted.max_epochs > settings.grid.max_epochs:
        raise mistake(
            "calibration.max_epochs",
            f"{wanted.max_epochs} are more than the {settings.grid.max_epochs} of a training, {where}.max_epochs",
        )
    about = check_kind(settings.grid.dataset, "small images", where)
    check_batches(about, wanted.batch_sizes, "calibration.batch_sizes")
    check_fits(
        "calibration",
        batch_sizes=len(wanted.batch_sizes),
        widths=len(wanted.widths),
        replicates=wanted.replicates,
    )


def _check(grid: Grid, variants: dict[str, Variant], where: str) -> None:
    """What no field says of itself."""
    about = check_kind(grid.dataset, "small images", where)
    check_batches(about, [grid.batch_size], f"{where}.batch_size")
    for name in ("unstopped_widths", "variant_widths"):
        if off := sorted(set(getattr(grid, name)) - set(grid.widths)):
            raise mistake(f"{where}.{name}", f"{', '.join(map(str, off))} is not among the grid's widths")
    if grid.test_width not in grid.widths:
        raise mistake(f"{where}.test_width", f"{grid.test_width} is not among the grid's widths")
    if grid.variant_replicates > grid.replicates:
        raise mistake(
            f"{where}.variant_replicates",
            f"{grid.variant_replicates}, but the unguided runs that variants stand beside have {grid.replicates}",
        )
    check_baseline(grid.lambdas, where)
    for name, variant in variants.items():
        if off := sorted(set(variant.widths or ()) - set(grid.widths)):
            raise mistake(f"variants.{name}.widths", f"{', '.join(map(str, off))} is not among the widths of {where}")
        if variant.replicates is not None and variant.replicates > grid.replicates:
            raise mistake(
                f"variants.{name}.replicates", f"{variant.replicates}, but the grid of {where} has {grid.replicates}"
            )
