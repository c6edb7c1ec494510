"""What the project writes, any JSON reader reads."""

import json
import math
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replication.core import board, strict_json
from replication.core.runs import make_record, read_table, write_table
from replication.core.store import Store

ROOT = Path(__file__).parents[3]
TABLES = sorted((ROOT / "data/runs/paper").glob("*-*.jsonl"))


def refuse(constant):
    raise AssertionError(f"{constant} is not JSON")


def strictly(text):
    return json.loads(text, parse_constant=refuse)


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
contents = st.recursive(leaves, lambda of: st.lists(of, max_size=3) | st.dictionaries(st.text(max_size=3), of))


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)  # of the machine's load, not of this test
@given(contents)
def test_a_number_that_is_not_finite_is_null_and_nothing_else_changes(content):
    bare = re.compile(r"(?<![\w\"])(NaN|-?Infinity)")  # as json.dumps writes them outside of texts
    expected = json.loads(json.dumps(content), parse_constant=lambda _: None)
    assert strictly(strict_json.dumps(content)) == expected
    if not bare.search(json.dumps(content)):
        assert strict_json.dumps(content, indent=1) == json.dumps(content, indent=1)


def test_null_is_read_as_nan():
    first, second = strict_json.loads('[1, {"null": [null, "null"]}]')[1]["null"]
    assert math.isnan(first) and second == "null"
    assert math.isnan(strict_json.loads("NaN"))  # of files that were written before


def test_the_first_row_of_a_tuple_is_cleaned_too():
    assert strict_json.dumps((math.inf, [math.nan, 1.5])) == "[null, [null, 1.5]]"


def test_a_diverged_run_is_kept_as_json(make_run, tmp_path):
    record = make_record(make_run(), {"validation_mse": math.nan}, {"validation_mse": [math.inf, 0.5]}, 1.0, {})
    store = Store(tmp_path)
    store.put(record)
    write_table(tmp_path / "a.jsonl", [store[record["key"]]])
    for path in (tmp_path / f"{record['key']}.json", tmp_path / "a.jsonl"):
        assert strictly(path.read_text())["metrics"] == {"validation_mse": None}
    [again] = read_table(tmp_path / "a.jsonl")
    assert math.isnan(again["metrics"]["validation_mse"])
    assert math.isnan(again["history"]["validation_mse"][0]) and again["history"]["validation_mse"][1] == 0.5
    write_table(tmp_path / "b.jsonl", [again])
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()


def test_metrics_without_a_value_are_null():
    assert strictly(board._json({"gain": math.nan})) == {"gain": None}


@pytest.mark.parametrize("path", [path for path in TABLES if not path.name.startswith("profile")], ids=lambda p: p.stem)
def test_a_committed_table_is_the_same_bytes_when_written_again(path, tmp_path):
    write_table(tmp_path / "again.jsonl", read_table(path))
    assert (tmp_path / "again.jsonl").read_bytes() == path.read_bytes()


def test_no_module_writes_json_of_its_own():
    """But for the theory's record, whose null is an infinity."""
    found = {
        path.relative_to(ROOT / "src/replication").as_posix(): re.findall(
            r"(?<!strict_)json\.dumps?\([^\n]*", path.read_text()
        )
        for path in (ROOT / "src/replication").rglob("*.py")
        if path.name != "strict_json.py"
    }
    assert {name: len(calls) for name, calls in found.items() if calls} == {
        "theory/record.py": 1,
        "training/checkpoints.py": 1,
    }
    assert "allow_nan=False" in found["theory/record.py"][0]
