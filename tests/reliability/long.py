"""The long form of these tests: `python tests/reliability/long.py [--write]`, or `make reliability`, which writes.

What is killed, malformed and damaged is counted, and what goes wrong is printed. --write puts the figures into
data/benchmarks/reliability.csv, a line a kind; kinds that were not tried now keep their lines.
"""

import argparse
import contextlib
import io
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))  # pytest has it there by its configuration
import damaged
import pandas as pd
import torch
from killed import DATA, FAMILIES, Kill, Project, chain, children, expected_of
from machine import processor
from malformed import CASES, ROOT, mutations
from tried import is_refused, tried

from replication import data as datasets
from replication.core import executors
from replication.core.cores import cores
from replication.core.provenance import commit

OUT = ROOT / "data/benchmarks/reliability.csv"
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
PROCESSES = 0.1  # share of the kills that hit processes with workers, which import torch anew
LONG = 60  # epochs of these: long enough to be hit while they train
SEED = 8

Row = dict[str, object]


@contextmanager
def elsewhere() -> Iterator[Path]:
    """A folder of its own as the current one."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        yield Path(folder)


def row(what: str, number: int, failures: list[str], began: float) -> Row:
    print(f"{what}: {number}, of which {len(failures)} went wrong", flush=True)
    for failure in dict.fromkeys(failures):
        print(f"  {failure[:500]}")
    return {"what": what, "n": number, "failures": len(failures), "seconds": round(time.monotonic() - began)}


def malformed(number: int, rng: random.Random) -> Iterator[Row]:
    """Named cases all, and of the mutations so many that together they are `number`."""

    def train(*_arguments: object) -> None:
        raise AssertionError("it trains")

    executors.in_process = executors.local_workers = train  # type: ignore[assignment]
    every = list(mutations())
    drawn = rng.sample(every, min(len(every), max(0, number - len(CASES))))
    for what, some in (("mistakes in params.yaml, named", CASES.values()), ("values that may not be", drawn)):
        began = time.monotonic()
        with elsewhere():
            wrong = [f"{one}: {tried(one)}" for one in some if not is_refused(one)]
        yield row(what, len(some), wrong, began)


def damages(number: int, rng: random.Random) -> Iterator[Row]:
    with elsewhere():
        with contextlib.redirect_stderr(io.StringIO()):
            damaged.write(ROOT / "data/runs")
        kinds = damaged.kinds()
        each = -(-number // len(kinds))
        for name, kind in kinds.items():
            began, tried_, wrong = time.monotonic(), 0, []
            with contextlib.redirect_stderr(io.StringIO()):
                assert kind.read(), name
                for path in kind.files:
                    share = -(-each // len(kind.files))
                    for text in damaged.damages(path.read_bytes(), rng, share, sealed=kind.sealed):
                        tried_ += 1
                        if said := damaged.outcome(kind, path, text):
                            wrong.append(f"{path.name}: {said}")
            yield row(f"damaged files: {name}", tried_, wrong, began)


def kills(number: int, rng: random.Random) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        with contextlib.chdir(folder):
            for name in DATA.values():
                datasets.load(name)
        prepared = Path(folder) / "data/prepared"
        forked = number - int(PROCESSES * number)
        for family in FAMILIES:
            expected = expected_of(family, Path(folder) / f"undisturbed-{family}", prepared)
            ways: dict[str, Callable[[], Iterable[Kill]]] = {
                "exact steps": lambda: (Kill(step=step) for step in range(rng.randrange(3), 99)),
                "random": lambda: (Kill(seconds=rng.uniform(0, 0.6), number=rng.choice(SIGNALS)) for _ in range(20)),
            }
            for what, draw in ways.items():
                began, took, wrong = time.monotonic(), 0, []
                while took < forked / len(FAMILIES) / len(ways):
                    with tempfile.TemporaryDirectory() as own:
                        project = Project.at(Path(own), family, prepared)
                        chain(project, draw(), expected)
                        took += project.kills
                        wrong += project.lost
                yield row(f"kills of {family}, {what}", took, wrong, began)
        expected = expected_of(FAMILIES[0], Path(folder) / "undisturbed", prepared, epochs=LONG)
        yield processes(number - forked, expected, prepared, rng)


def processes(number: int, expected: list[str], prepared: Path, rng: random.Random) -> Row:
    """Kill sweeps with two workers: the parent alone, its group, one worker, or by a signal that ends them in order."""
    began, took, wrong = time.monotonic(), 0, []
    while took < number:
        with tempfile.TemporaryDirectory() as own:
            project = Project.at(Path(own), FAMILIES[0], prepared, epochs=LONG)
            for turn in range(6):
                way = ("parent", "group", "worker", *SIGNALS[1:])[turn]
                took += _disturbed(project, way, rng.uniform(3, 12))
            chain(project, [], expected)
            wrong += project.lost
    return row(f"kills of {FAMILIES[0]}, processes with workers", took, wrong, began)


def _disturbed(project: Project, way: "str | signal.Signals", seconds: float) -> bool:
    """Start a sweep, and disturb it after some seconds; whether it was still there."""
    command = [sys.executable, "-m", "replication", *project.command, "--workers", "2"]
    before = project.finished()
    with (project.folder / "said").open("a") as said:
        process = subprocess.Popen(
            command, cwd=project.folder, stdout=said, stderr=said, start_new_session=True, env=os.environ
        )
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
            return False
        workers = children(process.pid)
        if way == "worker":
            for worker in workers[:1]:
                os.kill(worker, signal.SIGKILL)
        elif way == "group":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            os.kill(process.pid, signal.SIGKILL if way == "parent" else signal.Signals(way))
        process.wait(120)
    ended = time.monotonic()
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        if time.monotonic() - ended > 30:
            project.lost.append(f"{way}: a worker goes on without its parent")
            break
        time.sleep(0.05)
    now = project.finished()
    if any(now.get(key) != content for key, content in before.items()):
        project.lost.append(f"{way}: a finished run was lost, or trained again")
    return way != "worker" or bool(workers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=300, metavar="N", help="that took effect; 0 for none")
    parser.add_argument("--inputs", type=int, default=600, metavar="N", help="malformed")
    parser.add_argument("--damages", type=int, default=480, metavar="N", help="damaged files")
    parser.add_argument("--write", action="store_true", help=f"write {OUT.relative_to(ROOT)}")
    options = parser.parse_args()
    torch.set_num_threads(1)
    parts = {
        kills: options.kills,
        damages: options.damages,
        malformed: options.inputs,
    }  # malformed inputs train nothing
    rows = [row for part, number in parts.items() if number for row in part(number, random.Random(SEED))]
    table = pd.DataFrame(rows).assign(
        commit=commit(ROOT)[:12],
        hardware=f"{cores()} cores of {processor()}",
        versions=f"python {platform.python_version()}, torch {torch.__version__}",
    )
    if options.write:
        old = pd.read_csv(OUT) if OUT.exists() else table.iloc[:0]
        pd.concat([old[~old["what"].isin(table["what"])], table]).to_csv(OUT, index=False)
    sys.exit(int(table["failures"].sum() > 0))


if __name__ == "__main__":
    main()
