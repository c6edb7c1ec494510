"""`python -m replication doctor`: what this machine is, what is there, and how long the missing runs would take on it.

Everything is looked up; nothing is fetched or trained but the few steps that `timing` measures.
"""

import argparse
import os
import platform
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from replication.core import late, paths, provenance, room_for, strict_json, traps
from replication.core.code import SRC
from replication.core.cores import cores
from replication.core.family import Family, find
from replication.core.forecast import Forecast, measure
from replication.core.paces import Paces
from replication.core.run import Run
from replication.core.runs import Record, read_current
from replication.core.settings import Parameters, load
from replication.core.store import Store
from replication.data import presence

if TYPE_CHECKING:
    import torch

TIMING = 40.0  # seconds that the measurements may take together: what is left is measured the next time
TELLING = (
    "avx2",
    "avx512f",
    "avx512_bf16",
    "amx_bf16",
    "asimd",
    "sve",
    "sve2",
)  # instructions that change a step's time
DATA = {  # what to say of a data set
    "prepared": "prepared",
    "stand-in": "made here when it is needed",
    "raw": "downloaded; prepared when it is needed",
}

_weights = late.function("replication.profiles.weights_there:wanted")


def command(options: argparse.Namespace) -> None:
    """Look at everything, and print it: one screen, or as JSON."""
    from replication.core.sweep import choose_device

    parameters = load(options.scale)
    found = _looked_up(parameters, choose_device(options.device), timing=options.timing)
    print(strict_json.dumps(found, indent=2) if options.json else "\n".join(_screen(found)))


def _looked_up(parameters: Parameters, device: "torch.device", *, timing: bool) -> dict[str, Any]:
    """By part, as --json has it."""
    store = Store(paths.store())
    families = [find(parameters, name) for name in parameters.families]
    records = {family.name: read_current(family.table) for family in families}
    missing = _missing(families, records, store)
    paces = Paces(store, device)
    if timing:
        _measure(paces, families, missing, device)
    return {
        "scale": parameters.scale,
        **_software(),
        "device": _device(device),
        "data": _data(parameters, families),
        "weights": {one.path.name: {"there": one.there, "command": one.command} for one in _weights(parameters)},
        "disk": {"free_bytes": shutil.disk_usage(room_for.existing(store.folder)).free, "store": str(store.folder)},
        "store": _store(store),
        "tables": {name: len(found) for name, found in records.items() if found},
        "traps": [asdict(trap) for trap in traps.check()],
        "families": _families(families, missing, Forecast(paces, [r for found in records.values() for r in found])),
    }


def _missing(families: list[Family[Any]], records: dict[str, list[Record]], store: Store) -> dict[str, list[Run]]:
    """By family, the runs of its grid that neither the store nor the table has."""
    stored = store.keys()
    missing = {}
    for family in families:
        present = stored | {record["key"] for record in records[family.name]}
        missing[family.name] = [run for run in family.grid if run.key not in present]
    return missing


def _measure(paces: Paces, families: list[Family[Any]], missing: dict[str, list[Run]], device: "torch.device") -> None:
    wanted = [(family, missing[family.name]) for family in families]
    bar = tqdm(
        measure(paces, wanted, device, time.monotonic() + TIMING),
        desc="timing",
        unit="network",
        leave=False,
        disable=None,
    )
    for name in bar:
        bar.set_postfix_str(name)


def _software() -> dict[str, Any]:
    import torch

    return {
        "commit": provenance.commit(SRC.parent),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "system": f"{platform.system()} {platform.release()}",
    }


def _device(device: "torch.device") -> dict[str, Any]:
    import torch

    about = provenance.environment(device, 1)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if device.type == "cuda":
        memory = torch.cuda.get_device_properties(device).total_memory
    return {
        "kind": device.type,
        "name": about["device"].partition(" ")[2] if device.type == "cuda" else about["processor"],
        "memory_bytes": memory,
        "cores": cores(),
        "vectors": about["instructions"],
        "vectors_used": about["capability"],
    }


def _data(parameters: Parameters, families: list[Family[Any]]) -> dict[str, Any]:
    """By data set: its state, and the command that gets it where it is missing."""
    found: dict[str, Any] = {}
    for family in families:
        if family.dataset is not None and family.dataset not in found:
            state = presence.state(family.dataset)
            role = family.name.partition("-")[2]
            command = f"python -m replication prepare {role} --scale {parameters.scale}"
            found[family.dataset] = {"state": state, "command": command if state == "missing" else None}
    return found


def _store(store: Store) -> dict[str, int]:
    def count(pattern: str) -> int:
        return sum(1 for _ in store.folder.glob(pattern))

    return {
        "runs": len(store.keys()),
        "checkpoints": count("checkpoints/*.pt"),
        "weights": count("weights/*.safetensors"),
        "claims": count("claims/*"),
        "refused": count("*.refused*"),
    }


def _families(
    families: list[Family[Any]], missing: dict[str, list[Run]], forecast: Forecast
) -> dict[str, dict[str, Any]]:
    found = {}
    for family in families:
        runs = missing[family.name]
        left = forecast.left(runs, undescribed=family.planned - len(family.grid))
        found[family.name] = {
            "done": len(family.grid) - len(runs),
            "planned": family.planned,
            "hours_left": None if left.hours is None else round(left.hours, 5),
            "estimate": left.estimate,
            "at_most": left.at_most,
            "untimed": left.untimed,
        }
    return found


def _screen(found: dict[str, Any]) -> Iterator[str]:
    device, disk, store = found["device"], found["disk"], found["store"]
    yield f"scale      {found['scale']}, commit {found['commit']}"
    yield f"software   Python {found['python']}, torch {found['torch']}, {found['system']}"
    yield f"device     {device['kind']}: {device['name']}, {room_for.size(device['memory_bytes'])} of memory"
    has = ", ".join(name for name in TELLING if name in device["vectors"].split()) or "none that we know"
    yield f"processor  {device['cores']} cores for us; vector instructions: {has}; torch uses {device['vectors_used']}"
    yield from _lines("data", (f"{name}: {_said(one)}" for name, one in found["data"].items()))
    yield from _lines("weights", (f"{name}: {_weights_said(one)}" for name, one in found["weights"].items()))
    yield f"disk       {room_for.size(disk['free_bytes'])} free at {disk['store']}"
    yield "store      " + ", ".join(f"{number:,} {name}" for name, number in store.items())
    yield f"tables     {sum(found['tables'].values()):,} records of {len(found['tables'])} families"
    yield from _lines("checks", (f"{one['state']:8} {one['name']}: {one['found']}" for one in found["traps"]))
    yield ""
    yield f"{'family':26}{'done':>8}{'planned':>10}{'hours left':>14}   on this machine"
    for name, one in found["families"].items():
        yield f"{name:26}{one['done']:8,}{one['planned']:10,}{_hours(one):>14}   {_note(one)}".rstrip()


def _lines(title: str, texts: Iterator[str]) -> Iterator[str]:
    for text in texts:
        yield f"{title:11}{text}"
        title = ""


def _said(one: dict[str, Any]) -> str:
    return DATA.get(one["state"]) or f"missing: `{one['command']}` gets it"


def _weights_said(one: dict[str, Any]) -> str:
    return "there" if one["there"] else f"missing: `{one['command']}` fetches them"


def _hours(one: dict[str, Any]) -> str:
    return "not timed" if one["hours_left"] is None else f"{one['hours_left']:,.1f}"


def _note(one: dict[str, Any]) -> str:
    if one["hours_left"] is None:
        return ""
    notes = ["at most"] * one["at_most"] + ["an estimate from small batches"] * one["estimate"]
    return ", ".join(notes + [f"without {one['untimed']:,} runs"] * (one["untimed"] > 0))
