import pytest
from ruamel.yaml import YAML
from small_cnn_runs import ROOT

from replication.core.errors import UserError
from replication.core.settings import load
from replication.small_cnn.settings import CIFAR10, MNIST, read

PARAMS = ROOT / "params.yaml"


@pytest.fixture
def changed(tmp_path):
    """Settings of the CIFAR-10 family from params.yaml with values replaced: changed({path: value})."""

    def make(values, scale="demo"):
        document = YAML().load(PARAMS)
        for path, value in values.items():
            *parents, last = path.split(".")
            inner = document
            for name in parents:
                inner = inner[name]
            inner[last] = value
        YAML().dump(document, tmp_path / "params.yaml")
        return read(load(scale, tmp_path / "params.yaml"), CIFAR10)

    return make


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("cnn.padding", "full", "cnn.padding: got 'full', choose one of"),
        ("cnn.learning_rate", 0, "cnn.learning_rate: expected a positive number, got 0"),
        ("cnn.anchor", "centre", "cnn.anchor: got 'centre', choose one of"),
        ("cnn.negative_slope", -0.1, "cnn.negative_slope: expected a number, not negative"),
        ("scales.demo.cnn-cifar10.blocks", [0], "cnn-cifar10.blocks: expected a positive whole number, got 0"),
        ("scales.demo.cnn-cifar10.blocks", [], "cnn-cifar10.blocks: expected a list"),
        ("scales.demo.cnn-cifar10.blocks", [1, 6], r"blocks: 6 blocks leave no pixel of the 32 x 32 of shapes"),
        ("scales.demo.cnn-cifar10.lambdas", [0.001], "lambdas: the baseline 0 is missing"),
        ("scales.demo.cnn-cifar10.variants", ["centre"], "variants: unknown centre. Known: center"),
        ("scales.demo.cnn-cifar10.weaker_lambdas", [0.001], "weaker_lambdas: .* the grid's smallest, 0.001"),
        ("scales.demo.cnn-cifar10.smallest_replicates", 1, "smallest_replicates: 1, but .* at least the 2"),
        ("scales.demo.cnn-cifar10", None, r"scales\.demo\.cnn-cifar10: expected a mapping"),
        ("cnn_variants.exact.padding", "same", "cnn_variants.exact: a variant .* cannot change padding"),
        (
            "cnn_variants.exact.anchors",
            "corner",
            "cnn_variants.exact: unknown parameter anchors. Known: lambdas, replicates, form",
        ),
        ("cnn_variants", None, "cnn_variants: expected a mapping"),
        ("cnn_variants.log.replicates", 31, "cnn_variants.log.replicates: 31, but the smallest architecture has 30"),
        ("cnn_calibration", [1], "cnn_calibration: expected a mapping"),
        ("cnn_calibration.candidate", 1, "cnn_calibration: unknown parameter candidate"),
        ("cnn_calibration.candidates.same", {"paddings": "same"}, "candidates.same: unknown parameter paddings"),
        ("cnn_calibration.candidates.same", {"padding": "full"}, "candidates.same.padding: got 'full', choose one of"),
        ("cnn_calibration.candidates.same", {"learning_rate": 0.1}, "candidates.same: learning_rate is not compared"),
        ("cnn_calibration.blocks", [5], r"cnn_calibration\.blocks: 5 blocks leave no pixel of the 32 x 32 of cifar10"),
    ],
)
def test_mistakes_get_one_clear_message(changed, path, value, message):
    scale = (
        "paper" if path.startswith(("cnn_calibration", "cnn_variants.log")) else "demo"
    )  # demo has candidates of its own
    with pytest.raises(UserError, match=message) as error:
        changed({path: value}, scale)
    assert len(str(error.value).splitlines()) <= 3


def test_blocks_that_leave_a_pixel(changed):
    """Of 32: 15, 6, 2 and none without padding; 16, 8, 4, 2, 1 with it. A data set of one's own may have any size."""
    blocks = "scales.demo.cnn-cifar10.blocks"
    assert changed({blocks: [3]}).grid.blocks == (3,)
    with pytest.raises(UserError, match="4 blocks leave no pixel of the 32 x 32 of shapes"):
        changed({blocks: [4]})
    assert changed({blocks: [5], "cnn.padding": "same"}).grid.blocks == (5,)
    assert changed({blocks: [9], "scales.demo.cnn-cifar10.dataset": "own"}).grid.blocks == (9,)


def test_a_scale_changes_what_calibration_compares():
    demo, paper = (read(load(scale, PARAMS), CIFAR10).calibration for scale in ("demo", "paper"))
    assert set(demo.candidates) == {"keras", "batch-128"} and set(paper.candidates) > {"same"}
    assert (demo.lengths, paper.epochs) == ((1, 2), 20)


def test_lambdas_are_the_users_or_the_grids(changed):
    assert changed({"lambda": 0.5}).lambdas == (0.0, 0.5)
    assert read(load("demo", PARAMS), MNIST).lambdas == (0.0, 1.0)
