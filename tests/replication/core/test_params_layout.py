"""params.yaml has the layout that DVC's own serializer gives it: `dvc exp run -S` changes the lines of a value alone.

DVC writes a list of a block mapping in block style, and breaks a flow mapping that reaches over column 80. It forgets a
comment behind the last item of a list, which is where ruamel.yaml keeps what stands below it
(findings/dvc-set-param-loses-a-comment.sh).
"""

import difflib
import shutil
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML

from replication.core.settings import set_scale

PARAMS = Path(__file__).parents[3] / "params.yaml"
REMEDY = "write it so: python -c \"from dvc.utils.hydra import apply_overrides; apply_overrides('params.yaml', [])\""


@pytest.fixture
def written(tmp_path):
    """written(OVERRIDE, ...) -> the lines of params.yaml that DVC takes away, and those that it adds."""

    def write(*overrides, change=apply_overrides):
        path = tmp_path / "params.yaml"
        shutil.copy(PARAMS, path)
        change(path, list(overrides)) if change is apply_overrides else change(*overrides, path)
        lines = difflib.ndiff(PARAMS.read_text().splitlines(), path.read_text().splitlines())
        changed = [line for line in lines if line[0] in "+-"]
        return [line[2:] for line in changed if line[0] == "-"], [line[2:] for line in changed if line[0] == "+"]

    return write


def test_without_a_value_nothing_changes(written):
    assert written() == ([], []), REMEDY


@pytest.mark.parametrize(
    ("override", "before", "after"),
    [
        ("lambda=0.01", ["lambda:"], ["lambda: 0.01"]),
        ("lambda=0.00001", ["lambda:"], ["lambda: 1e-05"]),
        ("lambda=[0.01,0.1]", [], ["- 0.01", "- 0.1"]),
        ("scale=paper", ["scale: demo"], ["scale: paper"]),
        ("train=autoencoder-mnist", ["train:"], ["train: autoencoder-mnist"]),
        (
            "variants.log.lambdas=[0.1]",
            ["  log: {lambdas: [0.01, 1.0], form: log}"],
            ["  log: {lambdas: [0.1], form: log}"],
        ),
        ("+variants.mine.lambdas=[0.5]", [], ["  mine:", "    lambdas:", "    - 0.5"]),
        ("scales.demo.autoencoder-mnist.lambdas=[0.0,0.001,0.5]", ["      - 1.0"], ["      - 0.5"]),
    ],
)
def test_a_value_changes_its_lines_alone(written, override, before, after):
    assert written(override) == (before, after)


def test_a_value_keeps_the_comment_beside_it(written):
    before, after = written("autoencoder.monitor=base")
    assert before[0].replace("total  ", "base   ", 1) == after[0] and "#" in after[0] and len(before) == len(after) == 1


def test_set_scale_keeps_the_layout(written):
    assert written("paper", change=set_scale) == (["scale: demo"], ["scale: paper"])


def test_what_is_written_means_the_same(tmp_path):
    path = tmp_path / "params.yaml"
    shutil.copy(PARAMS, path)
    apply_overrides(path, ["lambda=0.01"])
    read = YAML(typ="safe").load
    assert read(path) == read(PARAMS) | {"lambda": 0.01}
