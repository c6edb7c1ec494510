import json
import os
import subprocess
from pathlib import Path

import pytest

from replication.autoencoder import grid
from replication.autoencoder.settings import read
from replication.core import runs
from replication.core.errors import UserError
from replication.core.files import OURS
from replication.core.records import line
from replication.core.runs import Run, Store, current, make_record, read_current, read_table, unique, write_table
from replication.core.settings import load

PARAMS = Path(__file__).parents[3] / "params.yaml"


def record_of(run):
    return make_record(run, {"stopping_epoch": 2}, {"validation_mse": [0.1, 1 / 3]}, 1.5, {"device": "cpu"})


def test_the_key_depends_on_every_setting_and_the_version(make_run, monkeypatch):
    run = make_run()
    variants = [
        make_run(**{name: "x" if isinstance(value, str) else value + 1})
        for name, value in run.settings.items()
        if name not in ("lambda", "form", "epsilon", "monitor")
    ]
    keys = {run.key, make_run(lambda_=0.1).key, *(variant.key for variant in variants)}
    assert len(keys) == len(variants) + 2
    assert make_run().key == run.key
    monkeypatch.setattr(runs, "TRAINING_VERSION", runs.TRAINING_VERSION + 1)
    assert make_run().key not in keys


def test_runs_are_equal_exactly_if_their_keys_are(make_run):
    """Python takes 1, 1.0 and True for equal, JSON and the key do not."""
    runs_ = [make_run(patience=value) for value in (1, 1.0, True)]
    assert make_run() == make_run() and len({make_run(), make_run()}) == 1
    assert len({run.key for run in runs_}) == len(set(runs_)) == 3
    assert all((a == b) == (a is b) for a in runs_ for b in runs_)
    assert make_run() != make_run().key and runs_[0] not in runs_[1:]


def test_unique_keeps_the_first_of_each_in_order(make_run):
    a, b = make_run(), make_run(lambda_=0.1)
    assert unique(iter([b, a, b, make_run()])) == [b, a]


def test_keys_are_stable_over_releases(make_run):
    """A changed key orphans every committed run: change it only together with TRAINING_VERSION."""
    assert make_run().key == "8ecaf9f4ac7b5a86"


def test_seeds_are_paired_over_guidance_and_differ_otherwise(make_run):
    run = make_run()
    guidance = ("form", "epsilon", "placement", "layers", "anchor", "reduction", "monitor", "precision")
    for name in (*guidance, "patience", "min_delta", "max_epochs", "epochs", "lambda"):
        assert make_run(**{name: "other"}).seed("weights") == run.seed("weights"), name
    for name in ("dataset", "width", "replicate"):
        assert make_run(**{name: "other"}).seed("weights") != run.seed("weights"), name
    assert Run("another", run.settings).seed("weights") != run.seed("weights")
    assert run.seed("weights") != run.seed("order")


@pytest.mark.parametrize("changes", [{"form": "log"}, {"monitor": "base"}, {"epsilon": 0.1}])
def test_unguided_runs_are_shared_between_variants(changes):
    settings = read(load("paper", PARAMS), "autoencoder-mnist")

    def key(lambda_, **changes):
        return grid.make_run(settings, 100, lambda_, 0, **changes).key

    assert key(0.0, **changes) == key(0.0) and key(1.0, **changes) != key(1.0)


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
    monkeypatch.setattr(runs, "TRAINING_VERSION", runs.TRAINING_VERSION + 1)
    record = record_of(make_run())
    assert record["key"] != older["key"] and current([record, older]) == [record]
    write_table(tmp_path / "t.jsonl", [record, older])
    assert read_current(tmp_path / "t.jsonl") == [record] and len(read_table(tmp_path / "t.jsonl")) == 2
    monkeypatch.undo()
    assert read_table(tmp_path / "t.jsonl") == [older]
    assert "made by version 2 of the training code, and this is version 1" in capsys.readouterr().err


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


def test_histories_keep_a_float32(make_run):
    import numpy as np

    values = np.random.default_rng(0).random(100, dtype=np.float32)
    record = make_record(make_run(), {}, {"x": values.tolist()}, 0, {})
    restored = np.array(json.loads(json.dumps(record))["history"]["x"], dtype=np.float32)
    assert (restored == values).all()
