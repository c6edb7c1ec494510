"""`python -m replication campaign`: spend some minutes on the runs that move verdicts most, in the order of `campaign`.

Neither DVC nor a network is needed: a family without data is passed over, and said. What was planned and what came of
it is kept in the store's folder `campaigns`. When a plan is carried out and time is left, the rest is planned anew.
"""

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from replication.core import campaign, paths, strict_json
from replication.core.campaign import Block
from replication.core.errors import UserError
from replication.core.family import Family, check_there, find
from replication.core.files import write_text
from replication.core.room_for import check_writable
from replication.core.settings import Parameters, load, role_of
from replication.core.store import Store

if TYPE_CHECKING:
    import torch

    from replication.core.planning import Plan
    from replication.core.ray_executor import RayExecutor

SHOWN = 16  # blocks that are printed


@dataclass
class _Campaign:
    """What it was asked, and what it has done so far."""

    parameters: Parameters
    families: dict[str, Family[Any]]
    minutes: float
    device: "torch.device"
    workers: int | None
    cluster: "RayExecutor | None"
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    plans: list["Plan"] = field(default_factory=list)
    trained: dict[str, int] = field(default_factory=lambda: defaultdict(int))  # by family
    refused: dict[str, str] = field(default_factory=dict)  # families that could not be trained, and why


def command(options: argparse.Namespace) -> int:
    """Plan, print the plan, and unless it is a dry run carry it out; the exit status."""
    if options.minutes == 0:
        raise UserError(
            "a campaign of 0 minutes trains nothing: say more --minutes. "
            "`sweep --family NAME --minutes 0` writes a family's table"
        )
    deadline = time.monotonic() + options.minutes * 60
    from replication.core import planning
    from replication.core.executing import executing

    parameters = load(options.scale)
    names = [name for text in options.families or parameters.families for name in text.split(",")]
    families = {name: family for name in names if (family := find(parameters, name)).settings is not None}
    with executing(options) as (device, cluster):
        asked = _Campaign(parameters, families, options.minutes, device, options.workers, cluster)
        print("\n".join(_head(asked)))
        interrupted, before = False, -1
        while not interrupted and sum(asked.trained.values()) > before and (left := deadline - time.monotonic()) > 0:
            before = sum(asked.trained.values())
            plan = planning.make(parameters, families, device, left)
            asked.plans.append(plan)
            print("\n".join(_table(asked, plan)))
            if options.dry_run:
                return 0
            if before == 0 and plan.blocks and all(block.family in plan.without_data for block in plan.blocks):
                raise UserError("none of these families has its data here: the lines above say how to get them")
            interrupted = _carry_out(asked, plan, deadline)
    print("\n".join(_result(asked, interrupted)))
    return 130 if interrupted else int(bool(asked.refused))


def _carry_out(asked: _Campaign, plan: "Plan", deadline: float) -> bool:
    """Train block by block until the time is over; whether somebody interrupted it."""
    for block in plan.blocks:
        left = deadline - time.monotonic()
        passed_over = block.family in plan.without_data or block.family in asked.refused
        if passed_over or not any(plan.times.fits([run], left) for run in block.runs):
            continue
        try:
            trained, interrupted = _train(asked, plan, block, left)
            asked.trained[block.family] += trained
        except UserError as error:  # the other families may go on
            print(f"{block.family}: {error}", file=sys.stderr)
            asked.refused[block.family], interrupted = str(error), False
        _record(asked)
        if interrupted:
            return True
    return False


def _train(asked: _Campaign, plan: "Plan", block: Block, seconds: float) -> tuple[int, bool]:
    """One block: runs trained to their end, and whether somebody interrupted it."""
    from replication.core import sweep

    family = asked.families[block.family]
    check_there(family)
    check_writable(paths.reports(family.scale))
    outcome = sweep.sweep(
        family.grid,
        family.table,
        Store(paths.store()),
        trainer=family.trainer,
        device=asked.device,
        minutes=seconds / 60,
        workers=asked.workers,
        manifest=paths.manifest(family.scale, role_of(family.name)),
        order=sweep.Order({run.key: place for place, run in enumerate(block.runs)}, plan.times.fits),
        cluster=asked.cluster,
        size_of=family.size_of,
    )
    return outcome.trained, outcome.interrupted


def _record(asked: _Campaign) -> None:
    """Keep what was asked, planned and done."""
    content = {
        "scale": asked.parameters.scale,
        "began": asked.began.isoformat(timespec="seconds"),
        "last": datetime.now(UTC).isoformat(timespec="seconds"),
        "minutes": asked.minutes,
        "device": asked.device.type,
        "rule": campaign.RULE,
        "plans": [[_described(block, plan) for block in plan.blocks] for plan in asked.plans],
        "trained": dict(asked.trained),
        "refused": asked.refused,
    }
    name = asked.began.strftime("%Y-%m-%dT%H-%M-%SZ.json")
    write_text(Store(paths.store()).folder / "campaigns" / name, strict_json.dumps(content, indent=1) + "\n")


def _described(block: Block, plan: "Plan") -> dict[str, Any]:
    return {
        "family": block.family,
        "need": block.wanted.need.name.lower(),
        "by": block.wanted.by,
        "seconds_expected": block.seconds,
        "without_data": block.family in plan.without_data,
        "runs": [run.key for run in block.runs],
    }


def _head(asked: _Campaign) -> Iterator[str]:
    yield f"A campaign of {_minutes(asked.minutes)} at scale {asked.parameters.scale} on {asked.device.type}."
    yield from (f"  {number}. {rule}" for number, rule in enumerate(campaign.RULE, 1))


def _table(asked: _Campaign, plan: "Plan") -> Iterator[str]:
    """A line a block, with the minutes that it is expected to take, and those up to its end."""
    yield ""
    if not plan.blocks:
        yield "Nothing can be begun in the minutes that are left."
    else:
        yield f"{'family':26}{'runs':>6}{'minutes':>10}{'in all':>10}   for"
    spent = 0.0
    for block in plan.blocks[:SHOWN]:
        minutes = (block.seconds or 0.0) / 60
        missing = block.family in plan.without_data
        spent += 0.0 if missing else minutes
        total = "no data" if missing else f"{spent:,.1f}"
        yield f"{block.family:26}{len(block.runs):6,}{minutes:10,.1f}{total:>10}   {_for(block)}"
    if (more := len(plan.blocks) - SHOWN) > 0:
        yield f"and {more} more blocks"
    if plan.waiting:
        yield f"{plan.waiting:,} missing runs are left: their pace is not known yet, or they take longer than this."
    datasets: dict[str, list[str]] = defaultdict(list)
    for name in dict.fromkeys(block.family for block in plan.blocks if block.family in plan.without_data):
        datasets[role_of(name)].append(name)
    for role, names in datasets.items():
        get = f"python -m replication prepare {role} --scale {asked.parameters.scale}"
        yield f"No data here for {', '.join(names)}: `{get}` gets them. Until then they are passed over."


def _for(block: Block) -> str:
    names, replicates = block.wanted.by, sorted({row.replicate for row in block.rows})
    named = f"{' '.join(names[:4])}{' …' * (len(names) > 4)} " if names else ""
    which = f"{replicates[0]}" if len(replicates) == 1 else f"{replicates[0]} to {replicates[-1]}"
    return f"{named}{campaign.WORDS[block.wanted.need]}; replicate {which}"


def _result(asked: _Campaign, interrupted: bool) -> Iterator[str]:
    did = ", ".join(f"{number} of {name}" for name, number in asked.trained.items() if number)
    yield f"Trained: {did or 'no run to its end'}."
    if interrupted:
        yield "Stopped. Every finished run is kept; the same command goes on from here."
    yield f"`python -m replication report --scale {asked.parameters.scale}` says what they change."


def _minutes(number: float) -> str:
    return f"{number:g} minute{'s' * (number != 1)}"
