"""What a campaign finds when it begins: missing runs, verdicts, paces, and from these its blocks of runs."""

import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from replication.core import campaign, claim, paths, published
from replication.core.campaign import Block, Times
from replication.core.family import Family
from replication.core.forecast import Forecast, measure
from replication.core.paces import Paces
from replication.core.run import Run
from replication.core.runs import read_current
from replication.core.settings import Parameters
from replication.core.store import Store
from replication.core.sweep import choose_device
from replication.data import presence
from replication.training import trainer

if TYPE_CHECKING:
    import torch

MEASURED = 0.1  # of the time at most goes into measuring how long a step takes, and
LONGEST = 60.0  # so many seconds


@dataclass(frozen=True)
class Plan:
    """What is to be trained, in this order."""

    blocks: list[Block]
    times: Times
    waiting: int  # missing runs that cannot be begun in the time
    without_data: frozenset[str]  # families whose data are not here


def make(parameters: Parameters, families: Mapping[str, Family[Any]], device: "torch.device", seconds: float) -> Plan:
    """Plan for so many seconds; measures the paces that are not known.

    Raises:
        UserError: the device is that of other machines, so that nothing can be measured here.
    """
    choose_device(device.type)
    store = Store(paths.store())
    records = {name: read_current(family.table) for name, family in families.items()}
    present = store.keys() | {record["key"] for found in records.values() for record in found}
    missing = {name: [run for run in family.grid if run.key not in present] for name, family in families.items()}
    paces = Paces(store, device)
    _measure(paces, [(family, missing[name]) for name, family in families.items()], device, seconds)
    forecast = Forecast(paces, (record for found in records.values() for record in found))
    resuming = {name for name, family in families.items() if missing[name] and trainer.checkpoints(family.trainer)}
    times = Times(
        whole=forecast.seconds,
        clock=forecast.clock_seconds,
        epoch=forecast.epoch_seconds,
        resumes=lambda run: run.family in resuming,
    )
    why = _Reasons(parameters, families)
    rows = [
        row
        for name, family in families.items()
        if missing[name]
        for row in campaign.rows(family.grid, {run.key for run in missing[name]}, why, times, seconds)
    ]
    return Plan(
        blocks=campaign.blocks(rows),
        times=times,
        waiting=sum(len(row.runs) for row in rows if not row.startable),
        without_data=frozenset(name for name, family in families.items() if _lacks_data(family)),
    )


def _lacks_data(family: Family[Any]) -> bool:
    return family.dataset is not None and presence.state(family.dataset) == "missing"


def _measure(
    paces: Paces, missing: Sequence[tuple[Family[Any], Sequence[Run]]], device: "torch.device", seconds: float
) -> None:
    """Paces that are not known yet."""
    if all(paces.of(run) is not None for _, runs in missing for run in runs):
        return
    most = min(LONGEST, MEASURED * seconds)
    print(f"Measuring how long a step of each network takes, {most:.0f} s at most.", file=sys.stderr)
    networks = measure(paces, missing, device, time.monotonic() + most)
    bar = tqdm(networks, desc="timing", unit="network", leave=False, disable=None)
    for name in bar:
        bar.set_postfix_str(name)


class _Reasons:
    """Why a run is wanted, from the verdicts that a scale has so far."""

    def __init__(self, parameters: Parameters, families: Mapping[str, Family[Any]]) -> None:
        from replication.core import board

        self.needed: dict[str, set[str]] = {}
        for entry in published.claims():
            for family in claim.families(parameters, entry):
                if family.name in families:
                    keys = {run.key for run in claim.needed(family, entry["id"])}
                    self.needed[entry["id"]] = self.needed.get(entry["id"], set()) | keys
        self.verdicts: dict[str, str] = {}
        self.hypotheses: defaultdict[str, list[str]] = defaultdict(list)
        if (paths.reports(parameters.scale) / "claims.json").exists():
            decided = board.read(parameters.scale)
            self.verdicts = {one["id"]: one["verdict"] for one in decided["claims"]}
            for one in decided["hypotheses"]:
                if one["verdict"].startswith(campaign.WITHOUT):
                    self.hypotheses[one["family"]].append(one["id"])

    def __call__(self, run: Run) -> campaign.Wanted:
        return campaign.wanted(run, self.needed, self.verdicts, self.hypotheses)
