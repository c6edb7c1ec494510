import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from replication.core.errors import UserError
from replication.core.family import find
from replication.core.settings import load, set_scale

PARAMS = Path(__file__).parents[3] / "params.yaml"


@pytest.fixture
def params(tmp_path):
    """params.yaml with replacements: params(("old", "new"), ...) -> path."""

    def write(*replacements):
        text = PARAMS.read_text()
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new, 1)
        path = tmp_path / "params.yaml"
        path.write_text(text)
        return path

    return write


def family_of(parameters, name):
    return find(parameters, name)


@pytest.mark.parametrize("family", ["autoencoder-mnist", "autoencoder-cifar10"])
def test_the_paper_scale_is_the_papers_grid(family):
    grid = family_of(load("paper", PARAMS), family).settings.grid
    assert set(grid.widths) == {*range(20, 261, 40), 80, 200}
    assert grid.lambdas == (0, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10)
    assert grid.replicates == 10


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("null", None),
        ("0.01", (0.0, 0.01)),
        ("1e-05", (0.0, 1e-5)),
        ("-0.1", (-0.1, 0.0)),
        ("0", (0.0,)),
        ("[0.01, 0.1]", (0.0, 0.01, 0.1)),
    ],
)
def test_lambda_override(params, text, expected):
    assert load(path=params(("lambda:\n", f"lambda: {text}\n"))).lambda_override == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("null", None),
        ("cnn-mnist", {"cnn-mnist"}),
        ("[cnn-mnist, autoencoder-mnist]", {"cnn-mnist", "autoencoder-mnist"}),
    ],
)
def test_which_families_are_trained(params, text, expected):
    assert load(path=params(("\ntrain:\n", f"\ntrain: {text}\n"))).train == expected


def test_which_families_are_trained_may_be_left_out(params):
    assert load(path=params(("\ntrain:\n", "\n"))).train is None


def test_lambda_is_for_the_families_that_are_trained(params):
    chosen = load(path=params(("\nlambda:\n", "\nlambda: 0.01\n"), ("\ntrain:\n", "\ntrain: cnn-mnist\n")))
    names = ("cnn-mnist", "autoencoder-mnist")
    assert [family_of(chosen, name).settings.lambda_override for name in names] == [(0.0, 0.01), None]
    assert family_of(chosen, names[1]).grid == family_of(load(path=PARAMS), names[1]).grid


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\ntrain:\n", "\ntrain: cnn-mnst\n", "train: no family 'cnn-mnst': choose among .* mean cnn-mnist"),
        ("\ntrain:\n", "\ntrain: []\n", "train: expected null, the name of a family or a list of names"),
        ("\ntrain:\n", "\ntrain: [[cnn-mnist]]\n", r"train: no family \['cnn-mnist'\]: choose among"),
        ("\nfamilies:\n", "\nfamilies: cnn-mnist\nfamily:\n", "families: expected a mapping .* set `train`"),
        ("lambda:\n", "lambda: big\n", "lambda: expected null, a number or a list"),
        ("lambda:\n", "lambda: true\n", "lambda: expected null, a number or a list"),
        ("lambda:\n", "lambda: [0.1, true]\n", "lambda: expected null, a number or a list"),
        ("lambda:\n", "lambda: .nan\n", "lambda: expected a finite number, got nan"),
        (
            "lambda:\n",
            f"lambda: {'9' * 400}\n",
            "lambda: expected a number up to 9007199254740992 in size, got a larger",
        ),
        ("lambda:\n", f"lambda: {'9' * 5000}\n", "not valid YAML"),
        ("  min_delta: 0.001", "  min_delta: .inf", "autoencoder.min_delta: expected a finite number, got inf"),
        ("scale: demo", "scale: huge", "unknown scale 'huge'.*demo, paper"),
        ("scale: demo", "scale: [demo]", r"unknown scale \['demo'\]"),
        ("scale: demo", f"scale: {'long' * 99}", r"unknown scale '(long)+\.\.\. in .*: choose one of demo, paper"),
        ("scale: demo", "scale: [", "not valid YAML: line "),
        ("scale: demo\n", "scale: demo\nscale: demo\n", "not valid YAML: line 3: found duplicate key"),
        ("scale: demo\n", "scale: demo\nlamda: 1\n", "top level: unknown parameter lamda"),
        ("scale: demo\n", "", "top level: missing parameter scale"),
        ("scale: demo\n", "scale: ''\n", "unknown scale ''"),
        ("\nvariants:\n", "\nvariants:\nold_variants:\n", "unknown parameter old_variants"),
        ("\nfamilies:\n", "\nfamily:\n", "missing parameter families"),
        ("\nfamilies:\n", "\nfamilies: 3\nfamily:\n", "families: expected a mapping of names, got 3"),
        ("-mnist: inputs", "-mnist: [inputs]", r"families.inputs-mnist: expected the name of a room, got \['inputs'\]"),
        (
            "-mnist: inputs",
            "-mnist: nowhere",
            "families: no room 'nowhere': it is a package beside replication.core, or ",
        ),
        ("-mnist: inputs", "-mnist: core", "families: core is no room: its package does not name the SECTIONS"),
        ("  inputs-mnist: i", "  mnist: i", "families.mnist: a family's name is KIND-DATA, for example autoencoder-"),
        ("    theory:\n", "    theories:\n", "scales.demo: unknown parameter theories. Known: .*theory"),
    ],
)
def test_mistakes_that_no_room_has_to_find(params, old, new, message):
    with pytest.raises(UserError, match=message) as caught:
        load("demo" if "scale: demo" not in old else None, params((old, new)))
    assert str(caught.value).count("\n") == 0


@pytest.mark.parametrize(
    ("family", "old", "new", "message"),
    [
        ("autoencoder-mnist", *case)
        for case in [
            ("  patience: 7", "  patiance: 7", "autoencoder: unknown parameter patiance. Known: .*patience"),
            ("  patience: 7\n", "", "autoencoder: missing parameter patience"),
            ("  patience: 7", "  patience: seven", "expected a positive whole number, got 'seven'"),
            ("      batch_size: ", "      batch_size: -", "expected a positive whole number"),
            ("monitor: total", "monitor: both", "'both', choose one of total, base"),
            (
                ", form: exact}",
                ", forms: exact}",
                "variants.exact: unknown parameter forms. Known: lambdas, replicates, widths, families, form",
            ),
            (
                "epsilon: 0.1}",
                "epsilon: 0}",
                "variants.epsilon-1e-1.epsilon: expected a positive number, got 0",
            ),
            ("epsilon: 0.1}", "epsilon: tiny}", "variants.epsilon-1e-1.epsilon: expected a positive number"),
            (
                ", form: exact}",
                ", learning_rate: 0.1}",
                "variants.exact: a variant .* cannot change learning_rate. It may",
            ),
            (
                "{lambdas: [1.0], ",
                "{",
                "variants.epsilon-1e-1: expected a mapping with lambdas, got {'epsilon': 0.1}",
            ),
            ("{lambdas: [1.0]", "{lambdas: []", "epsilon-1e-1.lambdas: expected a list that is not empty, got "),
            ("autoencoder:\n", "autoencoder:\n  1: 2\n", "autoencoder: expected a mapping of names"),
            ("  min_delta: 0.001", "  min_delta: -0.001", "autoencoder.min_delta: expected a number, not negative"),
            ("test_width: 140", "test_width: 50", "autoencoder-mnist.test_width: 50 is not among the grid's widths"),
            (
                "unstopped_widths:\n      - 20",
                "unstopped_widths: [20, 25, 70]",
                "demo.autoencoder-mnist.unstopped_widths: 25, 70 is not among the grid's widths",
            ),
            (
                "variant_replicates: 1",
                "variant_replicates: 4",
                "variant_replicates: 4, but the unguided runs .* have 2",
            ),
            ("lambdas:\n      - 0.0\n", "lambdas:\n", "demo.autoencoder-mnist.lambdas: the baseline 0 is missing"),
            ("dataset: digits", "dataset: 3", "demo.autoencoder-mnist.dataset: expected a text, got 3"),
        ]
    ]
    + [
        (
            "unet-coco",
            "  dropout: 0.1",
            "  dropout: 1.5",
            "unet.dropout: expected a number, not negative and below 1, got 1.5",
        ),
        (
            "cnn-cifar10",
            "weaker_lambdas:\n      - 1.0e-05",
            "weaker_lambdas: [0.001]",
            "weaker_lambdas: .* the grid's smallest, 0.001",
        ),
        ("cnn-cifar10", "variants:\n      - center", "variants:\n      - centre", "variants: .*centre"),
        ("cnn-cifar10", "  candidates:\n", "  candidate:\n", "cnn_calibration: unknown parameter candidate"),
    ],
)
def test_mistakes_get_one_clear_message(params, family, old, new, message):
    parameters = load(path=params((old, new)))
    with pytest.raises(UserError, match=message) as caught:
        family_of(parameters, family)
    assert str(caught.value).count("\n") == 0


SECTIONS = {
    "variants": "autoencoder-mnist",
    "cnn_variants": "cnn-cifar10",
    "calibration": "autoencoder-mnist",
    "cnn_calibration": "cnn-cifar10",
    "scales": "autoencoder-mnist",
    "unet": "unet-coco",
}


@pytest.mark.parametrize("name", SECTIONS)
@pytest.mark.parametrize("value", [None, 3, [1]])
def test_a_section_that_is_none(tmp_path, name, value):
    yaml = YAML()
    document = yaml.load(PARAMS)
    document[name] = value
    yaml.dump(document, tmp_path / "params.yaml")
    with pytest.raises(UserError, match=f"params.yaml, {name}: expected a mapping of names, got"):
        family_of(load(path=tmp_path / "params.yaml"), SECTIONS[name])


@pytest.mark.parametrize("family", ["autoencoder-mnist", "cnn-cifar10"])
def test_not_every_family_is_optional(tmp_path, family):
    yaml = YAML()
    document = yaml.load(PARAMS)
    document["scales"]["demo"][family] = None
    yaml.dump(document, tmp_path / "params.yaml")
    with pytest.raises(UserError, match=rf"scales\.demo\.{family}: expected a mapping"):
        family_of(load("demo", tmp_path / "params.yaml"), family)


def test_the_data_set_of_a_role(params):
    """The stand-in at demo scale; None where the scale has no family with it."""
    assert load("demo", PARAMS).dataset_of_role("mnist") == "digits"
    assert load("paper", PARAMS).dataset_of_role("mnist") == "mnist"
    assert load("demo", PARAMS).dataset_of_role("coco-sample") is None
    with pytest.raises(UserError, match=r"no family uses 'letters': choose one of cifar10, coco, .*mnist"):
        load("demo", PARAMS).dataset_of_role("letters")
    other = load("demo", params(("dataset: digits", "dataset: mnist")))
    with pytest.raises(UserError, match="one data set is meant for autoencoder-mnist: mnist, inputs-mnist: digits"):
        other.dataset_of_role("mnist")


def test_no_file(tmp_path):
    with pytest.raises(UserError, match="run this command in the project's folder"):
        load(path=tmp_path / "params.yaml")


def test_set_scale_changes_one_line(params):
    path = params()
    with pytest.raises(UserError, match="unknown scale ''"):
        set_scale("", path)
    set_scale("paper", path)
    before, after = PARAMS.read_text().splitlines(), path.read_text().splitlines()
    assert [(a, b) for a, b in zip(before, after, strict=True) if a != b] == [("scale: demo", "scale: paper")]


def test_the_command_line_prints_the_message_without_a_traceback(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "replication", "report"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == "error: no params.yaml here: run this command in the project's folder\n"
