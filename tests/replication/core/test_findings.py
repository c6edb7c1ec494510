"""Findings are what they were when their file is read again, and are computed again when something changed."""

import json
import math
import sys

import numpy as np
import pandas as pd
import pytest

from replication.core import code, findings, paths
from replication.core.errors import UserError
from replication.core.family import Study, findings_of
from replication.core.findings import Findings


def again(tmp_path, found):
    path = tmp_path / "some.json"
    found.write(path, "its digest")
    read, digest = findings.read(path)
    assert digest == "its digest"
    json.loads(path.read_text(), parse_constant=lambda constant: pytest.fail(f"{constant} is not JSON"))
    return read


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"n": [1, 2], "big": [2**53 + 1, -1], "share": [0.1, 1 / 3], "is": [True, False]}),
        pd.DataFrame({"value": [math.nan, 1.5], "bound": [math.inf, -math.inf], "small": np.float32([0.1, math.nan])}),
        pd.DataFrame({"byte": np.uint8([0, 255]), "short": np.int32([1, -1])}),
        pd.DataFrame({"text": ["a", 'quoted, "b"'], "sign": ["+", None], "empty": ["", "NaN"]}, dtype=object),
        pd.DataFrame({"text": ["a", "b"]}),
        pd.DataFrame({"mixed": ["60", 3, 2.5, None, True, ["a", 1]]}, dtype=object),
        pd.DataFrame({"numpy": [np.int64(3), np.float64(0.5), np.bool_(True), "x"]}, dtype=object),
        pd.DataFrame(),
        pd.DataFrame(columns=["width", "lambda"]),
        pd.DataFrame({"width": pd.Series(dtype=int), "mse": pd.Series(dtype=float), "name": pd.Series(dtype=object)}),
    ],
    ids=range(10),
)
def test_tables_keep_values_and_types(tmp_path, table):
    read = again(tmp_path, Findings({"some": table})).table("some")
    assert dict(read.dtypes.astype(str)).keys() == dict(table.dtypes.astype(str)).keys()
    for name in table:
        kept = "object" if str(table[name].dtype) in ("object", "str", "string") else str(table[name].dtype)
        assert str(read[name].dtype) == kept
        assert read[name].astype(object).isna().tolist() == table[name].astype(object).isna().tolist()
        there = table[name].notna()
        assert read[name][there].tolist() == table[name][there].tolist()
        assert [type(v) for v in read[name]] == [
            type(v.item() if isinstance(v, np.generic) else v) for v in table[name]
        ]


def test_none_and_nan_stay_what_they_are(tmp_path):
    table = pd.DataFrame({"number": [math.nan], "text": pd.Series([None], dtype=object)})
    read = again(tmp_path, Findings({"some": table})).table("some")
    assert isinstance(read["number"][0], float) and math.isnan(read["number"][0]) and read["text"][0] is None


def test_an_index_is_not_kept(tmp_path):
    table = pd.DataFrame({"n": [1, 2, 3]})[lambda rows: rows["n"] > 1]
    read = again(tmp_path, Findings({"some": table})).table("some")
    assert read.index.tolist() == [0, 1] and read["n"].tolist() == [2, 3]


def test_facts_and_metrics_are_plain(tmp_path):
    facts = {
        "text": "a",
        "none": None,
        "yes": np.bool_(True),
        "whole": np.int64(3),
        "half": np.float32(0.5),
        "lost": [np.float32(math.nan), np.float64(math.nan), math.inf],
        "nested": {"values": (1, 2.5), "chosen": {3, 1, 2}, "frozen": frozenset("ba")},
    }
    read = again(tmp_path, Findings({}, facts, {"hours": 0.25, "runs": np.int64(7)}))
    assert read.facts == {
        "text": "a",
        "none": None,
        "yes": True,
        "whole": 3,
        "half": 0.5,
        "lost": [None, None, None],
        "nested": {"values": [1, 2.5], "chosen": [1, 2, 3], "frozen": ["a", "b"]},
    }
    assert read.facts["yes"] is True and isinstance(read.facts["whole"], int)
    assert read.metrics == {"hours": 0.25, "runs": 7}
    assert read.tables == {} and read.table("none").empty


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A study of one file by a room of one module, and how often it was computed: study(settings) -> Findings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(code, "SRC", tmp_path)  # without the code that all rooms share
    (tmp_path / "lone_room").mkdir()
    (tmp_path / "lone_room/__init__.py").write_text("SECTIONS = ()\n")
    (tmp_path / "read.csv").write_text("1\n")

    def compute():
        computed.append(1)
        return Findings(facts={"times": len(computed)})

    def found(settings=None):
        reads = (tmp_path / "read.csv", tmp_path / "not there.csv")
        return findings_of(
            Study(name="s", room="lone_room", scale="demo", reads=reads, compute=compute, settings=settings)
        ).facts["times"]

    computed: list[int] = []
    yield found
    sys.modules.pop("lone_room", None)


def test_what_has_not_changed_is_not_computed_again(study, tmp_path):
    assert study() == study() == 1
    (tmp_path / "read.csv").write_text("1\n")  # the same content
    (tmp_path / "another.csv").write_text("2\n")
    (tmp_path / "lone_room/__pycache__").mkdir(exist_ok=True)
    (tmp_path / "lone_room/__pycache__/x.pyc").write_text("3\n")
    assert study() == 1


def test_a_changed_file_setting_or_code_has_it_computed_again(study, tmp_path):
    assert study() == 1
    (tmp_path / "read.csv").write_text("2\n")
    assert study() == study() == 2
    (tmp_path / "not there.csv").write_text("1\n")
    assert study() == study() == 3
    assert study({"epsilon": 0.1}) == study({"epsilon": 0.1}) == 4
    assert study({"epsilon": 0.2}) == 5
    (tmp_path / "lone_room/__init__.py").write_text("SECTIONS = ()  # and more\n")
    assert study({"epsilon": 0.2}) == 6
    (tmp_path / "lone_room/statistics").mkdir()
    (tmp_path / "lone_room/statistics/module.py").write_text("")
    assert study({"epsilon": 0.2}) == study({"epsilon": 0.2}) == 7
    (tmp_path / "lone_room/statistics/module.py").rename(tmp_path / "lone_room/statistics/renamed.py")
    assert study({"epsilon": 0.2}) == 8


def test_content_is_not_moved_between_files(tmp_path):
    """Two files whose contents are one text when put together."""
    for name, parts in (("a", ("12", "3")), ("b", ("1", "23"))):
        (tmp_path / name).mkdir()
        for number, part in enumerate(parts):
            (tmp_path / name / str(number)).write_text(part)
    first, second = (
        findings.digest_of(*findings.contents([tmp_path / name / "0", tmp_path / name / "1"])) for name in ("a", "b")
    )
    assert first != second


@pytest.mark.parametrize("text", ["", "{", "[]", '{"digest": "x"}', '{"tables": {"a": {}}, "facts": {}}'])
def test_a_damaged_file_says_how_to_make_it_anew(study, text):
    study()
    (paths.statistics("demo") / "s.json").write_text(text)
    with pytest.raises(UserError, match=r"s\.json is damaged .*: delete it: `python -m replication statistics` makes"):
        study()
