"""What the command line does with families and their runs. Commands import what they need themselves: neither --help
nor a mistake should wait the seconds that torch takes.
"""

import argparse
import sys
from collections.abc import Container
from pathlib import Path
from typing import Any

from replication.core import clearing, finished, merging, paths, records, room_for, strict_json, studies
from replication.core import sources as stage_sources
from replication.core.errors import UserError
from replication.core.family import (
    Family,
    Part,
    calibration_name,
    check_all,
    check_there,
    find,
    find_study,
    findings_of,
)
from replication.core.files import write_text
from replication.core.run import Run
from replication.core.runs import Record, read_current, read_table, write_table
from replication.core.schema import named, shown
from replication.core.settings import Parameters, load, role_of
from replication.core.store import Store


def sources(options: argparse.Namespace) -> None:
    """Check params.yaml, and note for DVC what each stage is made from."""
    print(f"params.yaml is checked. What each stage is made from is in {stage_sources.write(load(options.scale))}.")


def prepare(options: argparse.Namespace) -> None:
    """Prepare the data set that plays a role, and write its manifest."""
    from replication import data

    parameters = load(options.scale)
    name = parameters.dataset_of_role(options.role)
    if name is None:
        print(data.none(parameters.scale, options.role))
    else:
        print(data.prepare(parameters.scale, options.role, name))


def sweep(options: argparse.Namespace) -> int:
    """Train what a family's grid misses."""
    parameters = load(options.scale)
    family = find(parameters, options.family)
    leave_out(parameters, options)
    if waiting := family.planned - len(family.grid):
        print(
            f"{waiting} further runs of {family.name} can be described once it is known which layers they guide: "
            f"`python -m replication layers --scale {family.scale} --family {family.name}` finds out",
            file=sys.stderr,
        )
    return train(options, family, family.grid, family.name)


def leave_out(parameters: Parameters, options: argparse.Namespace) -> None:
    """Give a family that `train` in params.yaml does not have no time to train, and say so."""
    if not parameters.trains(options.family):
        print(f"{options.family}: `train` in params.yaml leaves it out, so that nothing is trained")
        options.minutes = 0


def calibrate(options: argparse.Namespace) -> int:
    """Train a family's calibration, and show the candidates."""
    parameters = load(options.scale)
    family = find(parameters, options.family)
    leave_out(parameters, options)
    runs = family.calibrations
    name = calibration_name(family.name)
    status = train(options, family, runs, name)
    assert family.calibration is not None
    table = family.calibration.table(family.settings, read_current(family.calibration_table))
    if table.empty:
        print("No baseline is trained yet.")
        return status
    print("Baselines, nearest to the published one first:")
    print(table.to_string(index=False, float_format=lambda value: f"{value:.4g}"))
    return status


def statistics(options: argparse.Namespace) -> None:
    """Compute the findings of a family, or of a study."""
    parameters = load(options.scale)
    part: Part = (
        find(parameters, options.part) if options.part in parameters.families else find_study(parameters, options.part)
    )
    found = findings_of(part)
    print(f"{part.name} at scale {part.scale}: {len(found.tables)} tables in data/statistics/{part.scale}")


def verdicts(options: argparse.Namespace) -> None:
    """Decide every claim."""
    from replication.core import board, variant

    parameters = load(options.scale)
    folder = board.write(parameters, board.exhibits(parameters), variant.folder(parameters.scale))
    print(f"The verdicts are in {folder / 'claims.json'}, the metrics beside them.")


def report(options: argparse.Namespace) -> None:
    """Render the report, and decide the claims before."""
    from replication.core import board, variant
    from replication.report import page

    parameters = load(options.scale)
    shown = board.exhibits(parameters)
    folder = variant.folder(parameters.scale)
    for old in (folder, paths.reports(parameters.scale) / variant.FOLDER):  # without its figures of another day
        page.delete(old)
    board.write(parameters, shown, folder)
    compared = variant.comparison(parameters, board.read(parameters.scale, folder))
    print(page.write(parameters, shown, folder, compared))
    if compared is not None:
        print(compared)


def docs(_: argparse.Namespace) -> None:
    """Write the pages that are made from templates and records."""
    from replication.docs import pages

    changed = pages.write()
    print("\n".join(f"written: {page}" for page in changed) or "Every page is what its template and the records make.")


def check(options: argparse.Namespace) -> None:
    """Read everything that params.yaml says of a scale."""
    parameters = load(options.scale)
    check_all(parameters)
    print(f"params.yaml: no mistake in what scale {parameters.scale} uses.")


def status(options: argparse.Namespace) -> None:
    """One line a family: how much of its grid exists, and on which data."""
    parameters = load(options.scale)
    present = Store(paths.store()).keys()
    for name in parameters.families:
        family = find(parameters, name)
        keys = present | {record["key"] for record in read_current(family.table)}
        done = sum(run.key in keys for run in family.grid)
        print(f"{name:26} {done:6,} of {family.planned:6,} runs   {family.dataset or 'not at this scale'}")


def runs_list(options: argparse.Namespace) -> None:
    """One line a run of a family's grid."""
    parameters = load(options.scale)
    family = find(parameters, options.family or next(iter(parameters.families)))
    store = Store(paths.store())
    table = {record["key"]: record for record in read_current(family.table)}
    present = store.keys() | table.keys()
    names = family.grid[0].settings if family.grid else {}
    telling = [name for name in names if len({run.settings.get(name) for run in family.grid}) > 1]
    for run in family.grid:
        state = "missing"
        if run.key in present:
            state = _state(table.get(run.key), store, run.key)
        said = (f"{name} {run[name]}" for name in telling if name in run.settings)
        print("  ".join([run.key, *said, state]))
    print(f"{sum(run.key in present for run in family.grid)} of {family.planned} runs finished")


def _state(record: Record | None, store: Store, key: str) -> str:
    """The first metrics of a finished run, for the user."""
    try:
        metrics = (record or store[key])["metrics"]
    except UserError as error:
        return f"refused: {error}"
    return "  ".join(f"{name} {value:.5g}" for name, value in list(metrics.items())[:3])


def runs_show(options: argparse.Namespace) -> None:
    """Everything recorded about one run."""
    store = Store(paths.store())
    found = merging.in_tables(options.scale)
    found |= {key: store[key] for key in store.keys() - found.keys() if key.startswith(options.key)}
    matches = [record for key, record in found.items() if key.startswith(options.key)]
    if len(matches) != 1:
        raise UserError(
            f"{len(matches)} finished runs have a key that begins with {shown(options.key)}; see `runs list`"
        )
    print(strict_json.dumps(matches[0], indent=2))


def runs_check(options: argparse.Namespace) -> int:
    """Print what each check looked at, then each finding, then what a repetition gave; 1 if there is a finding."""
    from replication.core import checks
    from replication.core.files import reading

    parameters = load(options.scale)
    here = [paths.table(parameters.scale, name) for name in _tables(parameters)]
    texts = {}
    for path in [*filter(Path.exists, here), *sorted(paths.store().glob("*.json"))]:
        with reading(path, "restore it with git, or delete it"):
            texts[str(path)] = path.read_text(errors="backslashreplace")
    held, parsed = checks.read(texts)
    folder = paths.RUNS / parameters.scale
    found = {path.name: studies.digest(path) for path in studies.files(folder)}
    outcomes = [
        parsed,
        *checks.check(held),
        checks.digests(held, records.read_digests(folder)),
        checks.studies(found, studies.read_digests(folder)),
    ]
    print(*outcomes, sep="\n")
    for outcome in outcomes:
        for finding in outcome.findings:
            print(f"{outcome.kind}  {finding}")
    if options.repeat:
        _repeat(parameters, [one.record for one in held], options.repeat)
    return int(any(outcome.findings for outcome in outcomes))


def _tables(parameters: Parameters) -> list[str]:
    """Names of every family's table, its calibration's too."""
    return [name for family in parameters.families for name in (family, calibration_name(family))]


def _repeat(parameters: Parameters, records: list[Record], number: int) -> None:
    from replication.core import checks, repeats

    chosen = repeats.cheapest(list({record["key"]: record for record in records}.values()), number)
    if len(chosen) < number:
        print(f"repeated: {len(chosen)} runs, for no others have data here (`prepare` gets them)")
    largest = []
    for recorded, again in repeats.repeat(parameters, chosen):
        found = checks.differences(recorded, again)
        largest += found
        where = checks.made_on(recorded, again)
        print(f"repeated  {recorded['family']}  {recorded['key']}  {checks.said(found)}. {where}", flush=True)
    if chosen:
        worst = max(largest, key=lambda difference: difference.largest, default="none")
        print(f"repeated: {len(chosen)} runs; largest difference: {worst}")


def runs_merge(options: argparse.Namespace) -> int:
    """Take finished runs from tables of other machines. Where the same run has other numbers, what is here stays."""
    return merging.merge(options.files)


def runs_seal(options: argparse.Namespace) -> None:
    """Note the digests of records that carry none, in a scale's tables and of its studies; what is noted stays."""
    parameters = load(options.scale)
    folder = paths.RUNS / parameters.scale
    noted = dict(records.read_digests(folder))
    without = [
        record
        for name in _tables(parameters)
        for record in read_table(paths.table(parameters.scale, name))
        if "digest" not in record and record["key"] not in noted
    ]
    noted |= {record["key"]: records.sealed(record)["digest"] for record in without}
    if without:
        write_text(folder / records.DIGESTS, strict_json.dumps(noted, indent=0, sort_keys=True) + "\n")
    print(f"{len(without)} digests added to {folder / records.DIGESTS}, {len(noted) - len(without)} were there")
    there = studies.read_digests(folder)
    new = {path.name: studies.digest(path) for path in studies.files(folder) if path.name not in there}
    if new:
        studies.note(folder, new)
    print(f"{len(new)} digests added to {folder / studies.DIGESTS}, {len(there)} were there")


def runs_clear(options: argparse.Namespace) -> None:
    """Delete the runs of a scale, when the user has seen which."""
    store = Store(paths.store())
    found = clearing.plan(load(options.scale), store, tracked_too=options.tables)
    print(found)
    if options.dry_run:
        print("Nothing was deleted.")
    elif options.yes or _agreed("Delete them?"):
        found.carry_out(store)
        print(f"{len(found.lost)} runs of scale {found.scale} deleted.")


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise UserError(f"{question} Nobody is there to answer: say --yes, or --dry-run to see what would go")
    return input(f"{question} [y/N] ").strip().lower() in {"y", "yes"}


def train(
    options: argparse.Namespace, family: Family[Any], runs: list[Run], name: str, among: Container[str] | None = None
) -> int:
    """Train what is missing of some runs, those with the keys `among` alone if it is given; the exit status."""
    table = paths.table(family.scale, name)
    if not runs:  # a scale without them: nothing to import torch for
        write_table(table, [])
        print(f"{name} at scale {family.scale}: it has no such runs")
        return 0

    if options.minutes != 0:  # zero write the table, and need no data
        check_there(family)
    room_for.check_writable(paths.reports(family.scale))
    store, shard = Store(paths.store()), _shard(options.shard)
    if not options.only:
        there = finished.without_training(runs, table, store)
        if options.minutes == 0 or not there.missing:
            print(f"{name} at scale {family.scale}: {there}")
            return 0

    from replication.core.executing import executing
    from replication.core.sweep import sweep as train_missing
    from replication.training.trainer import compiled

    with executing(options) as (device, cluster):
        outcome = train_missing(
            runs,
            table,
            store,
            trainer=compiled(family.trainer, device) if options.compile else family.trainer,
            device=device,
            minutes=options.minutes,
            shard=shard,
            only=_only(options.only, runs),
            among=among,
            workers=options.workers,
            manifest=paths.manifest(family.scale, role_of(family.name)),
            cluster=cluster,
            size_of=family.size_of,
            live=paths.live(name) if options.live else None,
        )
    print(f"{name} at scale {family.scale}: {outcome}")
    if outcome.interrupted:
        print("Stopped. Every finished run is kept; the same command goes on from here.", file=sys.stderr)
        return 130
    return 0


def _shard(text: str) -> tuple[int, int]:
    try:
        part, parts = (int(number) for number in text.split("/"))
    except ValueError:
        part = parts = 0
    if not 1 <= part <= parts:
        raise UserError(f"--shard is I/N with 1 <= I <= N, for example 2/4; got {shown(text)}")
    return part, parts


def _only(texts: list[str], runs: list[Run]) -> dict[str, set[float | str]]:
    """--only NAME=VALUE,VALUE: the values, as the runs have them; `unsaid` chooses runs that do not say NAME."""
    from replication.core.sweep import setting

    chosen: dict[str, set[float | str]] = {}
    for text in texts:
        name, _, values = text.partition("=")
        known = sorted({name for run in runs for name in run.settings})
        if name not in known:
            raise UserError(f"--only {named(text)}: no such setting. Known: {', '.join(known)}")
        there = {setting(run, name) for run in runs}
        chosen.setdefault(name, set())
        for value in values.split(","):
            found = {v for v in there if str(v) == value or (is_float(value) and v == float(value))}
            if not found:
                among = ", ".join(str(v) for v in sorted(there, key=lambda v: (isinstance(v, str), v)))
                raise UserError(f"--only {named(text)}: no run of the grid has {name} {shown(value)}. It has: {among}")
            chosen[name] |= found
    return chosen


def is_float(text: str) -> bool:
    """Whether a text is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True
