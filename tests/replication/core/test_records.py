"""A record is what it says: any change of its content is noticed, and none is made by reading and writing."""

import copy
import json
import math
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replication.core import records
from replication.core.records import key_of, line, parse, read_digests, sealed
from replication.core.run import TRAINING_VERSION, Run
from replication.core.runs import make_record, read_table, write_table

RUNS = Path(__file__).parents[3] / "data" / "runs" / "paper"
TABLES = sorted(path for path in RUNS.glob("*.jsonl") if not path.stem.startswith("profile-"))

names = st.text(min_size=1, max_size=8)
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53)
described = st.dictionaries(names, numbers | st.text(max_size=8), max_size=5)
measured = st.floats() | st.integers(-(2**53), 2**53)


@st.composite
def made(draw):
    """Any record that a trainer may leave, as it is read again: what is not finite is NaN."""
    length = draw(st.integers(0, 4))
    history = draw(st.dictionaries(names, st.lists(measured, min_size=length, max_size=length), max_size=3))
    run = Run(draw(names), draw(described.filter(lambda run: "epochs" not in run)))
    metrics = draw(st.dictionaries(names, measured, max_size=3).filter(lambda found: "stopping_epoch" not in found))
    record = make_record(run, metrics, history, draw(st.floats(0, 1e9)), draw(st.dictionaries(names, names)))
    if draw(st.booleans()):
        record |= {"inputs": [1, 2], "profile": {"mean": [0.5, None]}}
    return record


def text(record):
    return line(record).encode()


def again(record, digests=None):
    return parse(text(record), TRAINING_VERSION, digests or {})


@given(made())
@settings(max_examples=200, deadline=None)
def test_reading_and_writing_again_change_no_byte(record):
    for written in (record, sealed(record)):
        assert text(again(written)) == text(written)
    assert again(record, {record["key"]: sealed(record)["digest"]}).keys() == record.keys()


@given(made(), st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_other_number_text_or_name_is_refused(record, data):
    """Of a record with a digest, and of one whose digest is kept apart."""
    other = copy.deepcopy(json.loads(line(sealed(record))))
    place = other
    while True:
        if isinstance(place, dict):
            at = data.draw(st.sampled_from(sorted(place)))
        else:
            at = data.draw(st.integers(0, len(place) - 1))
        if not isinstance(place[at], dict | list) or not place[at]:
            break
        place = place[at]
    place[at] = data.draw(
        (numbers | st.text(max_size=3)).filter(lambda value: json.dumps(value) != json.dumps(place[at]))
    )
    kept = {record["key"]: sealed(record)["digest"]}
    for changed in (other, {name: value for name, value in other.items() if name != "digest"}):
        if line(changed) != line(record):
            with pytest.raises(ValueError, match=r"."):
                again(changed, kept)


def test_the_layout_of_a_text_does_not_matter(make_run):
    record = sealed(make_record(make_run(), {"a": math.nan}, {"b": [0.1, math.inf]}, 1, {"c": "\u00e9"}))
    loose = json.dumps(json.loads(line(record)), indent=1, ensure_ascii=False).encode()
    assert text(parse(loose, 1, {})) == text(record)
    with pytest.raises(ValueError, match=r"its content was changed: its digest is \w{12}, and \w{12} was recorded"):
        parse(loose.replace(b"0.1", b"0.2"), 1, {})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"version": 2}, "made by version 2 of the training code, and this is version 1"),
        ({"version": True}, r"Expected `int`, got `bool` - at `\$.version`"),
        ({"run": {"width": 1}}, r"its key is \w{16}, and its settings give the key \w{16}"),
        ({"family": ""}, r"length >= 1 - at `\$.family`"),
        ({"key": "../x"}, r"its key is \.\./x, and its settings give the key \w{16}"),
        ({"metrics": {"mse": "low"}}, r"got `str` - at `\$.metrics"),
        ({"metrics": {"stopping_epoch": 3}}, "its histories have 2 epochs, and it says 3"),
        ({"history": {"a": [1.0], "b": [1.0, 2.0]}}, "its histories have 1 and 2 epochs"),
        ({"history": {"a": 1.0}}, "Expected `array`"),
        ({"environment": None}, "Expected `object`, got `null`"),
        ({"seconds": -1}, "Expected `int` >= 0"),
        ({"digest": "0" * 64}, "its content was changed"),
    ],
)
def test_why_a_record_is_refused(make_run, changes, reason):
    record = make_record(make_run(), {"stopping_epoch": 2}, {"mse": [0.5, 0.25]}, 1, {})
    with pytest.raises(ValueError, match=reason):
        again(record | changes)
    for missing in records.FIRST:
        with pytest.raises(ValueError, match=f"missing required field `{missing}`"):
            again({name: value for name, value in record.items() if name != missing})


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_are_finite_or_null(make_run, word):
    written = line(make_record(make_run(), {"a": 0.123}, {}, 1, {}))
    with pytest.raises(ValueError, match=r"not JSON|out of range"):
        parse(written.replace("0.123", word).encode(), 1, {})
    assert math.isnan(parse(written.replace("0.123", "null").encode(), 1, {})["metrics"]["a"])


def test_the_key_is_that_of_the_version_that_made_the_record(make_run):
    record = make_record(make_run(), {}, {}, 1, {}) | {"version": 0}
    with pytest.raises(ValueError, match="its settings give the key"):
        again(record)
    assert again(record | {"key": key_of(record["family"], 0, record["run"])})["version"] == 0


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_a_committed_table_vouches_for_itself_and_is_rewritten_byte_for_byte(path, tmp_path, capsys):
    read = read_table(path)
    assert not capsys.readouterr().err
    digests = read_digests(RUNS)
    unnoted = [record["key"] for record in read if "digest" not in record and record["key"] not in digests]
    assert not unnoted, "`python -m replication runs seal --scale paper` notes their digests"
    write_table(tmp_path / path.name, reversed(read))
    assert (tmp_path / path.name).read_bytes() == path.read_bytes()
