"""params.yaml -> checked, typed settings for one scale."""

import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from ruamel.yaml import YAML

from replication.core import paths
from replication.core.errors import UserError
from replication.core.params import build, check_keys, convert, is_number, mapping, mistake, part, read
from replication.core.runs import PAIRED_SETTINGS
from replication.inputs.settings import InputsGrid, inputs_grid


@dataclass(frozen=True, kw_only=True)
class AutoencoderTraining:
    """How one autoencoder is trained (paper, section 5.2; data/published/assumptions.yaml for what it leaves open)."""

    form: Literal["reciprocal", "log", "exact", "scale"]  # scale: a control of the exact form
    epsilon: float
    monitor: Literal["total", "base", "keras"]  # keras: the total as Keras's running mean rounds it
    precision: Literal["float32", "float64"]
    output_activation: Literal["sigmoid", "linear"]
    learning_rate: float
    patience: int
    min_delta: float


@dataclass(frozen=True, kw_only=True)
class AutoencoderGrid:
    """Which autoencoders are trained at one scale, and what depends on the size of its data."""

    dataset: str
    widths: tuple[int, ...]
    test_width: int  # of the printed test table
    lambdas: tuple[float, ...]
    replicates: int
    batch_size: int
    max_epochs: int
    unstopped_widths: tuple[int, ...]
    variant_widths: tuple[int, ...]  # of the control and of the variants
    variant_replicates: int  # the control has as many as the grid


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A named change of the published protocol, trained at a few lambda (hypotheses H1, H2 and H4)."""

    lambdas: tuple[float, ...]
    changes: dict[str, float | int | str]  # settings of AutoencoderTraining or CnnTraining


@dataclass(frozen=True, kw_only=True)
class UNetTraining:
    """How one U-Net is trained (paper, section 5.5; data/published/assumptions.yaml for what it leaves open)."""

    network: Literal["unet", "smp-unet", "smp-unet-imagenet"]
    dropout: float
    form: Literal["reciprocal", "log"]
    epsilon: float
    reduction: Literal["sum", "mean"]
    monitor: Literal["total", "base"]
    learning_rate: float
    patience: int
    min_delta: float


@dataclass(frozen=True, kw_only=True)
class UNetGrid:
    """Which U-Nets are trained at one scale, and what depends on the size of its data."""

    dataset: str
    widths: tuple[int, ...]
    placement: str  # Table 3's: numbers as the paper counts, or skip-feeding
    first_placements: tuple[str, ...] | None
    lambdas: tuple[float, ...]
    unguided_replicates: int  # seeds; guided runs have the first one's
    precision: Literal["float32", "float64", "bfloat16"]
    batch_size: int
    max_epochs: int


@dataclass(frozen=True, kw_only=True)
class ClassifierTraining:
    """How VGG16 and ResNet-50 are trained (paper, section 5.4; for what it leaves open, assumptions.yaml).

    Training ends, and its learning rate falls, by the validation accuracy.
    """

    initialisation: Literal["glorot-uniform", "he-normal"]
    dropout: float  # of the training with dropout
    form: Literal["reciprocal", "log"]
    epsilon: float
    reduction: Literal["sum", "mean"]
    learning_rate: float
    momentum: float
    weight_decay: float
    schedule_patience: int  # epochs without better accuracy until the learning rate falls
    patience: int  # and until training ends
    min_delta: float


@dataclass(frozen=True, kw_only=True)
class ClassifierGrid:
    """Which rows of Table 2 are trained for one network at one scale, and what depends on the size of its data."""

    dataset: str
    divisor: int  # channels of torchvision's network over those of this one
    trainings: tuple[Literal["plain", "augmentation", "augmentation+dropout"], ...]
    rows: tuple[str, ...]  # guided layers: numbers such as 1+2, or pre-skip, or empirical
    profiles: tuple[str, ...] | None  # weights whose recorded profile picks `empirical`; else the unguided run's
    lambdas: tuple[float, ...]
    replicates: int
    precision: Literal["float32", "float64", "bfloat16"]
    batch_size: int
    max_epochs: int


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Baseline settings to compare with the published baseline (lambda = 0 only)."""

    widths: tuple[int, ...]
    batch_sizes: tuple[int, ...]
    min_deltas: tuple[float, ...]
    replicates: int
    max_epochs: int


@dataclass(frozen=True, kw_only=True)
class CnnTraining:
    """How one small CNN is trained (paper, section 5.3; data/published/assumptions.yaml for what it leaves open)."""

    form: Literal["reciprocal", "log", "exact", "decay"]  # decay: weight decay in the guidance's place
    epsilon: float
    anchor: Literal["corner", "center", "random"]  # other places than the corner are placebos
    precision: Literal["float32", "float64"]
    learning_rate: float
    batch_size: int
    padding: Literal["valid", "same"]
    negative_slope: float  # of the leaky ReLU


@dataclass(frozen=True, kw_only=True)
class CnnGrid:
    """Which small CNNs are trained at one scale. The smallest architecture is the first of `blocks` and `widths`."""

    dataset: str
    blocks: tuple[int, ...]
    widths: tuple[int, ...]
    lambdas: tuple[float, ...]
    replicates: int
    smallest_replicates: int  # of the smallest architecture
    variants: tuple[str, ...] | None  # of `cnn_variants`, for the smallest architecture
    weaker_lambdas: tuple[float, ...] | None  # guided as the paper's, but below its lambda: the smallest architecture
    epochs: int


@dataclass(frozen=True, kw_only=True)
class CnnCalibration:
    """Settings whose baselines (lambda = 0 only) are compared with the published ones.

    Each candidate changes some of the settings in use. Its runs last `epochs`, and tell what fewer would have given.
    """

    candidates: dict[str, dict[str, float | int | str]]
    blocks: tuple[int, ...]
    widths: tuple[int, ...]
    replicates: int
    epochs: int
    lengths: tuple[int, ...]  # numbers of epochs to compare


@dataclass(frozen=True, kw_only=True)
class Theory:
    """How much the theory stage draws (paper, section 3)."""

    layers: int  # random layers of each class
    filters: int  # random filters for the comparison of corners
    samples: int  # points of one nearest-neighbour estimate
    repeats: int  # estimates behind one mean


@dataclass(frozen=True, kw_only=True)
class ProfileGrid:
    """Which network stands for one of the paper's at one scale, and with which weights it is profiled."""

    network: str  # or a family of U-Nets: its network
    weights: tuple[str, ...]  # imagenet (Keras's), edges, trained (here), sample (trained on the sample), random


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that params.yaml says, for one scale."""

    scale: str
    lambda_override: tuple[float, ...] | None  # `lambda:` in params.yaml
    autoencoder: AutoencoderTraining
    variants: dict[str, Variant]
    autoencoder_grids: dict[str, AutoencoderGrid]
    unet: UNetTraining
    unet_grids: dict[str, UNetGrid]  # those that this scale has
    classifiers: ClassifierTraining
    classifier_grids: dict[str, ClassifierGrid]
    calibration: Calibration
    cnn: CnnTraining
    cnn_variants: dict[str, Variant]
    cnn_grids: dict[str, CnnGrid]
    cnn_calibration: CnnCalibration
    inputs_grids: dict[str, InputsGrid]  # those that this scale has
    theory: Theory
    profiles: dict[str, ProfileGrid]

    @property
    def datasets(self) -> set[str]:
        """Of all families."""
        grids = self.autoencoder_grids | self.cnn_grids | self.unet_grids | self.classifier_grids | self.inputs_grids
        return {grid.dataset for grid in grids.values()}

    def dataset(self, role: str) -> str:
        """The data set that plays one of `ROLES` at this scale.

        Raises:
            UserError: the families that share it name different ones.
        """
        grids = self.autoencoder_grids | self.unet_grids | self.classifier_grids | self.inputs_grids
        names = {family: grids[family].dataset for family in ROLES[role] if family in grids}
        if len(set(names.values())) > 1:
            said = ", ".join(f"{family}: {name}" for family, name in names.items())
            raise UserError(f"params.yaml, scales.{self.scale}: one data set is meant for {said}")
        return next(iter(names.values()))

    def lambdas_of(self, grid: AutoencoderGrid | CnnGrid | UNetGrid | ClassifierGrid) -> tuple[float, ...]:
        """What a grid trains: the user's override, or the paper's lambda; the baseline 0 among them."""
        return self.lambda_override or grid.lambdas


AUTOENCODERS = ("autoencoder-mnist", "autoencoder-cifar10")
CNNS = ("cnn-cifar10", "cnn-mnist")
UNETS = ("unet-coco", "unet-coco-sample")
CLASSIFIERS = ("vgg16-imagenette", "resnet50-imagenette")
INPUTS = ("inputs-mnist", "inputs-cifar10")
FAMILIES = AUTOENCODERS + CNNS + UNETS + CLASSIFIERS + INPUTS
OPTIONAL = ("unet-coco-sample", "inputs-cifar10")  # a scale may do without
ROLES = {  # the paper's data sets -> families whose `dataset` each is (CNNs name theirs); at demo scale stand-ins
    "mnist": ("autoencoder-mnist", "inputs-mnist"),
    "cifar10": ("autoencoder-cifar10", "inputs-cifar10"),
    "coco": ("unet-coco",),
    "imagenette": CLASSIFIERS,
}
CALIBRATED = ("autoencoder-mnist", "cnn-cifar10")  # of the others the paper prints no baseline to calibrate on
PROFILES = ("vgg16", "resnet50", "unet")


def load(scale: str | None = None, path: Path = paths.PARAMS) -> Settings:
    """Read and check params.yaml.

    Args:
        scale: use this scale instead of the one that the file names.

    Raises:
        UserError: the file is missing or is not YAML, or a parameter is unknown, missing or of the wrong type.
    """
    raw = read(path)
    shared = {"autoencoder", "variants", "calibration", "cnn", "cnn_variants", "cnn_calibration", "unet", "classifiers"}
    check_keys(raw, {"scale", "lambda", "scales", *shared}, "top level")
    scale = raw["scale"] if scale is None else scale
    if scale not in mapping(raw["scales"], "scales"):
        raise UserError(f"unknown scale {scale!r} in {path}: choose one of {', '.join(map(str, raw['scales']))}")
    chosen = raw["scales"][scale]
    check_keys(chosen, {"calibration", "cnn_calibration", "profiles", "theory", *FAMILIES}, f"scales.{scale}")
    check_keys(chosen["profiles"], set(PROFILES), f"scales.{scale}.profiles")
    return Settings(
        scale=scale,
        lambda_override=_lambda_override(raw["lambda"]),
        autoencoder=build(AutoencoderTraining, raw["autoencoder"], "autoencoder"),
        variants=_variants(raw, "variants", AutoencoderTraining),
        autoencoder_grids={
            family: build(AutoencoderGrid, chosen[family], f"scales.{scale}.{family}") for family in AUTOENCODERS
        },
        unet=build(UNetTraining, raw["unet"], "unet"),
        unet_grids={
            family: build(UNetGrid, chosen[family], f"scales.{scale}.{family}")
            for family in UNETS
            if chosen[family] is not None or family not in OPTIONAL
        },
        classifiers=build(ClassifierTraining, raw["classifiers"], "classifiers"),
        classifier_grids={
            family: build(ClassifierGrid, chosen[family], f"scales.{scale}.{family}") for family in CLASSIFIERS
        },
        calibration=build(Calibration, _joined(raw, chosen, "calibration"), "calibration"),
        cnn=build(CnnTraining, raw["cnn"], "cnn"),
        cnn_variants=(cnn_variants := _variants(raw, "cnn_variants", CnnTraining)),
        cnn_grids={family: _cnn_grid(chosen[family], cnn_variants, f"scales.{scale}.{family}") for family in CNNS},
        cnn_calibration=_cnn_calibration(_joined(raw, chosen, "cnn_calibration")),
        inputs_grids={
            family: inputs_grid(chosen[family], f"scales.{scale}.{family}")
            for family in INPUTS
            if chosen[family] is not None or family not in OPTIONAL
        },
        theory=build(Theory, chosen["theory"], f"scales.{scale}.theory"),
        profiles={
            network: build(ProfileGrid, chosen["profiles"][network], f"scales.{scale}.profiles.{network}")
            for network in PROFILES
        },
    )


def set_scale(scale: str, path: Path = paths.PARAMS) -> None:
    """Write `scale:` into params.yaml and leave the rest, comments included, as it is."""
    load(scale, path)  # refuses an unknown scale
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 120  # no shorter than the file's lines, which are left whole
    document = yaml.load(path)
    if document["scale"] != scale:
        document["scale"] = scale
        yaml.dump(document, path)


def _lambda_override(value: Any) -> tuple[float, ...] | None:
    """null = the grid of each family; a number or a list = those values, and always the baseline 0."""
    if value is None:
        return None
    values = value if isinstance(value, list) else [value]
    if not all(is_number(v) for v in values):
        raise mistake("lambda", f"expected null, a number or a list of numbers, got {value!r}")
    return tuple(sorted({0.0, *(float(v) for v in values)}))


def _joined(raw: dict[str, Any], chosen: dict[str, Any], name: str) -> dict[str, Any]:
    """A section, with what the scale changes in it."""
    return mapping(raw[name], name) | mapping(chosen[name] or {}, f"{name} of a scale")


def _variants(raw: dict[str, Any], name: str, training: type) -> dict[str, Variant]:
    """The named variants of one kind of training."""
    named = mapping(raw[name], name)
    return {variant: _variant(value, training, f"{name}.{variant}") for variant, value in named.items()}


def _variant(raw: Any, training: Any, where: str) -> Variant:
    if not isinstance(raw, dict) or "lambdas" not in raw:
        raise mistake(where, f"expected a mapping with lambdas, got {raw!r}")
    changes = {name: value for name, value in raw.items() if name != "lambdas"}
    if other := sorted({field.name for field in fields(training)} & changes.keys() - PAIRED_SETTINGS):
        raise UserError(
            f"params.yaml, {where}: a variant stands beside the unguided runs of the protocol, so it cannot change "
            f"{', '.join(other)}. It may change how a run is guided or stopped"
        )
    return Variant(
        lambdas=convert(raw["lambdas"], tuple[float, ...], f"{where}.lambdas"),
        changes=part(training, changes, where, "lambdas"),
    )


def _cnn_grid(raw: Any, variants: dict[str, Variant], where: str) -> CnnGrid:
    grid: CnnGrid = build(CnnGrid, raw, where)
    if unknown := sorted(set(grid.variants or ()) - variants.keys()):
        raise mistake(f"{where}.variants", f"unknown {', '.join(unknown)}. Known: {', '.join(variants)}")
    least = min(filter(None, grid.lambdas), default=math.inf)
    if not all(0 < lambda_ < least for lambda_ in grid.weaker_lambdas or ()):
        raise mistake(f"{where}.weaker_lambdas", f"expected numbers between 0 and the grid's smallest, {least:g}")
    return grid


def _cnn_calibration(raw: dict[str, Any]) -> CnnCalibration:
    where = "cnn_calibration"
    check_keys(raw, {field.name for field in fields(CnnCalibration)}, where)
    candidates = {
        name: part(CnnTraining, mapping(changes or {}, f"{where}.candidates.{name}"), f"{where}.candidates.{name}")
        for name, changes in mapping(raw["candidates"], f"{where}.candidates").items()
    }
    rest = {name: value for name, value in raw.items() if name != "candidates"}
    return CnnCalibration(candidates=candidates, **part(CnnCalibration, rest, where))
