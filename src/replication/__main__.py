"""The command line: `python -m replication --help`."""

import argparse
import json
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from replication.core import paths
from replication.core.errors import UserError
from replication.core.runs import Run, Store, current, read_current, read_table
from replication.core.settings import CALIBRATED, FAMILIES, PROFILES, ROLES, Settings, load, set_scale

PLOTS = (".png", ".svg", ".pdf")

# Commands import what they need themselves: neither --help nor a mistake should wait the seconds that torch takes.


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status. A user's mistake is one message on standard error."""
    options = _parser().parse_args(arguments)
    try:
        return options.command(options) or 0
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `... | head`
        sys.stderr.close()
        return 0
    except OSError as error:  # a folder that cannot be written, a disk that went away
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m replication",
        description="Replication of 'Entropy-based Guidance of Deep Neural Networks' (arXiv 2308.14938). "
        "`dvc repro` calls these commands; each can be called by hand.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    prepare = commands.add_parser("prepare", help="prepare a data set and write its manifest")
    prepare.add_argument(
        "role",
        choices=ROLES,
        help="the paper's data set; at demo scale its stand-in",
    )
    prepare.set_defaults(command=_prepare)

    train = commands.add_parser("sweep", help="train the missing runs of a family and write its table")
    _training_options(train, FAMILIES)
    train.set_defaults(command=_sweep)

    calibrate = commands.add_parser(
        "calibrate", help="compare baseline settings (lambda = 0) with the published baseline; train what is missing"
    )
    _training_options(calibrate, CALIBRATED)
    calibrate.set_defaults(command=_calibrate)

    formulas = commands.add_parser("theory", help="the paper's entropy formulas beside the exact change of layers")
    formulas.set_defaults(command=_theory)

    columns = commands.add_parser("square-part", help="what the autoencoders' guided square parts see of their images")
    columns.set_defaults(command=_square_part)

    guided = commands.add_parser(
        "guided-inputs", help="what guided inputs see of the images, and where the determinant's change comes from"
    )
    guided.set_defaults(command=_guided_inputs)

    zeros = commands.add_parser(
        "corner-zeros", help="how often guided weights meet a zero on real images, in every network of the paper"
    )
    zeros.set_defaults(command=_corner_zeros)

    audit = commands.add_parser(
        "published-audit",
        help="what the published Tables 1 to 3 can support, from their numbers alone (no training)",
    )
    audit.set_defaults(command=_published_audit)

    report = commands.add_parser("report", help="render the report of a scale from its run tables alone")
    report.set_defaults(command=_report)

    record = commands.add_parser("profiles", help="entropy profiles of one of the paper's networks, for the report")
    record.add_argument("network", choices=PROFILES)
    record.set_defaults(command=_profiles)

    single = commands.add_parser(
        "profile", help="entropy profile of any network: own, torchvision's or segmentation-models-pytorch's U-Net"
    )
    single.add_argument("network", help="unet, smp-unet, small-vgg, or a name of torchvision's, for example vgg16")
    single.add_argument(
        "--weights",
        default="random",
        help="random (default), keras, torchvision, or a file: .pt, .pth, .safetensors, or Keras's .h5",
    )
    single.add_argument("--output", type=Path, metavar="CSV", help="write the summary, one row a layer")
    single.add_argument("--plot", type=Path, metavar="PNG", help="write a box plot of every layer")
    single.set_defaults(command=_profile)

    runs = commands.add_parser("runs", help="list, show, merge or clear finished runs")
    verbs = runs.add_subparsers(required=True, metavar="VERB")
    listing = verbs.add_parser("list", help="one line a run of a family's grid, finished or missing")
    listing.add_argument("--family", choices=FAMILIES, default=FAMILIES[0])
    listing.set_defaults(command=_runs_list)
    show = verbs.add_parser("show", help="everything recorded about one run")
    show.add_argument("key", help="the run's key, or its beginning")
    show.set_defaults(command=_runs_show)
    merge = verbs.add_parser("merge", help="take finished runs from tables of other machines into the store")
    merge.add_argument("files", nargs="+", type=Path, metavar="FILE")
    merge.set_defaults(command=_runs_merge)
    clear = verbs.add_parser("clear", help="delete the runs and the tables of a scale, committed ones too")
    clear.set_defaults(command=_runs_clear)

    scale = commands.add_parser("set-scale", help="write the scale into params.yaml")
    scale.add_argument("name")
    scale.set_defaults(command=lambda options: set_scale(options.name))

    for command in (prepare, train, calibrate, formulas, columns, guided, zeros, record, audit, report, listing, clear):
        command.add_argument("--scale", help="demo or paper; by default the one in params.yaml")
    return parser


def _training_options(parser: argparse.ArgumentParser, families: Sequence[str]) -> None:
    parser.add_argument("--family", choices=families, required=True)
    parser.add_argument("--minutes", type=_minutes, help="stop after this long; finished runs are kept")
    parser.add_argument("--shard", default="1/1", metavar="I/N", help="train the I-th of N parts (several machines)")
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NAME=VALUE[,VALUE]",
        help="train only these, for example width=100,260; may be repeated",
    )
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--workers", type=_workers, help="processes on the CPU (default: one a core)")


def _minutes(text: str) -> float:
    if not _is_float(text) or not 0 <= float(text) < math.inf:
        raise argparse.ArgumentTypeError(f"a number of minutes, 0 or more, is expected, not {text!r}")
    return float(text)


def _workers(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a number of processes, 1 or more, is expected, not {text!r}")
    return int(text)


def _prepare(options: argparse.Namespace) -> None:
    from replication import data as datasets

    settings = load(options.scale)
    print(datasets.prepare(settings.scale, options.role, settings.dataset(options.role)))


def _sweep(options: argparse.Namespace) -> int:
    """Train the grid; and again where the runs that were trained have told what further ones are to be."""
    from replication.core.families import grid, planned

    settings = load(options.scale)
    start, minutes, described = time.time(), options.minutes, -1
    while len(runs := grid(settings, options.family)) != described:
        described = len(runs)
        if waiting := planned(settings, options.family) - described:
            print(
                f"{waiting} further runs of {options.family} can be described once the unguided run of the first "
                "training and row is finished. A sweep that leaves it out (--only, --shard) does not train them",
                file=sys.stderr,
            )
        if status := _train(options, settings, runs, options.family):
            return status
        if minutes is not None:
            options.minutes = max(0.0, minutes - (time.time() - start) / 60)
    return 0


def _calibrate(options: argparse.Namespace) -> int:
    from replication.core.families import calibration_family, calibration_grid, calibration_table

    settings = load(options.scale)
    name = calibration_family(options.family)
    status = _train(options, settings, calibration_grid(settings, options.family), name)
    table = calibration_table(settings, options.family, read_current(paths.table(settings.scale, name)))
    if table.empty:
        print("No baseline is trained yet.")
        return status
    print("Baselines, nearest to the published one first:")
    print(table.to_string(index=False, float_format=lambda value: f"{value:.4g}"))
    return status


def _train(options: argparse.Namespace, settings: Settings, runs: list[Run], name: str) -> int:
    from replication.core.sweep import choose_device, sweep

    outcome = sweep(
        runs,
        paths.table(settings.scale, name),
        Store(paths.store()),
        device=choose_device(options.device),
        minutes=options.minutes,
        shard=_shard(options.shard),
        only=_only(options.only, runs),
        workers=options.workers,
    )
    print(f"{name} at scale {settings.scale}: {outcome}")
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
        raise UserError(f"--shard is I/N with 1 <= I <= N, for example 2/4; got {text!r}")
    return part, parts


def _only(texts: list[str], runs: list[Run]) -> dict[str, set[float | str]]:
    """--only NAME=VALUE,VALUE: the values, as the runs have them; `unsaid` chooses runs that do not say NAME."""
    from replication.core.sweep import setting

    chosen: dict[str, set[float | str]] = {}
    for text in texts:
        name, _, values = text.partition("=")
        known = sorted({name for run in runs for name in run.settings})
        if name not in known:
            raise UserError(f"--only {text}: no such setting. Known: {', '.join(known)}")
        there = {setting(run, name) for run in runs}
        chosen.setdefault(name, set())
        for value in values.split(","):
            found = {v for v in there if str(v) == value or (_is_float(value) and v == float(value))}
            if not found:
                among = ", ".join(str(v) for v in sorted(there, key=lambda v: (isinstance(v, str), v)))
                raise UserError(f"--only {text}: no run of the grid has {name} {value!r}. It has: {among}")
            chosen[name] |= found
    return chosen


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _square_part(options: argparse.Namespace) -> None:
    from replication.autoencoder import square_part

    print(f"What the square parts see is in {square_part.write(load(options.scale))}.")


def _guided_inputs(options: argparse.Namespace) -> None:
    from replication.inputs import record

    print(f"What the guided inputs see is in {record.write(load(options.scale))}.")


def _corner_zeros(options: argparse.Namespace) -> None:
    from replication.inputs import zeros

    for message in zeros.write(load(options.scale)):
        print(message)


def _theory(options: argparse.Namespace) -> None:
    from replication.theory import experiment as theory

    settings = load(options.scale)
    path = paths.record(settings.scale, "theory")
    theory.write(theory.run(settings.theory), path)
    print(f"The formulas and the exact changes are in {path}.")


def _profiles(options: argparse.Namespace) -> None:
    from replication.profiles import record as profiles

    for message in profiles.write(load(options.scale), options.network):
        print(message)


def _profile(options: argparse.Namespace) -> None:
    from matplotlib import pyplot as plt

    from entropy_guidance.profiles import SUMMARY_COLUMNS, profile
    from replication.core.files import write_whole
    from replication.profiles import zoo

    for path in filter(None, (options.output, options.plot)):
        if path.is_dir():
            raise UserError(f"{path} is a folder: name a file in it")
    if options.plot and options.plot.suffix not in PLOTS:
        raise UserError(f"--plot {options.plot}: the name must end in one of {', '.join(PLOTS)}")
    model = zoo.build(options.network)
    source = zoo.load_weights(model, options.network, options.weights)
    try:
        found = profile(model)
    except ValueError as error:
        raise UserError(f"{source}: {error}") from None
    summary = found.summary()
    print(f"{options.network}, {source}: entropy change in nats, convolutions per filter and pixel")
    print(summary[SUMMARY_COLUMNS].to_string(index=False, float_format=lambda value: f"{value:.4f}"))
    for row in found.skipped_layers().itertuples(index=False):
        print(f"skipped {row.name} ({row.type}): {row.skipped}")
    if options.output:
        table = summary[SUMMARY_COLUMNS]
        write_whole(options.output, lambda path: table.to_csv(path, index=False, float_format="%.7g"))
        print(f"written: {options.output}")
    if options.plot:
        found.plot()
        write_whole(options.plot, lambda path: plt.savefig(path, dpi=160, format=options.plot.suffix[1:]))
        print(f"written: {options.plot}")


def _published_audit(options: argparse.Namespace) -> None:
    from replication.published_tables import audit as published_audit

    print(f"The audit of the published tables is {published_audit.write(load(options.scale))}.")


def _report(options: argparse.Namespace) -> None:
    from replication.report import page

    print(page.write(load(options.scale)))


def _runs_list(options: argparse.Namespace) -> None:
    from replication.core.families import grid, planned

    settings = load(options.scale)
    store = Store(paths.store())
    table = {record["key"]: record for record in read_current(paths.table(settings.scale, options.family))}
    present = store.keys() | table.keys()
    runs = grid(settings, options.family)
    names = runs[0].settings if runs else {}
    telling = [name for name in names if len({run[name] for run in runs}) > 1]
    for run in runs:
        state = "missing"
        if run.key in present:
            metrics = (table.get(run.key) or store[run.key])["metrics"]
            state = "  ".join(f"{name} {value:.5g}" for name, value in list(metrics.items())[:3])
        print("  ".join([run.key, *(f"{name} {run[name]}" for name in telling), state]))
    print(f"{sum(run.key in present for run in runs)} of {planned(settings, options.family)} runs finished")


def _runs_show(options: argparse.Namespace) -> None:
    from replication.core.families import calibration_family

    store = Store(paths.store())
    names = [name for family in FAMILIES for name in (family, calibration_family(family))]
    tables = [paths.table(scale, name) for scale in ("demo", "paper") for name in names]
    found = {record["key"]: record for table in tables for record in read_current(table)}
    found |= {key: store[key] for key in store.keys() - found.keys() if key.startswith(options.key)}
    matches = [record for key, record in found.items() if key.startswith(options.key)]
    if len(matches) != 1:
        raise UserError(f"{len(matches)} finished runs have a key that begins with {options.key!r}; see `runs list`")
    print(json.dumps(matches[0], indent=2))


def _runs_merge(options: argparse.Namespace) -> None:
    store = Store(paths.store())
    for file in options.files:
        if not file.exists():
            raise UserError(f"no file {file}")
        records = read_table(file)
        usable = current(records)
        print(
            f"{file}: {len(records)} runs, {store.add_missing(usable)} new, "
            f"{len(records) - len(usable)} from another version of the training code"
        )
    print("Write them into a family's table with `python -m replication sweep --family ... --minutes 0`.")


def _runs_clear(options: argparse.Namespace) -> None:
    from replication.core.families import calibration_family, calibration_grid, grid

    settings = load(options.scale)
    store = Store(paths.store())
    finished, present = set(), store.keys()
    for family in FAMILIES:
        planned = grid(settings, family)  # some are described by what others have left
        planned += calibration_grid(settings, family) if family in CALIBRATED else []
        runs = {run.key for run in planned}
        for name in (family, calibration_family(family)):
            table = paths.table(settings.scale, name)
            finished |= {record["key"] for record in read_table(table)}
            table.unlink(missing_ok=True)
        finished |= runs & present
        for key in runs | finished:
            store.delete(key)
    print(
        f"{len(finished)} runs of scale {settings.scale} deleted. `git checkout data/runs` brings committed tables back"
    )


if __name__ == "__main__":
    sys.exit(main())
