"""The benchmarks still run: each measures something tiny."""

import multiprocessing
import os
import subprocess
import sys

import classifier_speed
import engine
import guidance_overhead
import library_cost
import numpy as np
import pytest
import records
import rivals
import rivals_training
import small_cnn
import stacks
import torch
import unet_speed
import verification
import warm_inverse
import workers
from PIL import Image

from replication.data.images import ImageSet


@pytest.fixture(autouse=True)
def _same_threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def run(module, arguments, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", [module.__name__, *arguments.split()])
    module.main()
    return capsys.readouterr().out


def test_unet_speed(monkeypatch, capsys):
    arguments = "--widths 2 2 2 2 2 --size 32 --images 2 --batch 2 --repeats 1"
    assert "plain DataLoader loop" in run(unet_speed, arguments, monkeypatch, capsys)


def test_stacks(monkeypatch, capsys):
    said = run(stacks, "--widths 3 --cnns 2x2 --stacks 1 2 --images 64 --epochs 1", monkeypatch, capsys)
    assert said.count("stack of 2") == 2 and "plain" in said and "cnn 2x2" in said


def test_guidance_overhead(monkeypatch, capsys):
    assert "all 53 convolutions" in run(guidance_overhead, "--batch 2 --size 32 --repeats 1", monkeypatch, capsys)


def test_library_cost():
    assert library_cost.linear((40, 60), "exact", close=True)()["seconds"] > 0
    assert 0 < library_cost.convolutions(batch=2, size=32)()["share of a step"] < 1
    assert library_cost.efficientnet("resnet18")()["seconds"] > 0


def test_classifier_speed(tmp_path, monkeypatch, capsys):
    (tmp_path / "train" / "n01").mkdir(parents=True)
    for number in range(8):
        Image.new("RGB", (40, 30)).save(tmp_path / "train" / "n01" / f"n01_{number}.JPEG")
    monkeypatch.setattr(classifier_speed, "RAW", tmp_path)
    monkeypatch.setattr(classifier_speed, "PRODUCT", {"cpu": 16, "cuda": 16})
    arguments = "--networks resnet50 --batch 2 --size 64 --repeats 1"
    assert "this trainer, layer 1 guided" in run(classifier_speed, arguments, monkeypatch, capsys)


def test_engine(monkeypatch):
    x = torch.randint(0, 256, (640, 1, 28, 28), dtype=torch.uint8)
    y = torch.zeros(640, dtype=torch.uint8)
    monkeypatch.setattr(engine.datasets, "load", lambda _: ImageSet(x, y, x, y))
    monkeypatch.setattr(engine, "TRAIN", len(x))
    for way in ("torch DataLoader, torchvision's MNIST", "Keras fit"):  # they need files, and Keras
        monkeypatch.delitem(engine.WAYS, way)
    table = engine.engine_table(1, 4, 8)
    assert len(table) == len(engine.WAYS) and (table["cpu_seconds"] > 0).all()
    assert (engine.guidance_table(1, 4, 8)["ratio"] > 0).all()


def test_warm_inverse(monkeypatch):
    x = torch.randint(0, 256, (640, 1, 28, 28), dtype=torch.uint8)
    y = torch.zeros(640, dtype=torch.uint8)
    monkeypatch.setattr(warm_inverse.datasets, "load", lambda _: ImageSet(x, y, x, y))
    monkeypatch.setattr(warm_inverse, "TRAIN", len(x))
    row = warm_inverse.row(8, 1, 5)
    assert row["converge"] == 1 and row["iteration_error"] < 1e-5


@pytest.mark.parametrize("factor", [1.01, -1.0])
def test_newtons_iteration_finds_the_inverse_from_near_by_alone(factor):
    before = torch.eye(4) + 0.1 * torch.rand(4, 4)
    found = warm_inverse.one_step(before, factor * before)
    assert found["radius"] == pytest.approx(abs(1 - factor), abs=1e-5)
    assert ("iterations" in found) == (found["radius"] < 1)
    assert found.get("iteration_error", 0) < 1e-5


@pytest.mark.parametrize("way", small_cnn.WAYS)
def test_small_cnn(way, monkeypatch):
    monkeypatch.setattr(small_cnn, "IMAGES", 16)
    ours, theirs = multiprocessing.Pipe()
    for message in ("go on", "go on", None):
        ours.send(message)
    small_cnn.work(way, (1, 4, 8), theirs)
    seconds = [ours.recv(), ours.recv()]
    assert np.all(np.array(seconds) > 0)


def test_rivals(monkeypatch, capsys):
    for name, few in (("IMAGES", 12), ("MAPS", 2), ("SIZE", 3), ("CLASSES", 3)):
        monkeypatch.setattr(rivals, name, few)
    printed = run(rivals, "--images 8 -n 2", monkeypatch, capsys)
    assert "transfer-entropy feedback" in printed
    assert rivals.renyi_row(1)["difference"] < 1e-9 and rivals.feedback_row(20, 3)["difference"] < 1e-12


def test_rivals_training(monkeypatch, capsys):
    monkeypatch.setattr(rivals_training, "STEPS", 16)  # a window of the feedback
    assert "| penalty" in run(rivals_training, "--forms penalty feedback -n 1", monkeypatch, capsys)


def test_workers():
    row = workers.measure("U-Net, 4 to 64 filters", workers=1, threads=1, n=1)
    assert 0 < row["fastest"] <= row["seconds"]


def test_verification(monkeypatch, capsys):
    monkeypatch.setattr(verification, "BYTES", 1 << 19)
    assert "3 x 224 x 224" in run(verification, "-n 1", monkeypatch, capsys)


def test_records_that_are_read_are_what_their_family_has(tmp_path):
    """Refused ones would be read in no time."""
    records.make(tmp_path, 3)
    surroundings = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, records.__file__, "--read", str(tmp_path)]
    done = subprocess.run(command, cwd=records.ROOT, env=surroundings, capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "3" and not done.stderr
