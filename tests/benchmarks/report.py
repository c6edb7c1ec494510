"""What a report of the last commit costs: `python tests/benchmarks/report.py [-n N] [--write]`, beside 2c1b6a3's.

Seconds of `python -m replication report --scale paper`, which computes statistics and verdicts too, each with the run
tables of its own commit:

- from nothing: no statistics and no figures are kept;
- a sentence: after one of a page's template has changed;
- a new run: after the last one of a family has come, of the one with most runs.

Each is compared with a run of the other commit right before it, which keeps nothing. --write puts the medians into
data/benchmarks/report.csv.
"""

import argparse
import io
import os
import platform
import subprocess
import sys
import tarfile
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import pandas as pd
from machine import processor

ROOT = Path(__file__).parents[2]
OUT = ROOT / "data/benchmarks/report.csv"
BEFORE = "2c1b6a3"
NEEDED = ("src", "data", "params.yaml")
TEMPLATE = "src/replication/report/templates/report.html.jinja"
FAMILY = "autoencoder-mnist"


def checkout(commit: str, folder: Path) -> Path:
    """What a report needs of a commit."""
    done = subprocess.run(["git", "archive", commit, *NEEDED], cwd=ROOT, capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        tar.extractall(folder, filter="data")
    return folder


def report(folder: Path) -> float:
    """Write the report of a checkout; the seconds that it took."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "REPLICATION_"))}
    command = [sys.executable, "-m", "replication", "report", "--scale", "paper"]
    start = time.perf_counter()
    environment["PYTHONPATH"] = str(folder / "src")
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"the report failed in {folder}:\n{done.stdout}\n{done.stderr}")
    return time.perf_counter() - start


def from_nothing(folder: Path) -> float:
    for made in (".runs", "data/statistics", "reports"):
        subprocess.run(["rm", "-rf", made], cwd=folder, check=True)
    return report(folder)


def sentence(folder: Path) -> float:
    """The page gets another one."""
    template = folder / TEMPLATE
    heading = '<h2 id="method">'
    template.write_text(template.read_text().replace(heading, f"<p>One sentence more.</p>\n{heading}"))
    return report(folder)


def new_run(folder: Path) -> float:
    """A run comes, after a report that had all others."""
    table = folder / f"data/runs/paper/{FAMILY}.jsonl"
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join(lines[:-1]))
    from_nothing(folder)
    table.write_text("".join(lines))
    return report(folder)


CASES = {"from nothing": from_nothing, "a sentence": sentence, "a new run": new_run}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=3, help="turns")
    parser.add_argument("--write", action="store_true", help=f"write {OUT.relative_to(ROOT)}")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as place:
        ours, before = (checkout(commit, Path(place) / commit) for commit in ("HEAD", BEFORE))
        for _ in range(options.n):
            compared = report(before)
            rows += [
                {"after": name, "seconds": case(ours), "compared_seconds": compared} for name, case in CASES.items()
            ]
    table = pd.DataFrame(rows).assign(ratio=lambda found: found["seconds"] / found["compared_seconds"])
    found = table.groupby("after", sort=False).median().assign(n=options.n, compared_with=BEFORE).reset_index()
    found = found.assign(
        hardware=f"{os.cpu_count()} cores of {processor()}",
        versions=f"python {platform.python_version()}, matplotlib {version('matplotlib')}, pandas {version('pandas')}",
    )
    print(found.drop(columns=["hardware", "versions"]).to_markdown(index=False, floatfmt=".3g"))
    if options.write:
        found.to_csv(OUT, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
