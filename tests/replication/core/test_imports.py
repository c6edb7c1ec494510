"""What a command imports: no room but its family's, and of what takes seconds only what it uses."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from replication.core.family import room_names
from replication.core.settings import load

ROOT = Path(__file__).parents[3]
SLOW = {"torch", "pandas", "matplotlib", "scipy", "seaborn", "sklearn", "torchvision"}
SCRIPT = """
import sys
from replication.__main__ import main

try:
    status = main(sys.argv[1:])
except SystemExit as ended:
    status = ended.code
sys.stdout = sys.stderr
print("\\n".join(sys.modules))
sys.exit(status)
"""


def imported(folder, *arguments):
    """Names of all modules after a command, run in a project's folder."""
    (folder / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    command = [sys.executable, "-W", "error", "-c", SCRIPT, *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines())


def rooms_among(modules):
    rooms = {f"replication.{name}" for name in room_names(load("demo", ROOT / "params.yaml"))}
    return {name for name in modules if ".".join(name.split(".")[:2]) in rooms}


@pytest.mark.parametrize(
    "arguments",
    [
        ("sweep", "--family", "autoencoder-mnist", "--scale", "demo", "--minutes", "0"),
        ("runs", "list", "--family", "autoencoder-mnist", "--scale", "demo"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_family_imports_its_room_alone(tmp_path, arguments):
    modules = imported(tmp_path, *arguments)
    assert "replication.autoencoder.room" in modules
    assert {name for name in rooms_among(modules) if not name.startswith("replication.autoencoder")} == set()
    assert modules & SLOW == set()  # nothing is trained


@pytest.mark.parametrize(
    "arguments", [("--help",), ("sweep", "--help"), ("campaign", "--help"), ("set-scale", "paper")], ids=" ".join
)
def test_help_waits_for_nothing(tmp_path, arguments):
    modules = imported(tmp_path, *arguments)
    assert modules & SLOW == set() and rooms_among(modules) == set()


@pytest.mark.parametrize(
    "arguments",
    [
        ("statistics", "autoencoder-mnist"),
        ("statistics", "inputs-mnist"),
        ("statistics", "cnn-cifar10"),
        ("statistics", "vgg16-imagenette"),
        ("statistics", "classifiers-imagenette-64"),
        ("statistics", "unet-coco"),
        ("statistics", "rivals-cifar10"),
        ("statistics", "norms-cifar10"),
        ("statistics", "theory"),
        ("statistics", "profiles"),
        ("statistics", "corner-zeros"),
        ("statistics", "published-audit"),
        ("statistics", "cost"),
        ("verdicts",),
        ("report",),
        ("status",),
        ("runs", "list"),
        ("published-audit",),
    ],
    ids=" ".join,
)
def test_what_reads_records_alone_waits_for_no_torch(tmp_path, arguments):
    (tmp_path / "data").mkdir()
    for name in ("published", "benchmarks"):
        (tmp_path / "data" / name).symlink_to(ROOT / "data" / name)
    modules = imported(tmp_path, *arguments, "--scale", "demo")
    assert modules & {"torch", "torchvision", "sklearn"} == set()
    assert {
        name for name in modules if name.startswith("replication.") and name.endswith((".train", ".measure"))
    } == set()
