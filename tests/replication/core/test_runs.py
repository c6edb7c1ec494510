import json
from pathlib import Path

import pytest

from replication.autoencoder import grid
from replication.autoencoder.settings import read
from replication.core import runs
from replication.core.errors import UserError
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


@pytest.mark.parametrize("line", ["{", "[1]", '{"key": 1}'])
def test_a_damaged_table_names_the_line(tmp_path, line):
    path = tmp_path / "t.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(UserError, match="line 1"):
        read_table(path)


def test_a_repeated_run_is_no_further_replicate(make_run, tmp_path):
    path = tmp_path / "t.jsonl"
    write_table(path, [record_of(make_run())])
    path.write_text(path.read_text() * 2)
    with pytest.raises(UserError, match=r"line 2: the run of line 1 once more.*delete the line"):
        read_table(path)
    with pytest.raises(UserError, match=r"is damaged .IsADirectoryError"):
        read_table(tmp_path)


def test_records_of_another_version_do_not_count(make_run, tmp_path):
    record = record_of(make_run())
    assert current([record, record | {"version": 0}]) == [record]
    write_table(tmp_path / "t.jsonl", [record, record | {"key": "0" * 16, "version": 0}])
    assert read_current(tmp_path / "t.jsonl") == [record]


def test_histories_keep_a_float32(make_run):
    import numpy as np

    values = np.random.default_rng(0).random(100, dtype=np.float32)
    record = make_record(make_run(), {}, {"x": values.tolist()}, 0, {})
    restored = np.array(json.loads(json.dumps(record))["history"]["x"], dtype=np.float32)
    assert (restored == values).all()
