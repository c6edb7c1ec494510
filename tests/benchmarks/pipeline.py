"""What the pipeline costs: `python tests/benchmarks/pipeline.py BEFORE [--write]`, BEFORE a checkout of an older one.

Ratios of wall time and of CPU time (user and system, of all processes), each from pairs that take turns. Where others
use the machine too, the first tells what they did meanwhile, and the second hardly does:

- demo: `dvc repro` at demo scale in a fresh clone of this checkout's commit, to the same of BEFORE's. Both run in this
  Python environment; nothing is cached.
- no-op: `dvc repro` once more, where nothing has changed, to the same in an empty folder with as many stages that each
  write a file. That is what DVC itself takes.
- tests: what `make test` runs, in clones of both (with `--tests N`).

With `--write` they go to data/benchmarks/pipeline.csv.
"""

import argparse
import os
import platform
import re
import resource
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from machine import processor
from ruamel.yaml import YAML

OUT = Path("data/benchmarks/pipeline.csv")
HERE = Path(__file__).parents[2]
Cost = tuple[float, float]  # seconds of wall time and of CPU time
Pairs = list[tuple[Cost, Cost]]  # of ours, and of what it is compared with


def call(folder: Path, *command: str) -> str:
    """What a command prints that is run in a folder, with that folder's code. Its failure ends the benchmark."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DVC_")}
    environment |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}",
        "PYTHONPATH": str(folder / "src"),
        "DVC_NO_ANALYTICS": "1",
    }
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed in {folder}:\n{done.stdout}\n{done.stderr}")
    return done.stdout.strip()


def cost(folder: Path, *command: str) -> Cost:
    """Of a command, as `call` runs it."""

    def cpu() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    start, before = time.perf_counter(), cpu()
    call(folder, *command)
    return time.perf_counter() - start, cpu() - before


def repro(folder: Path) -> Cost:
    return cost(folder, "dvc", "repro")


def fresh(checkout: Path, folder: Path) -> Path:
    """A clone of a checkout's commit, without what its pipeline made."""
    call(checkout, "git", "clone", "--quiet", str(checkout), str(folder))
    return folder


def trivial(folder: Path, stages: int) -> Path:
    """A repository whose pipeline has so many stages, each of which writes a file; run already."""
    folder.mkdir()
    call(folder, "git", "init", "--quiet")
    call(folder, "dvc", "init", "--quiet")
    content = {
        f"stage-{k}": {"cmd": f"echo {k} > {k}.txt", "outs": [{f"{k}.txt": {"cache": False}}]} for k in range(stages)
    }
    YAML().dump({"stages": content}, folder / "dvc.yaml")
    call(folder, "dvc", "repro")
    return folder


def demo(before: Path, n: int, folder: Path) -> Pairs:
    """Of fresh clones in a folder; that of this checkout's first turn stays there as `ours-0`."""
    return [(repro(fresh(HERE, folder / f"ours-{k}")), repro(fresh(before, folder / f"before-{k}"))) for k in range(n)]


def tests(before: Path, n: int, folder: Path) -> Pairs:
    """The suites in clones of both, each called as its own Makefile says."""

    def suite(checkout: Path) -> Cost:
        (arguments,) = re.findall(r"-m (pytest .*)", (checkout / "Makefile").read_text())
        return cost(checkout, sys.executable, "-m", *arguments.split())

    ours, theirs = fresh(HERE, folder / "ours-tests"), fresh(before, folder / "before-tests")
    return [(suite(ours), suite(theirs)) for _ in range(n)]


def no_op(made: Path, n: int, folder: Path) -> Pairs:
    """Args: made: a clone whose pipeline has run."""
    floor = trivial(folder / "trivial", len(call(made, "dvc", "stage", "list", "--name-only").splitlines()))
    for each in (made, floor):  # the first one after a run writes DVC's notes of what it has seen
        repro(each)
    return [(repro(made), repro(floor)) for _ in range(n)]


def row(what: str, pairs: Pairs, commits: tuple[str, str]) -> dict[str, str | int | float]:
    """One line of the table."""
    costs = np.array(pairs)  # (pair, side, wall or CPU time)
    ours, theirs = costs[:, 0, 0], costs[:, 1, 0]
    ratios, cpu_ratios = (costs[:, 0] / costs[:, 1]).T
    return {
        "what": what,
        "n": len(pairs),
        "ratio": float(np.median(ratios)),
        "ratio_min": float(ratios.min()),
        "ratio_max": float(ratios.max()),
        "seconds": float(np.median(ours)),
        "compared_seconds": float(np.median(theirs)),
        "cpu_ratio": float(np.median(cpu_ratios)),
        "cpu_seconds": float(np.median(costs[:, 0, 1])),
        "compared_cpu_seconds": float(np.median(costs[:, 1, 1])),
        "commit": commits[0],
        "compared_with": commits[1],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path, help="a checkout of the commit that the demo is compared with")
    parser.add_argument("-n", type=int, default=3, help="pairs of the demo")
    parser.add_argument("--no-ops", type=int, default=11, help="pairs of runs where nothing has changed")
    parser.add_argument("--tests", type=int, default=0, metavar="N", help="pairs of the suites of tests")
    parser.add_argument("--write", action="store_true", help=f"write {OUT}")
    options = parser.parse_args()
    commit, older = (call(folder, "git", "rev-parse", "--short", "HEAD") for folder in (HERE, options.before.resolve()))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [row("demo", demo(options.before.resolve(), options.n, folder), (commit, older))]
        made = folder / "ours-0"
        rows.append(row("no-op", no_op(made, options.no_ops, folder), (commit, "as many trivial stages")))
        if options.tests:
            rows.append(row("tests", tests(options.before.resolve(), options.tests, folder), (commit, older)))
    table = pd.DataFrame(rows).assign(
        hardware=f"{os.cpu_count()} cores of {processor()}",
        versions=f"python {platform.python_version()}, dvc {version('dvc')}, torch {version('torch')}",
    )
    print(table.drop(columns=["hardware", "versions"]).to_markdown(index=False, floatfmt=".3g"))
    if options.write:
        table.to_csv(OUT, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
