"""Settings of the rivals of entropy guidance on the small CNN: params.yaml, sections rivals and scales.*.rivals-*."""

from typing import Annotated, Literal

import msgspec

from replication.core import room_for
from replication.core.schema import Positive, Some, Struct, Whole, mistake
from replication.core.settings import Parameters
from replication.data.catalogue import check_batches, check_kind
from replication.small_cnn.geometry import feature_sides
from replication.small_cnn.settings import Training as SmallCnnTraining

UNGUIDED = "unguided"  # the arm that all others stand beside
FEEDBACKS = ("feedback", "feedback-gradient", "feedback-permuted", "feedback-diagonal")
GUIDED = ("reciprocal", "exact", "decay")  # at lambda of the small CNNs' families: `lambda:` replaces it
WITHOUT_LAMBDA = {"none": 0.0, "plain-bottleneck": 0.0, **dict.fromkeys(FEEDBACKS, 1.0)}  # what their runs say of it

Form = Literal[
    "none",
    "reciprocal",  # entropy guidance of the first convolution, in the paper's modified form
    "exact",  # and by the exact entropy change
    "decay",  # weight decay in its place
    "smoothing",  # of the labels; lambda is the share that is spread over all classes
    "penalty",  # on confidence; lambda is nats of the loss a nat of entropy
    "bottleneck",  # variational; lambda is beta, on the KL
    "plain-bottleneck",  # the same layers without noise
    "feedback",  # of transfer entropy, on the last layer's weights
    "feedback-gradient",  # and on their gradient
    "feedback-permuted",  # placebo: the source's symbols in another order within each batch
    "feedback-diagonal",  # placebo: the mean over all pairs, on the diagonal
    "shrink",  # of the last layer's weights; lambda is the sum over an epoch of the shares that they lose a step
]
Strengths = Positive | Annotated[tuple[Positive, ...], Some]


class Training(Struct, frozen=True, kw_only=True):
    """What the rivals need beside the small CNNs' settings, and the values of lambda that a user chooses himself."""

    penalty: Strengths | None  # null: the arm's own; else these, beside the unguided runs, and no other arm
    smoothing: Strengths | None
    bottleneck: Strengths | None
    window: Whole  # images of the transfer entropy
    bottleneck_width: Whole  # units

    def chosen(self) -> dict[str, tuple[float, ...]]:
        """The user's values by form."""
        said = {form: getattr(self, form) for form in ("penalty", "smoothing", "bottleneck")}
        return {
            form: value if isinstance(value, tuple) else (value,) for form, value in said.items() if value is not None
        }


class Arm(Struct, frozen=True, kw_only=True):
    """Runs that are trained in one way, at some values of lambda, one for each replicate."""

    form: Form = "none"
    lambdas: Annotated[tuple[Positive, ...], Some] | None = None  # None: of a form that has none
    blocks: Whole = 1
    width: Whole | None = None  # maps of each block; None: the grid's
    replicates: Whole | None = None  # None: the grid's


class Grid(Struct, frozen=True, kw_only=True):
    """Which networks are trained at one scale."""

    dataset: str
    width: Whole  # maps
    replicates: Whole
    epochs: Whole
    arms: dict[str, Arm]


class RivalsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that params.yaml says of one of these families, at one scale."""

    family: str
    scale: str
    lambda_override: tuple[float, ...] | None
    small_cnn: SmallCnnTraining  # what the runs share with Table 1's
    training: Training
    grid: Grid

    def values(self, arm: Arm) -> tuple[float, ...]:
        """The lambda at which an arm is trained."""
        if arm.form in WITHOUT_LAMBDA:
            return (WITHOUT_LAMBDA[arm.form],)
        if arm.form in GUIDED and self.lambda_override is not None:
            return tuple(value for value in self.lambda_override if value)
        return self.training.chosen().get(arm.form, arm.lambdas or ())

    @property
    def arms(self) -> dict[str, Arm]:
        """Those that are trained: all, or those of the forms whose values the user chose, and the unguided one."""
        chosen = self.training.chosen()
        return {
            name: arm for name, arm in self.grid.arms.items() if not chosen or name == UNGUIDED or arm.form in chosen
        }


def read(parameters: Parameters, family: str) -> RivalsSettings | None:
    """Read and check the settings of one family; None where the scale does not have it.

    Raises:
        UserError: a parameter is unknown, missing, of another type or out of range, or two do not fit each other.
    """
    if parameters.of_scale[family] is None:
        return None
    settings = RivalsSettings(
        family=family,
        scale=parameters.scale,
        lambda_override=parameters.lambdas(family),
        small_cnn=parameters.read(SmallCnnTraining, "cnn"),
        training=parameters.read(Training, "rivals"),
        grid=parameters.grid(Grid, family),
    )
    _check(settings, parameters.where(family))
    return settings


def _check(settings: RivalsSettings, where: str) -> None:
    """What no field says of itself."""
    grid, batch = settings.grid, settings.small_cnn.batch_size
    if settings.training.window % batch or settings.training.window < 2:
        raise mistake(
            "rivals.window", f"{settings.training.window} images, expected whole batches, a multiple of {batch}"
        )
    about = check_kind(grid.dataset, "small images", where)
    check_batches(about, [settings.small_cnn.batch_size], "cnn.batch_size")
    if grid.arms.get(UNGUIDED) != Arm():
        raise mistake(f"{where}.arms", f"the baseline is missing: write {UNGUIDED}: {{}}")
    for name, arm in grid.arms.items():
        _check_arm(arm, f"{where}.arms.{name}")
        if about is None:
            continue
        sides = feature_sides(about.side, min(arm.blocks, about.side), settings.small_cnn.padding)
        if sides[-1] < 1:
            size = f"{about.side} x {about.side}"
            raise mistake(f"{where}.arms.{name}.blocks", f"{arm.blocks} blocks leave no pixel of {size}")
    if any(share >= 1 for share in settings.training.chosen().get("smoothing", ())):
        raise mistake("rivals.smoothing", "expected shares below 1")


def _check_arm(arm: Arm, where: str) -> None:
    room_for.check_runs(arm.replicates or 0, f"{where}.replicates")
    if arm.form in WITHOUT_LAMBDA and arm.lambdas is not None:
        raise mistake(f"{where}.lambdas", f"the form {arm.form} has none: leave them away")
    if arm.form not in WITHOUT_LAMBDA and arm.lambdas is None:
        raise mistake(where, f"missing parameter lambdas, which the form {arm.form} needs")
    if arm.form == "smoothing" and any(share >= 1 for share in arm.lambdas or ()):
        raise mistake(f"{where}.lambdas", "expected shares below 1")
