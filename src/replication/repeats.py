"""Runs trained once more, to see how far their numbers depend on where they are made."""

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from tempfile import TemporaryDirectory

import torch

from replication import datasets, executors
from replication.runs import Record, Run, current
from replication.sweep import cores
from replication.training import trainer

CPU = torch.device("cpu")


def cheapest(records: Sequence[Record], number: int) -> list[Record]:
    """Those whose training took the fewest seconds, of this version of the code and with data that are there."""
    there = [record for record in current(records) if datasets.is_there(record["run"]["dataset"])]
    return sorted(there, key=lambda record: float(record["seconds"]))[:number]


def repeat(records: Sequence[Record]) -> Iterator[tuple[Record, Record]]:
    """Train runs again, on the CPU, as a sweep would: each with its new record, as they end.

    Checkpoints and weights go into a store of their own, and with it.
    """
    recorded = {record["key"]: record for record in records}
    runs = [Run(record["family"], record["run"]) for record in records]
    narrow = [[run] for run in runs if trainer(run.family).one_thread(run)]
    wide = [[run] for run in runs if not trainer(run.family).one_thread(run)]
    with _store_of_its_own():
        for epochs in (
            executors.local_workers(narrow, min(cores(), len(narrow)), math.inf),
            executors.in_process(wide, CPU, math.inf),
        ):
            for epoch in epochs:
                yield from ((recorded[record["key"]], record) for record in epoch.finished)


@contextmanager
def _store_of_its_own() -> Iterator[None]:
    before = os.environ.get("DVC_ROOT")
    with TemporaryDirectory() as folder:
        os.environ["DVC_ROOT"] = folder  # workers inherit it
        try:
            yield
        finally:
            if before is None:
                del os.environ["DVC_ROOT"]
            else:
                os.environ["DVC_ROOT"] = before
