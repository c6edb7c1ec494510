"""Files damaged at random: what is read is what was written, and the rest is refused and kept."""

import json

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replication.core import tables
from replication.core.errors import UserError
from replication.core.records import FIELDS, line, sealed
from replication.core.run import TRAINING_VERSION, Run
from replication.core.runs import make_record, write_table
from replication.core.store import Store
from replication.training import checkpoints

MADE = [
    sealed(
        make_record(Run("family", {"lambda": 0.1, "replicate": k}), {"mse": 0.5 + k}, {"mse": [1.0, 0.5 + k]}, 1, {})
    )
    for k in range(4)
]
WHOLE = "".join(line(record) + "\n" for record in sorted(MADE, key=lambda record: record["key"])).encode()


@st.composite
def damaged(draw, text):
    """Some bytes replaced, taken out or put in, or the end cut off."""
    at = draw(st.integers(0, len(text) - 1))
    to = draw(st.integers(at, min(at + 40, len(text))))
    return text[:at] + (b"" if draw(st.booleans()) else draw(st.binary(max_size=8)) + text[to:])


@given(damaged(WHOLE))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_table_gives_its_whole_records_and_keeps_the_rest(tmp_path, text):
    path = tmp_path / "table.jsonl"
    aside = tables.refused_file(path)
    aside.unlink(missing_ok=True)
    path.write_bytes(text)
    read, refused = tables.split(path, TRAINING_VERSION)
    assert all(record in MADE or unsealed(record) in map(unsealed, MADE) for record in read)  # as records once were
    assert len(read) + len(refused) == sum(bool(part.strip()) for part in text.split(b"\n"))
    write_table(path, read)
    assert tables.split(path, TRAINING_VERSION) == (read, [])
    kept = aside.read_bytes().decode().split("\n") if aside.exists() else [""]
    assert {one.text for one in refused} == set(kept[:-1])


def unsealed(record):
    """A record without its digest, and without what stands in the digest's place."""
    return {name: record[name] for name in FIELDS if name in record and name != "digest"}


@given(damaged(line(MADE[0]).encode()))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_record_of_the_store_is_never_taken_for_another(tmp_path, text):
    store, key = Store(tmp_path), MADE[0]["key"]
    store.path(key).write_bytes(text)
    found = store.take(key)
    assert found is None or json.dumps(found) == json.dumps(MADE[0])
    assert (found is None) == (key not in store.keys())


@pytest.mark.parametrize("text", [b"", b"\n", b"null", b"{}", b"\xff\xfe", b'{"key": "../../x"}'])
def test_what_is_no_record_is_refused(tmp_path, text):
    store, key = Store(tmp_path), MADE[0]["key"]
    store.path(key).write_bytes(text)
    assert store.take(key) is None
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [text]


STATE = {"model": {"w": torch.arange(40.0)}, "history": {"monitored": [0.5, 0.25]}}
TRAINED = Run("family", {"lambda": 0.1, "max_epochs": 9})


@given(st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_checkpoint_is_refused_or_gives_what_was_saved(tmp_path, data):
    path = tmp_path / "checkpoint.pt"
    checkpoints.save(path, TRAINED, STATE)
    path.write_bytes(data.draw(damaged(path.read_bytes())))
    try:
        found = checkpoints.load(path, TRAINED)
    except UserError as error:
        assert str(path) in str(error) and str(error).count("\n") < 3
    else:
        assert checkpoints.digest(found) == checkpoints.digest(STATE)
