"""A tiny sweep that is killed again and again: no finished run is lost, none is trained twice, and the numbers stay.

A chain is one project's folder, in which a sweep is started until one of them comes to its end. The processes are
forked, so that none has to import torch: an audit hook counts what they do with files and kills them at an exact step.
"""

import json
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import chain as chain_of
from pathlib import Path

import segmentation_models_pytorch  # noqa: F401  # which a U-Net imports late
import torch
import torch._dynamo  # of the optimisers, when one is first made
from malformed import RIGHT
from tqdm import tqdm

import replication.autoencoder.training.train
import replication.coco_unet.training.train
import replication.core.sweep  # noqa: F401  # forked processes have what is imported here
from replication.__main__ import main
from replication.core import executors, paths
from replication.core.errors import UserError
from replication.core.records import line
from replication.core.runs import CLOCKS, read_table
from replication.core.store import Store

FAMILIES = ("autoencoder-mnist", "unet-coco")
STEPS = {"open", "os.rename", "os.remove", "os.mkdir", "os.listdir", "os.scandir"}
DATA = {"autoencoder-mnist": "digits", "unet-coco": "drawings"}
LONGEST = 60.0  # seconds of a sweep that is not killed


def settings(epochs: int) -> str:
    """params.yaml, with few runs of few steps: four autoencoders, and three U-Nets that keep checkpoints."""
    document = json.loads(json.dumps(RIGHT))
    document["variants"] = {}
    demo = document["scales"]["demo"]
    demo["autoencoder-mnist"] |= {"widths": [20], "test_width": 20, "variant_widths": [20], "replicates": 1}
    demo["autoencoder-mnist"] |= {"lambdas": [0.0, 1.0], "batch_size": 500, "max_epochs": epochs}
    demo["calibration"] |= {"max_epochs": 3}
    demo["unet-coco"] |= {"widths": [1, 1], "placement": "3", "lambdas": [0.0, 1.0], "batch_size": 64, "max_epochs": 3}
    return json.dumps(document)


@dataclass(frozen=True)
class Kill:
    """At a step, or after some seconds by a signal."""

    step: int | None = None
    seconds: float | None = None
    number: signal.Signals = signal.SIGKILL


@dataclass
class Project:
    """A folder with the tiny sweep's params.yaml and data."""

    folder: Path
    family: str
    kills: int = 0
    lost: list[str] = field(default_factory=list)  # what went wrong, for the user

    @classmethod
    def at(cls, folder: Path, family: str, prepared: Path, epochs: int = 3) -> "Project":
        """A new one; `prepared` is a folder like data/prepared, with the data set."""
        (folder / "data").mkdir(parents=True)
        (folder / "data" / "prepared").symlink_to(prepared.absolute())
        (folder / "params.yaml").write_text(settings(epochs))
        return cls(folder, family)

    @property
    def command(self) -> list[str]:
        return ["sweep", "--scale", "demo", "--family", self.family, "--device", "cpu"]

    @property
    def store(self) -> Store:
        return Store(self.folder / ".runs")

    def finished(self) -> dict[str, bytes]:
        """The store's records by key, as they lie there."""
        return {key: self.store.path(key).read_bytes() for key in self.store.keys()}

    def table(self) -> list[str]:
        """The table's records without what depends on the time and on where they were made."""
        records = read_table(self.folder / paths.table("demo", self.family))
        return [line({part: _timeless(record[part]) for part in ("run", "metrics", "history")}) for record in records]

    def sweep(self, kill: "Kill | None") -> int:
        """Sweep in a process of its own, to its end or until it is killed; what `os.waitpid` says of its end."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of forking beside threads: these hold nothing that a sweep needs
            pid = os.fork()
        if pid == 0:
            _sweep(self, kill)
        began = time.monotonic()
        while (ended := os.waitpid(pid, os.WNOHANG)) == (0, 0):
            passed = time.monotonic() - began
            if kill is not None and kill.seconds is not None and passed > kill.seconds:
                os.kill(pid, kill.number)  # and once more after a second: it may have come before there was a handler
                kill = replace(kill, seconds=passed + 1)
            if passed > LONGEST:
                os.kill(pid, signal.SIGKILL)
                self.lost.append("a sweep did not end")
            time.sleep(0.002)
        return ended[1]


def _timeless(part: dict[str, object]) -> dict[str, object]:
    return {name: part[name] for name in sorted(part) if name not in CLOCKS}


def _sweep(project: Project, kill: Kill | None) -> None:
    """In the forked process; never returns."""
    status = 70
    try:
        os.setsid()
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(os.open(project.folder / "said", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
        os.chdir(project.folder)
        executors.local_workers = _here  # type: ignore[assignment]
        tqdm.set_lock(
            threading.RLock()
        )  # tqdm's own would stay with a sweep that was killed, and all others wait for it
        if kill is not None and kill.step is not None:
            _arm(kill.step)
        status = main(project.command)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _here(stacks, name, _workers, deadline):  # type: ignore[no-untyped-def]
    """Stacks in this process, in place of workers that would import torch anew."""
    yield from executors.in_process(stacks, name, torch.device("cpu"), deadline)


def _arm(step: int) -> None:
    """Have this process killed just before it does so many things with runs' files."""
    left = step

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event in STEPS and _is_ours(arguments):
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def _is_ours(arguments: tuple[object, ...]) -> bool:
    return str(arguments[0]).startswith((".runs", "data/runs"))


def chain(project: Project, kills: Iterable[Kill], expected: list[str]) -> None:
    """Kill sweep after sweep until one ends before it is killed; else let one end.

    What goes wrong stands in `project.lost`.
    """
    for number, kill in enumerate(chain_of([*kills], [None]), 1):
        before = project.finished()
        status = project.sweep(kill)
        now = project.finished()
        if any(now.get(key) != content for key, content in before.items()):
            project.lost.append(f"kill {number}: a finished run was lost, or trained again")
        project.lost += [f"kill {number}: {key} is torn" for key in now if not _is_whole(project.store, key)]
        if status == 0:
            break
        if os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 130:
            project.kills += 1
        else:
            said = (project.folder / "said").read_text()[-500:]
            project.lost.append(f"kill {number}: the sweep ended with {os.WEXITSTATUS(status)}: {said}")
    if project.table() != expected:
        project.lost.append("the table has other numbers than an undisturbed one")
    left = (path for pattern in ("*.tmp*", "checkpoints/*.pt", "*.refused*") for path in project.folder.rglob(pattern))
    project.lost += [f"{path.name} was left behind" for path in left]


def _is_whole(store: Store, key: str) -> bool:
    try:
        return store[key]["key"] == key
    except UserError:
        return False


def expected_of(family: str, folder: Path, prepared: Path, epochs: int = 3) -> list[str]:
    """The table of a sweep that nothing disturbs."""
    project = Project.at(folder, family, prepared, epochs)
    assert project.sweep(None) == 0, (folder / "said").read_text()
    return project.table()


def children(pid: int) -> list[int]:
    """The workers of a sweep."""
    place = Path(f"/proc/{pid}/task/{pid}/children")
    started = [int(child) for child in place.read_text().split()] if place.exists() else []
    return [child for child in started if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]
