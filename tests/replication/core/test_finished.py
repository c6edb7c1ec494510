"""A table from what is known, without a training."""

from replication.core import finished
from replication.core.finished import Outcome
from replication.core.runs import make_record, read_table, write_table
from replication.core.store import Store


def record(run):
    return make_record(run, {}, {}, 1, {})


def test_the_table_holds_what_it_and_the_store_know_of_the_selection(make_run, tmp_path):
    runs = [make_run(replicate=k) for k in range(3)]
    other = make_run(width=9)
    table, store = tmp_path / "t.jsonl", Store(tmp_path / "store")
    write_table(table, [record(runs[0]), record(other)])
    store.put(record(runs[1]))
    outcome = finished.without_training(runs, table, store)
    assert outcome == Outcome(selected=3, trained=0, missing=1, interrupted=False)
    assert str(outcome) == "3 runs: 2 known already, 0 trained now, 1 still missing"
    assert {found["key"] for found in read_table(table)} == {run.key for run in runs[:2]}
    assert store.keys() == {run.key for run in (*runs[:2], other)}  # what leaves the table is kept


def test_the_tables_stand_counts(make_run, tmp_path):
    run = make_run()
    table, store = tmp_path / "t.jsonl", Store(tmp_path / "store")
    write_table(table, [make_record(run, {"mse": 1.0}, {}, 1, {})])
    store.put(make_record(run, {"mse": 2.0}, {}, 1, {}))
    assert finished.known([run], table, store)[run.key]["metrics"] == {"mse": 1.0}
