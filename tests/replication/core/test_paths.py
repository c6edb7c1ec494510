"""Data and runs that several folders share."""

import subprocess
from pathlib import Path

import pytest

from replication.core import paths


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A checkout with data, in which the test runs."""
    folder = tmp_path / "project"
    subprocess.run(["git", "init", "-q", folder], check=True)
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *identity, "commit", "-q", "--allow-empty", "-m", "first"], cwd=folder, check=True)
    for kind in ("raw", "prepared"):
        (folder / "data" / kind).mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return folder


def places():
    return [paths.raw(), paths.prepared(), paths.store()]


def test_they_lie_in_the_project(project):  # noqa: ARG001
    assert places() == [Path("data/raw"), Path("data/prepared"), Path(".runs")]


def test_a_temporary_copy_takes_those_of_the_project_it_came_from(project, tmp_path, monkeypatch):
    (tmp_path / "copy").mkdir()
    monkeypatch.chdir(tmp_path / "copy")
    monkeypatch.setenv("DVC_ROOT", str(project))
    assert places() == [project / "data/raw", project / "data/prepared", project / ".runs"]


def test_a_worktree_takes_the_data_of_its_main_checkout_unless_it_has_its_own(project, tmp_path, monkeypatch):
    subprocess.run(["git", "worktree", "add", "-q", tmp_path / "tree"], check=True)
    monkeypatch.chdir(tmp_path / "tree")
    assert places() == [project / "data/raw", project / "data/prepared", Path(".runs")]
    (tmp_path / "tree/data/raw").mkdir(parents=True)
    (project / "data/prepared").rmdir()
    assert places() == [Path("data/raw"), Path("data/prepared"), Path(".runs")]


def test_a_place_that_is_named_comes_first(project, tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(project))
    monkeypatch.setenv("REPLICATION_DATA", str(tmp_path))
    monkeypatch.setenv("REPLICATION_STORE", str(tmp_path / "runs"))
    assert places() == [tmp_path / "raw", tmp_path / "prepared", tmp_path / "runs"]
