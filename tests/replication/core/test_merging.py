"""Runs of other machines, in whatever they come; and tables in which git left a conflict."""

import gzip
import shutil
import subprocess
from pathlib import Path

import pytest

from replication.__main__ import main
from replication.core import paths
from replication.core.family import find
from replication.core.records import line
from replication.core.runs import make_record, read_table, write_table
from replication.core.settings import load
from replication.core.store import Store
from replication.core.tables import refused_file

ROOT = Path(__file__).parents[3]
FAMILY = "autoencoder-mnist"
TABLE = paths.table("demo", FAMILY)


@pytest.fixture
def finished(tmp_path, monkeypatch):
    """Records of five runs, in a project's folder of the test's own."""
    text = paths.PARAMS.read_text()
    monkeypatch.chdir(tmp_path)
    paths.PARAMS.write_text(text)
    return [make_record(run, {"mse": 0.5}, {"mse": [0.5]}, 1, {}) for run in find(load("demo"), FAMILY).grid[:5]]


def stored():
    return Store(paths.store()).keys()


def keys(records):
    return {record["key"] for record in records}


def test_folders_and_compressed_tables_are_taken_and_other_files_passed_over(finished, tmp_path, capsys):
    theirs = tmp_path / "theirs"
    write_table(theirs / "runs/paper" / TABLE.name, finished[:1])
    (theirs / "two.jsonl.gz").write_bytes(gzip.compress(f"{line(finished[1])}\n".encode()))
    other = Store(theirs / ".runs")
    other.put(finished[2])
    (theirs / "runs/paper/profile-unet.jsonl").write_text('{"network": "unet"}\n')
    (theirs / "runs/paper/._cnn.jsonl").write_bytes(b"\0\5\x16\7")
    (theirs / "runs/paper/digests.json").write_text("{}")
    (theirs / "torn.jsonl.gz").write_bytes((theirs / "two.jsonl.gz").read_bytes()[:-9])
    before = {path: path.read_bytes() for path in theirs.rglob("*") if path.is_file()}
    assert main(["runs", "merge", str(theirs)]) == 1  # one could not be read
    assert stored() == keys(finished[:3])
    said = capsys.readouterr()
    assert said.err.count("passed over: ") == 2 and "profile-unet.jsonl holds no runs" in said.err
    assert "torn.jsonl.gz is damaged" in said.err and "ask for it again" in said.err and "git" not in said.err
    assert {path: path.read_bytes() for path in theirs.rglob("*") if path.is_file()} == before


def test_a_file_that_is_no_table_is_passed_over(finished, capsys):  # noqa: ARG001
    Path("notes.txt").write_text("three runs\n")
    assert main(["runs", "merge", "notes.txt", "params.yaml"]) == 0
    assert capsys.readouterr().err == "passed over: notes.txt holds no runs\npassed over: params.yaml holds no runs\n"


def git(*command):
    return subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *command], check=False)


def branches(finished):
    """Two branches, each with runs of its own in the table, and one run trained on both; the first one is current."""
    git("init", "-q", "-b", "one")
    write_table(TABLE, finished[:1])
    git("add", "-A")
    git("commit", "-qm", "both")
    again = finished[3] | {"metrics": {"mse": 0.25}}
    for name, added in {"two": [finished[2], again], "one": [finished[1], finished[3]]}.items():
        git("checkout", "-q", "-B", name, *(["one"] if name == "two" else []))
        write_table(TABLE, [finished[0], *added])
        git("commit", "-qam", name)
        if name == "two":
            git("checkout", "-q", "one")
    return git("merge", "-q", "two")


def test_a_conflict_is_named_with_the_command_that_resolves_it(finished, capsys):
    assert branches(finished).returncode
    assert keys(read_table(TABLE)) == keys(finished[:4])  # nothing is lost in the meantime
    said = capsys.readouterr().err
    assert f"{TABLE}, line 2: git left a conflict here: `python -m replication runs merge {TABLE}` keeps" in said
    assert main(["runs", "merge", str(TABLE)]) == 0
    assert keys(read_table(TABLE)) == keys(finished[:4]) and stored() == set()
    [kept] = [record for record in read_table(TABLE) if record["key"] == finished[3]["key"]]
    other = refused_file(TABLE).read_text()
    assert kept["metrics"]["mse"] == 0.5 and other.count("\n") == 1 and '"mse":0.25' in other
    capsys.readouterr()
    assert len(read_table(TABLE)) == 4 and not capsys.readouterr().err
    git("add", TABLE)
    assert git("commit", "-qm", "merged").returncode == 0


def test_a_sweep_writes_a_conflicted_table_without_marks(finished):
    assert branches(finished).returncode
    assert main(["sweep", "--scale", "demo", "--family", FAMILY, "--minutes", "0"]) == 0
    assert keys(read_table(TABLE)) == keys(finished[:4]) and "<<<<" not in TABLE.read_text()
    assert "<<<<" not in refused_file(TABLE).read_text()


def test_the_merge_attribute_keeps_the_runs_of_both(finished, capsys):
    shutil.copy(ROOT / ".gitattributes", ".")
    assert branches(finished).returncode == 0
    assert keys(read_table(TABLE)) == keys(finished[:4])
    assert "the run of line" in capsys.readouterr().err  # the run that both have


def test_a_conflicted_table_of_somebody_else_is_read_and_left_alone(finished, tmp_path):
    marks = ["<<<<<<< HEAD", line(finished[0]), "=======", line(finished[1]), ">>>>>>> other"]
    theirs = tmp_path / "theirs.jsonl"
    theirs.write_text("\n".join(marks))
    assert main(["runs", "merge", str(theirs)]) == 0
    assert stored() == keys(finished[:2]) and theirs.read_text() == "\n".join(marks)
