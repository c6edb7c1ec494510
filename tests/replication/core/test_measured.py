"""A record has the metrics and histories of its family, wherever it enters."""

import json
import os
from pathlib import Path

import pytest

from replication import inputs, rivals, small_cnn
from replication.core import merging, paths
from replication.core.records import line, sealed
from replication.core.run import Run
from replication.core.runs import make_record, read_table
from replication.core.settings import load, measured_by
from replication.core.store import Store

HERE = Path(__file__).parents[3]
FAMILIES = load("paper", HERE / "params.yaml").families
TABLES = sorted(path for path in (HERE / "data/runs/paper").glob("*.jsonl") if not path.stem.startswith("profile-"))


@pytest.fixture(autouse=True)
def _records_in_part():
    """Here they are not: in place of the fixture that spares other tests what this one is about."""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with this project's settings, and a store of its own."""
    (tmp_path / "params.yaml").write_text((HERE / "params.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def record(without=(), family="cnn-mnist", room=small_cnn):
    history = {name: [0.5, 0.25] for name in room.HISTORIES if name not in without}
    metrics = {name: 0.25 for name in room.METRICS if name not in without}
    return sealed(make_record(Run(family, {"lambda": 0.0}), metrics, history, 1, {}))


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_the_committed_tables_have_what_their_rooms_name(path):
    metrics, histories = measured_by(FAMILIES[path.stem.removesuffix("-calibration")])
    for text in filter(None, path.read_text().splitlines()):
        found = json.loads(text)
        assert metrics <= found["metrics"].keys() and histories <= found["history"].keys()


@pytest.mark.parametrize("family", FAMILIES)
def test_every_room_names_what_its_records_have(family):
    metrics, histories = measured_by(FAMILIES[family])
    assert metrics and histories


@pytest.mark.parametrize(
    ("without", "what"),
    [
        ("anchor_weight", "it lacks anchor_weight, which every record of cnn-mnist has among its metrics"),
        ("first_layer_rms", "it lacks first_layer_rms, which every record of cnn-mnist has among its histories"),
    ],
)
def test_a_record_that_lacks_one_is_refused_by_table_store_and_merge(project, capsys, without, what):
    whole, lacking = record(), record([without])
    table = project / "elsewhere.jsonl"
    table.write_text("".join(line(each) + "\n" for each in (record(family="cnn-cifar10"), lacking)))
    assert [found["family"] for found in read_table(table)] == ["cnn-cifar10"]
    assert f"{table}, line 2: {what}" in capsys.readouterr().err

    store = Store(paths.store())
    store.put(lacking)
    assert store.take(lacking["key"]) is None and what in capsys.readouterr().err
    store.put(whole)
    assert store.take(whole["key"]) == whole

    assert merging.merge([table]) == 0
    said = capsys.readouterr()
    assert "1 runs, 1 new" in said.out and what in said.err


def test_more_than_its_family_has_is_no_fault(project):
    table = project / "one.jsonl"
    found = record(family="rivals-mnist", room=rivals)
    found["metrics"]["kl"] = 1.0
    table.write_text(line(sealed(found)) + "\n")
    assert len(read_table(table)) == 1


def test_settings_that_changed_are_read_again_and_a_family_unknown_is_not_judged(project):
    table = project / "one.jsonl"
    table.write_text(line(record(["anchor_weight"])) + "\n")
    assert not read_table(table)
    params = project / "params.yaml"
    before = params.stat()
    params.write_text(params.read_text().replace("\n  cnn-mnist: small_cnn", "\n  cnn-other: small_cnn"))
    os.utime(params, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert len(read_table(table)) == 1
    params.write_text("families: [")
    os.utime(params, ns=(before.st_atime_ns, before.st_mtime_ns + 2))
    assert len(read_table(table)) == 1  # whoever uses the settings says what is wrong with them
    params.unlink()
    assert len(read_table(table)) == 1


def test_runs_that_differ_in_the_guided_inputs_have_what_an_autoencoder_has():
    assert inputs.METRICS and set(inputs.METRICS) == measured_by("autoencoder")[0]
    assert set(inputs.HISTORIES) == measured_by("autoencoder")[1]
