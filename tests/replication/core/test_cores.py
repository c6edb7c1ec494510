"""Processes by default: affinity, the share of a container, the user's word."""

import os

import pytest

from replication.core import cores
from replication.core.errors import UserError


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """machine(groups, files) -> cores of a machine of eight on which this process is in these groups."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(cores, "GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(cores, "MOUNTED", tmp_path / "mounted")

    def make(groups, files):
        (tmp_path / "cgroup").write_text(groups)
        for name, text in files.items():
            path = tmp_path / "mounted" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return cores.cores()

    return make


VERSION1 = "5:memory:/m\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/\n"


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("0::/\n", {}, 8),
        ("0::/\n", {"cpu.max": "max 100000\n"}, 8),
        ("0::/\n", {"cpu.max": "250000 100000\n"}, 2),  # two and a half cores: a third process would wait
        ("0::/\n", {"cpu.max": "50000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "3200000 100000\n"}, 8),
        ("0::/pod/task\n", {"pod/task/cpu.max": "max 100000\n", "pod/cpu.max": "300000 100000\n"}, 3),
        (VERSION1, {"cpu/docker/abc/cpu.cfs_quota_us": "-1\n", "cpu/docker/abc/cpu.cfs_period_us": "100000\n"}, 8),
        (VERSION1, {"cpu/docker/abc/cpu.cfs_quota_us": "4000\n", "cpu/docker/abc/cpu.cfs_period_us": "1000\n"}, 4),
        # within the container, where its own group is mounted
        (VERSION1, {"cpu,cpuacct/cpu.cfs_quota_us": "200000\n", "cpu,cpuacct/cpu.cfs_period_us": "100000\n"}, 2),
    ],
)
def test_a_containers_share(machine, groups, files, expected):
    assert machine(groups, files) == expected


def test_without_groups_affinity_alone_tells(machine, tmp_path):
    machine("0::/\n", {"cpu.max": "100000 100000\n"})
    (tmp_path / "cgroup").unlink()
    assert cores.cores() == 8


def test_the_user_says_otherwise(machine, monkeypatch):
    assert machine("0::/\n", {"cpu.max": "100000 100000\n"}) == cores.workers() == 1
    monkeypatch.setenv("REPLICATION_WORKERS", "12")
    assert cores.workers() == 12
    for text in ("0", "two", "-1", ""):
        monkeypatch.setenv("REPLICATION_WORKERS", text)
        with pytest.raises(UserError, match="REPLICATION_WORKERS is a number of processes, 1 or more, and not"):
            cores.workers()
