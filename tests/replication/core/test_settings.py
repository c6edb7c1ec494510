import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from replication.core.errors import UserError
from replication.core.settings import AUTOENCODERS, load, set_scale

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


@pytest.mark.parametrize("family", AUTOENCODERS)
def test_the_paper_scale_is_the_papers_grid(family):
    grid = load("paper", PARAMS).autoencoder_grids[family]
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
    ("old", "new", "message"),
    [
        ("  patience: 7", "  patiance: 7", "autoencoder: unknown parameter patiance. Known: .*patience"),
        ("  patience: 7\n", "", "autoencoder: missing parameter patience"),
        ("  patience: 7", "  patience: seven", "expected a positive whole number, got 'seven'"),
        ("      batch_size: ", "      batch_size: -", "expected a positive whole number"),
        ("monitor: total", "monitor: both", "'both', choose one of total, base"),
        ("lambda:\n", "lambda: big\n", "lambda: expected null, a number or a list"),
        ("    form: exact\n", "    forms: exact\n", "variants.exact: unknown parameter forms. Known: lambdas, form"),
        ("    epsilon: 0.1\n", "    epsilon: 0\n", "variants.epsilon-1e-1.epsilon: expected a positive number, got 0"),
        ("    epsilon: 0.1\n", "    epsilon: tiny\n", "variants.epsilon-1e-1.epsilon: expected a positive number"),
        (
            "    form: exact\n",
            "    learning_rate: 0.1\n",
            "variants.exact: a variant .* cannot change learning_rate. It may",
        ),
        ("  dropout: 0.1", "  dropout: 1.5", "unet.dropout: expected a number, not negative and below 1, got 1.5"),
        ("scale: demo", "scale: huge", "unknown scale 'huge'.*demo, paper"),
        ("scale: demo", "scale: [", "not valid YAML"),
        ("scale: demo\n", "scale: demo\nlamda: 1\n", "unknown parameter lamda"),
        ("scale: demo\n", "scale: ''\n", "unknown scale ''"),
        ("\nvariants:\n", "\nvariants:\nold_variants:\n", "unknown parameter old_variants"),
        ("autoencoder:\n", "autoencoder:\n  1: 2\n", "autoencoder: expected a mapping of names"),
        ("weaker_lambdas: [1.0e-05]", "weaker_lambdas: [0.001]", "weaker_lambdas: .* the grid's smallest, 0.001"),
        ("variants: [center, random", "variants: [centre, random", "variants: unknown centre. Known: center"),
        ("  min_delta: 0.001", "  min_delta: -0.001", "autoencoder.min_delta: expected a number, not negative"),
        ("lambda:\n", "lambda: true\n", "lambda: expected null, a number or a list"),
        ("lambda:\n", "lambda: [0.1, true]\n", "lambda: expected null, a number or a list"),
        ("  candidates:\n", "  candidate:\n", "cnn_calibration: unknown parameter candidate"),
    ],
)
def test_mistakes_get_one_clear_message(params, old, new, message):
    with pytest.raises(UserError, match=message):
        load(path=params((old, new)))


@pytest.mark.parametrize("name", ["variants", "cnn_variants", "calibration", "cnn_calibration", "scales", "unet"])
@pytest.mark.parametrize("value", [None, 3, [1]])
def test_a_section_that_is_none(tmp_path, name, value):
    yaml = YAML()
    document = yaml.load(PARAMS)
    document[name] = value
    yaml.dump(document, tmp_path / "params.yaml")
    with pytest.raises(UserError, match=f"params.yaml, {name}: expected a mapping of names, got"):
        load(path=tmp_path / "params.yaml")


def test_only_the_sample_is_optional(tmp_path):
    yaml = YAML()
    document = yaml.load(PARAMS)
    document["scales"]["demo"]["unet-coco"] = None
    yaml.dump(document, tmp_path / "params.yaml")
    with pytest.raises(UserError, match=r"scales\.demo\.unet-coco: expected a mapping"):
        load("demo", tmp_path / "params.yaml")


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
