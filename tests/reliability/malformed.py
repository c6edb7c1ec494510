"""Inputs that are to be refused before anything is trained: params.yaml changed in one place, and command lines."""

import copy
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
RIGHT = YAML(typ="safe").load(ROOT / "params.yaml")
MNIST, CIFAR10, CNN = "autoencoder-mnist", "autoencoder-cifar10", "cnn-cifar10"
INPUTS, VGG, RESNET, UNET = "inputs-mnist", "vgg16-imagenette", "resnet50-imagenette", "unet-coco"
NARROW = "classifiers-imagenette-64"
REMOVED = object()  # in place of a value: the key is not there
Path_ = tuple[str, ...]


@dataclass(frozen=True)
class Malformed:
    """params.yaml with some values replaced, the command that reads them, and what its message names in the file."""

    command: tuple[str, ...]
    changes: tuple[tuple[Path_, Any], ...]
    names: str

    def document(self) -> dict[str, Any]:
        document = copy.deepcopy(RIGHT)
        for path, value in self.changes:
            *parents, last = path
            inner = document
            for name in parents:
                inner = inner[name]
            if value is REMOVED:
                del inner[last]
            else:
                inner[last] = value
        return document

    def write(self, path: Path) -> None:
        """As JSON, which is YAML but for numbers that are not finite: it is read faster."""
        text = json.dumps(self.document())
        path.write_text(text.replace("NaN", ".nan").replace("Infinity", ".inf"))

    def __str__(self) -> str:
        said = ", ".join(f"{'.'.join(map(str, path))[-60:]} = {str(value)[:20]}" for path, value in self.changes)
        return f"{' '.join(self.command)}: {said}"


def sweep(family: str, scale: str = "demo") -> tuple[str, ...]:
    return ("sweep", "--scale", scale, "--family", family)


def grid(
    family: str, name: str, value: Any, scale: str = "demo", *, also: tuple[tuple[Path_, Any], ...] = ()
) -> Malformed:
    """A value of a family's grid replaced."""
    return Malformed(
        sweep(family, scale), (((("scales"), scale, family, name), value), *also), f"scales.{scale}.{family}.{name}"
    )


def training(family: str, section: str, name: str, value: Any) -> Malformed:
    """A value of a top-level section replaced."""
    return Malformed(sweep(family), (((section, name), value),), f"{section}.{name}")


def calibration(section: str, name: str, value: Any, scale: str = "demo") -> Malformed:
    family = {"calibration": MNIST, "cnn_calibration": CNN}[section]
    return Malformed(
        ("calibrate", "--scale", scale, "--family", family), (((section, name), value),), f"{section}.{name}"
    )


def study(name: str, value: Any) -> Malformed:
    return Malformed(("theory", "--scale", "demo"), ((("scales", "demo", "theory", name), value),), f"theory.{name}")


def arm(name: str, **changed: Any) -> Malformed:
    return Malformed(
        sweep(INPUTS),
        ((("scales", "demo", INPUTS, "arms", "leading"), {"widths": [20], "lambdas": [0.01]} | changed),),
        f"scales.demo.{INPUTS}.arms.leading.{name}",
    )


SMP = ((("unet", "network"), "smp-unet"),)
ALL_CIFAR10 = (CIFAR10, CNN)
CASES = {
    # placements of the U-Net
    "a pooling as a placement": grid(UNET, "placement", "3-4"),
    "a layer that is not there": grid(UNET, "placement", "3-99"),
    "a layer of 400 digits": grid(UNET, "placement", "9" * 400),
    "a placement without numbers": grid(UNET, "placement", "first"),
    "an empty placement": grid(UNET, "placement", ""),
    "a placement in another order": grid(UNET, "placement", "7-3"),
    "a layer placed twice": grid(UNET, "placement", "3-3"),
    "a number with a zero before it": grid(UNET, "placement", "03"),
    "digits of another script": grid(UNET, "placement", "\u0663"),
    "a wrong first placement": grid(UNET, "first_placements", ["2", "20"]),
    "a placement that a smaller U-Net lacks": Malformed(
        sweep(UNET), ((("scales", "demo", UNET, "widths"), [4, 8]),), f"{UNET}.placement"
    ),
    "a network without the placement named": Malformed(sweep(UNET), SMP, f"{UNET}.placement"),
    # data sets of another kind
    "autoencoders on drawings": grid(MNIST, "dataset", "drawings"),
    "autoencoders on Imagenette": grid(CIFAR10, "dataset", "imagenette-v1", "paper"),
    "chosen inputs of drawings": grid(INPUTS, "dataset", "drawings"),
    "a small CNN on COCO": grid(CNN, "dataset", "coco-320-60"),
    "a small CNN on patterns": grid(CNN, "dataset", "patterns"),
    "a U-Net on digits": grid(UNET, "dataset", "digits"),
    "a U-Net on Imagenette": grid(UNET, "dataset", "imagenette-v2"),
    "ResNet-50 on shapes": grid(RESNET, "dataset", "shapes"),
    "VGG16 on COCO": grid(VGG, "dataset", "coco-320-60", "paper"),
    "a third version of Imagenette": grid(VGG, "dataset", "imagenette-v3", "paper"),
    "COCO without numbers": grid(UNET, "dataset", "coco", "paper"),
    "COCO without images": grid(UNET, "dataset", "coco-0-10", "paper"),
    "more of COCO than there is": grid(UNET, "dataset", "coco-999999-10", "paper"),
    "a misspelt data set": Malformed(sweep(MNIST), ((("scales", "demo", MNIST, "dataset"), "digitz"),), MNIST),
    "a misspelt data set that no other family has": grid(UNET, "dataset", "drawing"),
    "a path as a data set": grid(MNIST, "dataset", "../../elsewhere"),
    "no name of a data set": grid(MNIST, "dataset", ""),
    "the data set of another role": grid(CNN, "dataset", "digits"),
    # a data set that belongs to another scale
    "CIFAR-10 beside its stand-in": Malformed(sweep(CNN), ((("scales", "demo", CNN, "dataset"), "cifar10"),), CNN),
    "digits beside MNIST": Malformed(
        sweep("cnn-mnist", "paper"), ((("scales", "paper", "cnn-mnist", "dataset"), "digits"),), "cnn-mnist"
    ),
    # partners that are not there
    "more variant replicates than replicates": grid(MNIST, "variant_replicates", 4),
    "fewer replicates of the smallest": grid(CNN, "smallest_replicates", 1),
    "lambdas without the baseline": grid(MNIST, "lambdas", [0.001, 1.0]),
    "a U-Net without the baseline": grid(UNET, "lambdas", [0.1]),
    "a small CNN without the baseline": grid(CNN, "lambdas", [0.1]),
    "VGG16 without the baseline": grid(VGG, "lambdas", [0.1]),
    "an arm of a width without unguided runs": arm("widths", widths=[20, 30]),
    "no unguided arm": Malformed(
        sweep(INPUTS), ((("scales", "demo", INPUTS, "arms", "unguided"), REMOVED),), f"scales.demo.{INPUTS}.arms."
    ),
    "a variant of no family": Malformed(
        sweep(MNIST),
        ((("variants", "exact"), {"lambdas": [1.0], "form": "exact", "families": ["letters"]}),),
        "variants.exact.families",
    ),
    "a variant that changes nothing": Malformed(
        sweep(MNIST), ((("variants", "exact"), {"lambdas": [1.0]}),), "variants.exact"
    ),
    "a weaker lambda as large as the grid's": grid(CNN, "weaker_lambdas", [0.001]),
    # widths
    "a test width off the grid": grid(MNIST, "test_width", 50),
    "a variant width off the grid": grid(MNIST, "variant_widths", [140, 150]),
    "an unstopped width off the grid": grid(MNIST, "unstopped_widths", [21]),
    "nine levels on 64 pixels": grid(UNET, "widths", [2] * 10),
    "a hundred levels": grid(UNET, "widths", [2] * 101),
    "a U-Net of one width": grid(UNET, "widths", [64]),
    "blocks that leave no pixel": grid(CNN, "blocks", [1, 4]),
    "a million blocks": grid(CNN, "blocks", [10**6]),
    "blocks that leave calibration no pixel": calibration("cnn_calibration", "blocks", [5], "paper"),
    "a divisor that leaves no channel": grid(VGG, "divisor", 65),
    "fewer inputs than the width": arm("inputs", inputs=[1, 2]),
    "an input that no image has": arm("inputs", inputs=[*range(19), 784]),
    "an input of 400 digits": arm("inputs", inputs="9" * 400),
    "more guided inputs than an image has": Malformed(
        sweep(INPUTS),
        (
            (("scales", "demo", INPUTS, "arms", "unguided", "widths"), [20, 785]),
            (("scales", "demo", INPUTS, "arms", "most-variable", "widths"), [785]),
        ),
        "arms.most-variable.widths",
    ),
    "a batch larger than the training set": grid(MNIST, "batch_size", 1501),
    "a batch larger than all drawings": grid(UNET, "batch_size", 129),
    "a batch larger than all patterns": grid(RESNET, "batch_size", 97),
    "a batch larger than all shapes": training(CNN, "cnn", "batch_size", 2001),
    "a row that its network lacks": grid(VGG, "rows", ["pre-skip"]),
    "a row of a layer that is not there": grid(VGG, "rows", ["14"]),
    "a row that is none": grid(RESNET, "rows", ["first"]),
    "a row in another order": grid(RESNET, "rows", ["5+1"]),
    "narrow networks without rows": grid(NARROW, "rows", {}, "paper"),
    "a narrow network that is none": grid(NARROW, "rows", {"vgg61": "1"}, "paper"),
    "a row that a narrow network lacks": grid(NARROW, "rows", {"vgg16": "pre-skip"}, "paper"),
    "a row that a narrow network has no profile for": grid(NARROW, "rows", {"resnet50": "empirical"}, "paper"),
    "narrow networks without a channel": grid(NARROW, "divisor", 65, "paper"),
    "narrow networks on small images": grid(NARROW, "dataset", "cifar10", "paper"),
    "narrow networks on COCO": grid(NARROW, "dataset", "coco-320-60", "paper"),
    "narrow networks without the baseline": grid(NARROW, "lambdas", [0.1], "paper"),
    "profiles of weights that are none": grid(RESNET, "profiles", ["imagenett"]),
    # numbers
    "momentum 5": training(VGG, "imagenette", "momentum", 5),
    "dropout 1": training(UNET, "unet", "dropout", 1.0),
    "a negative slope": training(CNN, "cnn", "negative_slope", -0.3),
    "a slope of 3": training(CNN, "cnn", "negative_slope", 3.0),
    "an epsilon that float32 does not hold": training(MNIST, "autoencoder", "epsilon", 1e-50),
    "a learning rate that float32 does not hold": training(MNIST, "autoencoder", "learning_rate", 1e50),
    "no number": training(MNIST, "autoencoder", "epsilon", math.nan),
    "an infinite number": training(MNIST, "autoencoder", "min_delta", math.inf),
    "a number of 400 digits": Malformed(sweep(MNIST), ((("lambda",), 10**399),), "lambda"),
    "replicates of 400 digits": grid(MNIST, "replicates", 10**399),
    "replicates of thousands of digits": Malformed(sweep(MNIST), ((("lambda",), "9" * 5000),), "lambda"),
    "a billion replicates": Malformed(
        sweep(MNIST),
        ((("scales", "demo", MNIST, "replicates"), 10**9),),
        f"scales.demo.{MNIST}: widths x lambdas x replicates",
    ),
    "a billion small CNNs": Malformed(
        sweep(CNN), ((("scales", "demo", CNN, "smallest_replicates"), 10**9),), "smallest_replicates"
    ),
    "a billion U-Nets": Malformed(
        sweep(UNET), ((("scales", "demo", UNET, "unguided_replicates"), 10**9),), "unguided_replicates"
    ),
    "a billion narrow networks": Malformed(
        sweep(NARROW, "paper"), ((("scales", "paper", NARROW, "replicates"), 10**9),), "rows x lambdas x replicates"
    ),
    "a billion classifiers": Malformed(sweep(VGG), ((("scales", "demo", VGG, "replicates"), 10**9),), "replicates"),
    "a billion of an arm": Malformed(sweep(INPUTS), ((("scales", "demo", INPUTS, "replicates"), 10**9),), "replicates"),
    "a billion calibrations": Malformed(
        ("calibrate", "--scale", "demo", "--family", MNIST), ((("calibration", "replicates"), 10**9),), "calibration"
    ),
    "one sample": study("samples", 1),
    "three samples": study("samples", 3),
    "one repeat": study("repeats", 1),
    "no layer": study("layers", 0),
    # calibration
    "calibration without replicates": calibration("calibration", "replicates", 0),
    "calibration without epochs": calibration("cnn_calibration", "replicates", 0),
    "calibration without batch sizes": Malformed(
        ("calibrate", "--scale", "paper", "--family", MNIST), ((("calibration", "batch_sizes"), []),), "batch_sizes"
    ),
    "calibration longer than training": Malformed(
        ("calibrate", "--scale", "demo", "--family", MNIST),
        ((("scales", "demo", "calibration", "max_epochs"), 25),),
        "calibration.max_epochs",
    ),
    "lengths longer than calibration": calibration("cnn_calibration", "lengths", [5, 21], "paper"),
    "a length of nothing": calibration("cnn_calibration", "lengths", [0], "paper"),
    "calibration in batches that are too large": calibration("calibration", "batch_sizes", [10**5], "paper"),
    "no candidate": calibration("cnn_calibration", "candidates", {}, "paper"),
    # names and scales
    "a list as the scale": Malformed(("sweep", "--family", MNIST), ((("scale",), ["demo"]),), "scale"),
    "a scale that is none": Malformed(("sweep", "--family", MNIST), ((("scale",), "huge"),), "scale"),
    "a family to train that is none": Malformed(sweep(MNIST), ((("train",), "no such"),), "train"),
    "no family to train": Malformed(sweep(MNIST), ((("train",), []),), "train"),
    "a mapping of families to train": Malformed(sweep(MNIST), ((("train",), {MNIST: 1}),), "train"),
    "a family in place of all": Malformed(sweep(MNIST), ((("families",), MNIST),), "families"),
    "an empty list of lambda": Malformed(sweep(MNIST), ((("lambda",), []),), "lambda"),
    "a path as a scale": Malformed(
        ("sweep", "--scale", "../x", "--family", MNIST), ((("scales", "../x"), RIGHT["scales"]["demo"]),), "scales"
    ),
    "a path as a family": Malformed(sweep(MNIST), ((("families", "../x-y"), "autoencoder"),), "families"),
    "a family of several lines": Malformed(sweep(MNIST), ((("families", "a\nb-c"), "autoencoder"),), "families"),
    "a network that is none": Malformed(
        ("profile-stage", "--scale", "demo", "vgg16"),
        ((("scales", "demo", "profiles", "vgg16", "network"), "vgg61"),),
        "profiles.vgg16.network",
    ),
    "weights that are none": Malformed(
        ("profile-stage", "--scale", "demo", "vgg16"),
        ((("scales", "demo", "profiles", "vgg16", "weights"), ["imagenett"]),),
        "profiles.vgg16.weights",
    ),
}

# By the type of the right value, what no value of the type may be.
WRONG: dict[type, tuple[Any, ...]] = {
    int: ("much", "1", [], {}, True, 0.5, -1, math.nan, math.inf, 10**399),
    float: ("much", "0.1", [], {}, True, math.nan, math.inf, -math.inf, 10**399, 1e300, 1e-300),
    str: (3, [], {}, True, "no such thing", "../up", "a\nb", "", "\0", "x" * 5000),
    list: ("much", 3, [], {}, True, [[]], [{}], [True], [None], [math.nan], [10**399]),
    dict: (3, [], "much", True, [{}]),
}
FREE_NAMES = ("variants", "cnn_variants", "candidates", "arms")  # mappings whose names params.yaml chooses
CHANGED_BY_SCALES = {"calibration", "cnn_calibration"}
OF_ARMS = {"inputs", "form", "rate_factor", "weight_factor", "lambdas", "blocks", "width", "replicates"}


def mutations() -> Iterator[Malformed]:
    """Every value of params.yaml replaced by what it may not be; a name that is not known added, one left out."""
    for path, right in places(RIGHT, ()):
        for wrong in () if path[-1] == "network" and "profiles" in path else WRONG.get(type(right), ()):
            yield Malformed(("check",), ((path, wrong),), "")
        if isinstance(right, dict) and path[-1] not in (*FREE_NAMES, "scales"):
            yield Malformed(("check",), (((*path, "no_such_name"), 1),), "")
            for name in right:
                if not _may_go(path, name):
                    yield Malformed(("check",), (((*path, name), REMOVED),), "")


def _may_go(path: Path_, name: str) -> bool:
    """Whether a name may be left out of a mapping: a scale need not change calibration, nor an arm every setting."""
    of_scale = path[2:3] if path[0] == "scales" else ()
    return (
        (len(path) == 2 and name in {*CHANGED_BY_SCALES, "variants"})
        or bool({*of_scale} & CHANGED_BY_SCALES)
        or "candidates" in path
        or path[-1] == "rows"  # of several networks one may go
        or ("arms" in path and name in OF_ARMS and not ("inputs-mnist" in path and name == "lambdas"))
        or (bool({"variants", "cnn_variants"} & {*path[:-1]}) and name != "lambdas")
    )


def places(value: dict[str, Any], path: Path_) -> Iterator[tuple[Path_, Any]]:
    """Every key of nested mappings, as the way to it, and its value."""
    for name, item in value.items():
        yield (*path, name), item
        if isinstance(item, dict):
            yield from places(item, (*path, name))
