"""Reading many records: `python tests/benchmarks/records.py [--write]`, beside commit 2c1b6a3, which checks none.

CPU seconds to read every record of a store and of a table of as many, as a sweep reads them, and to list the store's
keys, which is all that a sweep needs of runs that are not its own. Both ways take turns, each in a process of its own;
`times_before` is the median of the turns' ratios for store and table. --write puts the table into
data/benchmarks/records.csv.
"""

import argparse
import io
import platform
import random
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import pandas as pd
from machine import processor

ROOT = Path(__file__).parents[2]
OUT = ROOT / "data/benchmarks/records.csv"
BEFORE = "2c1b6a3"
EPOCHS = 36  # of a record: 2.3 kB
SUMMARY = {"times_before": "median", "lowest": "min", "highest": "max"}
REPLICATES = 5  # of each setting, as of most of the paper's


def make(folder: Path, number: int) -> int:
    """Write a store and a table; bytes of a record."""
    from replication.autoencoder import HISTORIES, METRICS
    from replication.core.records import sealed  # only here: the commit before has no such module
    from replication.core.run import Run
    from replication.core.runs import make_record, write_table
    from replication.core.store import Store

    rng = random.Random(0)
    shared = {
        "dataset": "mnist",
        "form": "reciprocal",
        "epsilon": 1e-7,
        "monitor": "total",
    }
    shared |= {"precision": "float32", "batch_size": 512, "learning_rate": 0.001, "patience": 7, "min_delta": 0.001}
    about = {"device": "cpu", "torch": "2", "processor": "some", "threads": "1", "commit": "0" * 40}
    data = {"content": "1" * 64, "order": "2" * 64}
    records = []
    for at in range(number):
        history = {name: [rng.random() for _ in range(EPOCHS)] for name in HISTORIES}
        metrics = {name: rng.random() for name in METRICS} | {"stopping_epoch": EPOCHS}
        cell = {"width": 20 + at // REPLICATES, "lambda": 0.01, "replicate": at % REPLICATES, "max_epochs": 200}
        run = Run("autoencoder-mnist", shared | cell)
        records.append(sealed(make_record(run, metrics, history, 12.3, about) | {"data": data}))
    store, table = Store(folder / "store"), folder / "table.jsonl"
    for record in records:
        store.put(record)
    write_table(table, records)
    return table.stat().st_size // number


def read(folder: Path) -> None:
    """In a process of its own, with the code of either commit: print the seconds for store, table and keys."""
    try:
        from replication.core.runs import read_table
        from replication.core.store import Store
    except ModuleNotFoundError:
        from replication.runs import Store, read_table  # type: ignore[no-redef]  # as it was at BEFORE

    store = Store(folder / "store")
    start = time.process_time()
    keys = store.keys()
    listed = time.process_time()
    many = getattr(store, "take_all", lambda keys: {key: store[key] for key in keys})(keys)
    middle = time.process_time()
    assert len(many) == len(keys), "records of the store were refused"
    del many
    again = time.process_time()
    table = read_table(folder / "table.jsonl")
    print(middle - start, time.process_time() - again, listed - start, len(table))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("-n", type=int, default=7, help="turns")
    parser.add_argument("--write", action="store_true", help=f"write {OUT.relative_to(ROOT)}")
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        return read(options.read)
    rows = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        size = make(folder, options.records)
        archive = subprocess.run(["git", "archive", BEFORE, "src"], cwd=ROOT, capture_output=True, check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(folder / "before", filter="data")
        for _ in range(options.n):
            for way, source in (("checked", ROOT / "src"), (BEFORE, folder / "before/src")):
                command = [sys.executable, __file__, "--records", str(options.records), "--read", str(folder)]
                benchmarks = str(Path(__file__).parent)
                done = subprocess.run(
                    command,
                    cwd=ROOT,  # whose params.yaml says what a record of the family has
                    env={"PYTHONPATH": f"{source}:{benchmarks}"},
                    capture_output=True,
                    text=True,
                    check=True,
                )
                store, table, keys, number = map(float, done.stdout.split())
                assert number == options.records
                rows.append({"way": way, "store": store, "table": table, "both": store + table, "keys": keys})
    turns = pd.DataFrame(rows)
    both = turns.pivot_table("both", turns.groupby("way").cumcount(), "way")
    shares = both.div(both[BEFORE], axis=0)  # within a turn: what else the machine does changes from turn to turn
    found = turns.groupby("way", sort=False).median().reset_index()
    found = found.assign(
        **{name: found["way"].map(shares.agg(how)) for name, how in SUMMARY.items()},
        n=options.n,
        records=options.records,
        bytes=size,
        hardware=f"one core of {processor()}",
        versions=f"python {platform.python_version()}",
    )
    print(found.to_markdown(index=False, floatfmt=".3g"))
    if options.write:
        found.to_csv(OUT, index=False, float_format="%.4g")
    return None


if __name__ == "__main__":
    main()
