import json
from pathlib import Path

import pytest

from replication.core import run as run_module
from replication.core import runs
from replication.core.errors import UserError
from replication.core.runs import current, make_record, read_current, read_table, write_table

PARAMS = Path(__file__).parents[3] / "params.yaml"


def record_of(run):
    return make_record(run, {"stopping_epoch": 2}, {"validation_mse": [0.1, 1 / 3]}, 1.5, {"device": "cpu"})


def test_tables_are_deterministic_and_exact(make_run, tmp_path):
    records = [record_of(make_run(replicate=k)) for k in range(5)]
    write_table(tmp_path / "a.jsonl", records)
    write_table(tmp_path / "b.jsonl", reversed(records))
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    assert read_table(tmp_path / "a.jsonl") == sorted(records, key=lambda r: r["key"])
    assert read_table(tmp_path / "none.jsonl") == []
    write_table(tmp_path / "empty.jsonl", [])
    assert (tmp_path / "empty.jsonl").read_bytes() == b"\n" and read_table(tmp_path / "empty.jsonl") == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "not JSON: Input data was truncated"),
        ("[1]", "not a run record: Expected `object`, got `array`"),
        ('{"key": 1}', "not a run record: Expected `str`, got `int` - at `$.key`"),
        ("<<<< HEAD", "not JSON: JSON is malformed: invalid character (byte 0)"),
    ],
)
def test_a_line_that_is_refused_is_named_kept_and_keeps_no_other_from_being_used(
    make_run, tmp_path, capsys, line, reason
):
    path, records = tmp_path / "t.jsonl", [record_of(make_run(replicate=k)) for k in range(3)]
    write_table(path, records[:2])
    path.write_text(f"{line}\n" + path.read_text())
    assert read_table(path) == sorted(records[:2], key=lambda r: r["key"])
    assert capsys.readouterr().err == f"refused: {path}, line 1: {reason}\n"
    for _ in range(2):
        write_table(path, records)
        assert (tmp_path / "t.refused.jsonl").read_text() == f"{line}\n"
    assert capsys.readouterr().err == f"1 refused lines of {path} are now in {tmp_path / 't.refused.jsonl'}\n"
    assert len(read_table(path)) == 3 and not capsys.readouterr().err


def test_a_repeated_run_is_no_further_replicate(make_run, tmp_path, capsys):
    path, record = tmp_path / "t.jsonl", record_of(make_run())
    write_table(path, [record])
    path.write_text(path.read_text() * 2)
    assert read_table(path) == [record]
    assert "line 2: the run of line 1 once more" in capsys.readouterr().err
    with pytest.raises(UserError, match=r"is damaged .IsADirectoryError"):
        read_table(tmp_path)


def test_a_table_that_is_a_link_stays_one(make_run, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    link, there = tmp_path / "t.jsonl", tmp_path / "elsewhere" / "real.jsonl"
    link.symlink_to(there)
    for k in range(2):
        write_table(link, [record_of(make_run(replicate=k))])
        assert link.is_symlink() and read_table(there) == read_table(link) == [record_of(make_run(replicate=k))]


def test_records_of_an_older_version_do_not_count(make_run, tmp_path, monkeypatch, capsys):
    older = record_of(make_run())
    for module in (run_module, runs):
        monkeypatch.setattr(module, "TRAINING_VERSION", module.TRAINING_VERSION + 1)
    record = record_of(make_run())
    assert record["key"] != older["key"] and current([record, older]) == [record]
    write_table(tmp_path / "t.jsonl", [record, older])
    assert read_current(tmp_path / "t.jsonl") == [record] and len(read_table(tmp_path / "t.jsonl")) == 2
    monkeypatch.undo()
    assert read_table(tmp_path / "t.jsonl") == [older]
    assert "made by version 2 of the training code, and this is version 1" in capsys.readouterr().err


def test_histories_keep_a_float32(make_run):
    import numpy as np

    values = np.random.default_rng(0).random(100, dtype=np.float32)
    record = make_record(make_run(), {}, {"x": values.tolist()}, 0, {})
    restored = np.array(json.loads(json.dumps(record))["history"]["x"], dtype=np.float32)
    assert (restored == values).all()
