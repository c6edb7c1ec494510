"""The step that finds out which layers each row of Table 2 guides, and records it.

Only `empirical` has to be found out. Its layers follow from a recorded profile of trained weights, the same on every
machine that has the record: the first of the grid's `profiles` that the profile stage has recorded. Where it has none,
they follow from the profile that the family's own first unguided run has left, which this step trains if nobody has.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from entropy_guidance.empirical_layers import empirical
from replication.core import paths
from replication.core.commands import leave_out
from replication.core.errors import UserError
from replication.core.family import Family, find
from replication.core.finished import Outcome
from replication.core.run import Run
from replication.core.runs import Record, read_current
from replication.core.settings import load
from replication.core.store import Store
from replication.imagenette import grid, rows
from replication.imagenette.rows import EMPIRICAL, Chosen
from replication.imagenette.settings import ImagenetteSettings
from replication.imagenette.size import size_of
from replication.profiles import record as profiles


def command(options: argparse.Namespace) -> int:
    """Find out a family's layers, write data/runs/<scale>/<family>-layers.json, and say what it holds."""
    parameters = load(options.scale)
    family = find(parameters, options.family)
    leave_out(parameters, options)
    if family.settings is not None and not isinstance(family.settings, ImagenetteSettings):
        raise UserError(f"{family.name} has no rows of Table 2: `layers` is for the families of the room imagenette")
    if options.only or options.shard != "1/1":
        raise UserError("`layers` trains one run at most: leave --only and --shard away")
    found, interrupted = find_out(family, options)
    path = rows.record_path(family.scale, family.name)
    rows.write_record(path, found)
    for row, chosen in found.items():
        said = chosen.source
        if chosen.numbers is not None:
            said = f"layers {', '.join(map(str, chosen.numbers))} (from {chosen.source})"
        print(f"{family.name}, row {row}: {said}")
    print(f"The layers are in {path}.")
    if interrupted:
        print("Stopped. The same command goes on from here.", file=sys.stderr)
        return 130
    return 0


def find_out(family: Family[ImagenetteSettings], options: argparse.Namespace) -> tuple[Mapping[str, Chosen], bool]:
    """The layers of each row, unknown ones included, and whether a training for them was interrupted."""
    settings = family.settings
    if settings is None:
        return {}, False
    found = {row: grid.guided_layers(settings, row) for row in settings.grid.rows}
    if EMPIRICAL not in found:
        return found, False
    chosen = by_recorded_profile(settings)
    if chosen is not None:
        return found | {EMPIRICAL: chosen}, False
    run, store = grid.first_unguided(settings), Store(paths.store())
    store.add_missing(record for record in read_current(family.table) if record["key"] == run.key)
    interrupted = False
    if found[EMPIRICAL].numbers is None and run.key not in store.keys():
        interrupted = train(run, family.trainer, store, options).interrupted
    if run.key in store.keys():
        found[EMPIRICAL] = by_run(store[run.key])
    elif found[EMPIRICAL].numbers is None:
        found[EMPIRICAL] = Chosen(numbers=None, source=grid.WAITING, basis=run.key)
    return found, interrupted


def by_recorded_profile(settings: ImagenetteSettings) -> Chosen | None:
    """From the first of the grid's `profiles` that the profile stage has recorded; None where it has none."""
    recorded = profiles.read_record(profiles.record_path(settings.scale, settings.network))
    for weights in settings.grid.profiles or ():
        # At demo scale another network may stand in
        layers = [line for line in recorded if (line["network"], line["weights"]) == (settings.network, weights)]
        if layers:
            return highest(layers, f"the recorded profile of its {weights} weights ({layers[0]['source']})", weights)
    return None


def by_run(record: Record) -> Chosen:
    """From the profile that a finished unguided run has left."""
    run, metrics = record["run"], record["metrics"]
    source = (
        f"the profile of an unguided run here ({run['training']}, row {run['row']}, validation accuracy "
        f"{metrics['accuracy']:.3f} after {metrics['stopping_epoch']} epochs)"
    )
    return highest(record["profile"], source, record["key"])


def highest(layers: list[dict[str, Any]], source: str, basis: str) -> Chosen:
    """By `selection.empirical`, which chooses none where the weights are not finite."""
    names = empirical(pd.DataFrame(layers))
    numbers = tuple(layer["layer"] for layer in layers if layer["name"] in names)
    if not numbers:
        return Chosen(numbers=None, source=f"not known: {source} is not finite", basis=basis)
    return Chosen(numbers=numbers, source=source, basis=basis)


def train(run: Run, trainer: str, store: Store, options: argparse.Namespace) -> Outcome:
    """Have one run trained into the store. The family's table stays as it is: its sweep writes it."""
    from replication.core.sweep import choose_device, sweep  # with torch, which nothing else here needs

    with tempfile.TemporaryDirectory() as folder:
        return sweep(
            [run],
            Path(folder) / "table.jsonl",
            store,
            trainer=trainer,
            device=choose_device(options.device),
            minutes=options.minutes,
            workers=options.workers,
            size_of=size_of,
        )
