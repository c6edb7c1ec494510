"""Where records say that they were made."""

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import scipy
import torch

from replication.core import provenance
from replication.core.provenance import NOT_RECORDED, commit, environment, recorded
from replication.report.section import runs_about

CPU = torch.device("cpu")
KEYS = {"device", "torch", "stack", "date", "threads", "commit", "processor", "instructions", "capability"}
ROOT = Path(__file__).parents[3]


def git(folder, *command):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    done = subprocess.run(["git", "-C", folder, *identity, *command], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / provenance.MODULE).parent.mkdir(parents=True)
    (tmp_path / provenance.MODULE).write_text("")
    (tmp_path / "params.yaml").write_text("scale: demo\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "first")
    return tmp_path


def test_an_environment_says_where_and_when():
    found = environment(CPU, 3)
    assert found.keys() == KEYS | {"python", "numpy", "scipy", "blas"}
    assert all(isinstance(value, str) and value for value in found.values())
    assert json.loads(json.dumps(found)) == found
    assert found["stack"] == "3" and found["device"].startswith("cpu ") and found["numpy"] == np.__version__
    assert found["scipy"] == scipy.__version__
    assert abs((datetime.fromisoformat(found["date"]) - datetime.now(UTC)).total_seconds()) < 60


def test_the_threads_are_those_of_the_training():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        assert environment(CPU, 1)["threads"] == "1"
    finally:
        torch.set_num_threads(before)


def test_a_commit_and_whether_its_code_was_changed(checkout):
    head = git(checkout, "rev-parse", "HEAD")
    assert commit(checkout) == head
    (checkout / "data").mkdir()
    (checkout / "data/table.jsonl").write_text("{}\n")  # what a sweep writes
    assert commit(checkout) == head
    (checkout / "src/new.py").write_text("")
    assert commit(checkout) == f"{head} (changed)"


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="these tests are in no checkout")
def test_a_record_has_the_commit_of_this_checkout():
    assert environment(CPU, 1)["commit"].removesuffix(" (changed)") == git(ROOT, "rev-parse", "HEAD")


def test_no_checkout_and_no_git_are_not_recorded(checkout, tmp_path_factory, monkeypatch):
    assert commit(tmp_path_factory.mktemp("nowhere")) == NOT_RECORDED
    installed = checkout / "venv/lib"  # in a folder that git leaves alone, within a checkout
    (installed / provenance.MODULE).parent.mkdir(parents=True)
    (installed / provenance.MODULE).write_text("")
    assert commit(installed) == NOT_RECORDED
    monkeypatch.setenv("PATH", "")
    assert commit(checkout) == NOT_RECORDED


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "model name\t: A\nflags\t: fpu avx2 fma avx512f\n\nmodel name\t: B\nflags\t: fpu\n",
            ("A", "avx2 avx512f fma"),
        ),
        ("Features\t: fp asimd sve\n", (provenance.platform.processor() or NOT_RECORDED, "asimd sve")),
    ],
)
def test_the_processor(tmp_path, monkeypatch, text, expected):
    (tmp_path / "cpuinfo").write_text(text)
    monkeypatch.setattr(provenance, "CPUINFO", tmp_path / "cpuinfo")
    assert provenance._processor() == expected


def test_a_machine_without_cpuinfo(monkeypatch):
    monkeypatch.setattr(provenance, "CPUINFO", Path("/nowhere"))
    monkeypatch.setattr(provenance.platform, "processor", lambda: "")
    assert provenance._processor() == (NOT_RECORDED, NOT_RECORDED)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Math Kernel Library Version 2024.2-Product\nBLAS_INFO=mkl, X", "mkl 2024.2"),
        ("BLAS_INFO=open, X", "open"),
        ("", NOT_RECORDED),
    ],
)
def test_the_blas(text, expected):
    assert provenance._blas(text) == expected


def test_old_records_are_read_as_before():
    old = {"device": "cpu x86_64", "torch": "2.12.1", "stack": "1"}
    assert recorded(old, "commit") == NOT_RECORDED and recorded(old, "torch") == "2.12.1"


def test_the_report_says_where_runs_were_trained():
    def about(environment):
        record = {
            "family": "cnn-mnist",
            "run": {"lambda": 0.0},
            "history": {},
            "environment": environment,
            "seconds": 50.0,
        }
        return runs_about(SimpleNamespace(scale="paper", name="cnn-mnist", records=[record], planned=1))

    old = {"device": "cpu x86_64", "torch": "2.12.1", "stack": "1"}
    assert about(old) == (
        "1 of the 1 runs of this scale's grid exist, 50 seconds of training in all, on cpu x86_64, torch 2.12.1."
    )
    new = old | environment(CPU, 1)
    assert f"on {new['device']}, torch {torch.__version__}." in about(new)
