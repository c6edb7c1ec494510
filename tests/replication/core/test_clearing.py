"""Clearing a scale: what git tracks stays, and nothing goes unasked."""

import io
import subprocess

import pytest

from replication.__main__ import main
from replication.core import clearing, commands, paths
from replication.core.family import find
from replication.core.runs import make_record, read_table, write_table
from replication.core.settings import load
from replication.core.store import Store

FAMILY = "autoencoder-mnist"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A checkout whose table is tracked and holds the first run; the store holds the second one and a checkpoint."""
    text = paths.PARAMS.read_text()
    monkeypatch.chdir(tmp_path)
    paths.PARAMS.write_text(text)
    first, second, third = find(load("demo"), FAMILY).grid[:3]
    write_table(paths.table("demo", FAMILY), [make_record(first, {}, {}, 1, {})])
    write_table(paths.table("demo", "autoencoder-cifar10"), [])
    store = Store(paths.store())
    for run in (first, second):
        store.put(make_record(run, {}, {}, 1, {}))
        store.checkpoint(run.key).parent.mkdir(exist_ok=True)
        store.weights(run.key).parent.mkdir(exist_ok=True)
        store.weights(run.key).touch()
    store.checkpoint(third.key).touch()
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["git", "add", paths.table("demo", FAMILY)], check=True)
    return first, second, third


def clear(*options):
    return main(["runs", "clear", "--scale", "demo", *options])


def test_what_git_tracks_stays(project):
    first, second, third = project
    store = Store(paths.store())
    assert clear("--yes") == 0
    assert store.keys() == {first.key} and store.weights(first.key).exists()
    assert not store.weights(second.key).exists() and not store.checkpoint(third.key).exists()
    assert len(read_table(paths.table("demo", FAMILY))) == 1
    assert not paths.table("demo", "autoencoder-cifar10").exists()
    assert clear("--yes", "--tables") == 0
    assert store.keys() == set() and not paths.table("demo", FAMILY).exists()


def test_where_git_cannot_tell_every_table_stays(project, monkeypatch):
    monkeypatch.setattr(clearing, "_tracked", lambda: None)
    assert clear("--yes") == 0
    assert len(read_table(paths.table("demo", FAMILY))) == 1 and Store(paths.store()).keys() == {project[0].key}


def test_a_dry_run_says_what_would_go(project, capsys):
    assert clear("--dry-run") == 0
    table = paths.table("demo", FAMILY)
    assert capsys.readouterr().out.splitlines() == [
        "1 runs of scale demo",
        str(paths.table("demo", "autoencoder-cifar10")),
        f"kept, for git tracks it: {table} (`--tables` deletes it too)",
        "Nothing was deleted.",
    ]
    assert Store(paths.store()).keys() == {run.key for run in project[:2]}


@pytest.mark.parametrize(("answer", "left"), [("y", 1), ("", 2), ("n", 2)])
def test_it_asks(project, monkeypatch, answer, left):  # noqa: ARG001
    monkeypatch.setattr(commands.sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: answer)
    assert clear() == 0 and len(Store(paths.store()).keys()) == left


def test_with_nobody_to_ask_nothing_goes(project, monkeypatch, capsys):  # noqa: ARG001
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert clear() == 2 and "say --yes" in capsys.readouterr().err
    assert len(Store(paths.store()).keys()) == 2
