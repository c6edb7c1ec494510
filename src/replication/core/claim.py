"""`python -m replication claim C4`: what we say of a claim, which runs it still needs, and their training."""

import argparse
from collections.abc import Iterator
from typing import Any

from replication.core import paths, published
from replication.core.errors import UserError
from replication.core.family import Family, find
from replication.core.missing import coverage
from replication.core.run import Run
from replication.core.settings import Parameters, load
from replication.core.suggest import suggestion


def command(options: argparse.Namespace) -> int:
    """Say what there is, and unless it is a dry run train what is missing; the exit status of the last sweep."""
    parameters = load(options.scale)
    entry = _entry(options.claim)
    print("\n".join(_verdict(parameters, entry)))
    wanted = [(family, needed(family, entry["id"])) for family in families(parameters, entry)]
    if not wanted:
        print(f"No training decides it. `{entry['command']}` makes what it rests on.")
    for family, runs in wanted:
        print(_missing(family, runs))
    if options.dry_run or not wanted:
        return 0
    from replication.core.commands import train

    status = 0
    for family, runs in wanted:
        status = status or train(options, family, family.grid, family.name, among={run.key for run in runs})
    print(f"`python -m replication report --scale {parameters.scale}` says what they change.")
    return status


def _entry(name: str) -> dict[str, Any]:
    entries = {entry["id"]: entry for entry in published.claims()}
    wanted = name.upper()
    if wanted not in entries:
        raise UserError(f"no claim {name!r}: choose one of {', '.join(entries)}{suggestion(wanted, entries)}")
    return entries[wanted]


def _verdict(parameters: Parameters, entry: dict[str, Any]) -> Iterator[str]:
    """What the scale's claims.json says of it, where there is one."""
    from replication.core import board

    yield f"{entry['id']} {entry['title']} ({entry['where']}): {entry['claim']}"
    if not (paths.reports(parameters.scale) / "claims.json").exists():
        yield f"No verdict at scale {parameters.scale} yet."
        return
    [found] = [claim for claim in board.read(parameters.scale)["claims"] if claim["id"] == entry["id"]]
    so_far = f" (so far: {found['so_far']})" if found["so_far"] else ""
    yield f"Verdict: {found['verdict']}{so_far}; control: {found['control']}."
    for kind in ("published", "ours", "after_control"):
        yield f"  {kind.replace('_', ' the ')}: {found[kind]['text'] if found[kind] else 'not available'}"


def families(parameters: Parameters, entry: dict[str, Any]) -> list[Family[Any]]:
    """Those that decide the claim, as far as the scale has them."""
    names = [name for name in entry.get("families", []) if name in parameters.families]
    return [family for family in (find(parameters, name) for name in names) if family.settings is not None]


def needed(family: Family[Any], claim: str) -> list[Run]:
    """The runs of a family that a claim rests on; all where the room does not say."""
    return family.grid if family.needed_by is None else family.needed_by(claim, family.settings)


def _missing(family: Family[Any], runs: list[Run]) -> str:
    found = coverage(family, runs)
    if not (missing := found.planned - found.runs):
        return f"{family.name}: all {found.planned} runs are there"
    there = f"{family.name}: {found.runs} of {found.planned} runs are there; {missing} are missing"
    known = missing - found.without_estimate
    if not known:
        return f"{there}, of networks that have never been trained, so that nobody knows how long they take"
    hours = f"about {found.hours_missing:.1f} hours on one core"
    if not found.without_estimate:
        return f"{there}, {hours}"
    return f"{there}, {hours} for {known} of them; the networks of the others have never been trained"
