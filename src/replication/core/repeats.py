"""Runs trained once more, to see how far their numbers depend on where they are made."""

import math
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from tempfile import TemporaryDirectory

import torch

from replication import data as datasets
from replication.core import executors
from replication.core.cores import workers
from replication.core.family import find
from replication.core.run import Run
from replication.core.runs import Record, current
from replication.core.settings import Parameters
from replication.training import trainer

CPU = torch.device("cpu")


def cheapest(records: Sequence[Record], number: int) -> list[Record]:
    """Those whose training took the fewest seconds, of this version of the code and with data that are there."""
    there = [record for record in current(records) if datasets.is_there(record["run"]["dataset"])]
    return sorted(there, key=lambda record: float(record["seconds"]))[:number]


def repeat(parameters: Parameters, records: Sequence[Record]) -> Iterator[tuple[Record, Record]]:
    """Train runs again, on the CPU, as a sweep would: each with its new record, as they end.

    Checkpoints and weights go into a store of their own, and with it.
    """
    recorded = {record["key"]: record for record in records}
    stacks: defaultdict[tuple[str, bool], list[list[Run]]] = defaultdict(list)  # by trainer, and how it is executed
    for record in records:
        run, place = Run(record["family"], record["run"]), find(parameters, record["family"]).trainer
        stacks[place, trainer.find(place).one_thread(run)].append([run])
    with own_store():
        for (place, narrow), chosen in stacks.items():
            if narrow:
                epochs = executors.local_workers(chosen, place, min(workers(), len(chosen)), math.inf)
            else:
                epochs = executors.in_process(chosen, place, CPU, math.inf)
            for epoch in epochs:
                yield from ((recorded[record["key"]], record) for record in epoch.finished)


@contextmanager
def own_store() -> Iterator[None]:
    """A store that goes with the block."""
    before = os.environ.get("REPLICATION_STORE")
    with TemporaryDirectory() as folder:
        os.environ["REPLICATION_STORE"] = folder  # workers inherit it
        try:
            yield
        finally:
            if before is None:
                del os.environ["REPLICATION_STORE"]
            else:
                os.environ["REPLICATION_STORE"] = before
