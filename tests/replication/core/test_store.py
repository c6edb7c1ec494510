import os
import subprocess
from pathlib import Path

import pytest

from replication.core.errors import UserError
from replication.core.files import OURS
from replication.core.records import line
from replication.core.runs import make_record
from replication.core.store import Store

PARAMS = Path(__file__).parents[3] / "params.yaml"


def record_of(run):
    return make_record(run, {"stopping_epoch": 2}, {"validation_mse": [0.1, 1 / 3]}, 1.5, {"device": "cpu"})


def test_store_round_trip_and_only_whole_records(make_run, tmp_path):
    store = Store(tmp_path / "store")
    assert store.keys() == set()
    record = record_of(make_run())
    store.put(record)
    (tmp_path / "store" / "abc.tmp99").write_text('{"half')
    assert store.keys() == {record["key"]}
    assert store[record["key"]] == record
    assert store.add_missing([record, record_of(make_run(replicate=1))]) == 1


def test_a_finished_run_needs_no_checkpoint_and_a_deleted_one_no_weights(make_run, tmp_path):
    store, record = Store(tmp_path), record_of(make_run())
    for path in (store.checkpoint(record["key"]), store.weights(record["key"])):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    store.put(record)
    assert not store.checkpoint(record["key"]).exists() and store.weights(record["key"]).exists()
    store.delete(record["key"])
    assert store.keys() == set() and not store.weights(record["key"]).exists()


def test_what_a_kill_left_behind_is_cleared(make_run, tmp_path):
    """But nothing of a process that lives, and no checkpoint that is still needed."""
    with subprocess.Popen(["true"]) as gone:
        pass
    store, record, other = Store(tmp_path), record_of(make_run()), make_run(replicate=1)
    store.put(record)
    left = [tmp_path / f"{other.key}.json{OURS}{gone.pid}", store.checkpoint(record["key"])]
    kept = [tmp_path / f"{other.key}.json{OURS}{os.getpid()}", store.checkpoint(other.key), store.path(record["key"])]
    left.append(store.checkpoint(other.key).with_suffix(f".pt{OURS}{gone.pid}"))
    for path in (*left, *kept):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    store.tidy({record["key"]})
    assert not any(path.exists() for path in left) and all(path.exists() for path in kept)


def test_a_damaged_record_is_named(make_run, tmp_path):
    store = Store(tmp_path)
    store.put(record_of(make_run()))
    path = next(tmp_path.glob("*.json"))
    path.write_text(path.read_text()[:-10])
    with pytest.raises(UserError, match=f"{path.name} is damaged"):
        store[path.stem]


def test_a_full_disk_gets_a_message_and_leaves_nothing(make_run, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(UserError, match=r"No space left on device.*Free some space"):
        Store(tmp_path).put(record_of(make_run()))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("key", ["../../elsewhere", "", "A" * 16, "0" * 15, "0" * 17, "0" * 16 + "\n", 7, None])
def test_what_is_no_key_never_names_a_file(make_run, tmp_path, key):
    store = Store(tmp_path / "a" / "b" / "store")
    for use in (store.path, store.checkpoint, store.weights, store.delete, store.take, store.__getitem__):
        with pytest.raises(UserError, match="is no key of a run, which is 16 hexadecimal digits"):
            use(key)
    with pytest.raises(UserError, match="is no key"):
        store.put(record_of(make_run()) | {"key": key})
    assert list(tmp_path.rglob("*")) == []


def test_a_record_that_is_refused_is_set_aside_and_counts_as_none(make_run, tmp_path, capsys):
    store, record, other = Store(tmp_path), record_of(make_run()), record_of(make_run(replicate=1))
    path = store.path(record["key"])
    for text, reason in (("{}", "not a run record: Object missing"), (line(other), f"it holds the run {other['key']}")):
        path.write_text(text)
        with pytest.raises(UserError, match=reason):
            store[record["key"]]
        assert store.take(record["key"]) is None and store.keys() == set()
        assert f"{path}: {reason}" in capsys.readouterr().err
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {
        f"{path.name}.refused": "{}",
        f"{path.name}.refused2": line(other),
    }
    store.put(record)
    assert store.take(record["key"]) == store[record["key"]] == record
