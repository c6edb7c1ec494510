"""The command line: `python -m replication --help`. It reads arguments; `core.commands` and the rooms do the work."""

import argparse
import codecs
import locale
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from replication.core import commands, late
from replication.core.errors import UserError
from replication.core.own_code import check_own_code
from replication.core.settings import load, set_scale
from replication.core.suggest import suggestion

NETWORKS = ("vgg16", "resnet50", "unet")  # whose profiles the report shows


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status. A user's mistake is one message on standard error."""
    try:
        options = _parser().parse_args(arguments)
        check_own_code(Path())
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


GROUPS = {  # what the commands are for, and each in a few words
    "Look": {
        "status": "how much of every family's grid exists",
        "doctor": "this machine, what is there, and how long the missing runs would take on it",
        "claim": "what we say of a claim, and which runs it needs; trains them",
        "runs": "list, show, check, merge or clear finished runs",
        "check": "read everything that params.yaml says of a scale, and name the first mistake",
        "profile": "entropy profile of any network: a file, ours, torchvision's, segmentation-models-pytorch's",
        "weights": "list trained weights, or fetch some",
    },
    "Train": {
        "prepare": "prepare a data set and write its manifest",
        "sweep": "train the missing runs of a family and write its table",
        "campaign": "spend some minutes on the missing runs that move verdicts most",
        "calibrate": "compare baseline settings (lambda = 0) with the published baseline; train what is missing",
        "layers": "which layers the rows of Table 2 guide; trains one unguided run where that tells",
    },
    "Report": {
        "statistics": "tables, tests and verdicts of a family or study as data",
        "verdicts": "the verdict on every claim, from the statistics",
        "report": "the page of a scale, from its run tables alone",
        "docs": "README.md, the findings and docs/, from docs/templates and the records",
        "set-scale": "write the scale into params.yaml",
    },
    "Stages that dvc repro calls": {
        "sources": "check params.yaml, and note what each stage is made from: its settings and code",
        "theory": "the paper's entropy formulas beside the exact change of layers",
        "square-part": "what the autoencoders' guided square parts see of their images",
        "guided-inputs": "what guided inputs see of the images, and where the determinant's change comes from",
        "corner-zeros": "how often guided weights meet a zero on real images, in every network of the paper",
        "published-audit": "what the published Tables 1 to 3 can support, from their numbers alone",
        "profile-stage": "entropy profiles of the paper's networks, for the report",
        "profiles": "the old name of profile-stage",
    },
}
EXAMPLES = """examples:
  python -m replication claim C4 --dry-run              what C4 says and needs, without training
  python -m replication sweep --family cnn-mnist --scale paper --minutes 60 --only blocks=1
  python -m replication runs list --scale paper --family autoencoder-mnist
  python -m replication report --scale paper            the page, from the committed runs
`python -m replication COMMAND --help` explains a command. `dvc repro` runs them all."""


class _Parser(argparse.ArgumentParser):
    """Says what a mistyped word may have meant."""

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            named = "command" if isinstance(action, argparse._SubParsersAction) else "value"
            known = ", ".join(map(str, action.choices))
            raise argparse.ArgumentError(
                None if named == "command" else action,
                f"no {named} {value!r}: choose one of {known}{suggestion(str(value), map(str, action.choices))}",
            )


def _parser() -> argparse.ArgumentParser:
    listed = "\n\n".join(
        f"{title}:\n" + "\n".join(f"  {name:16} {text}" for name, text in group.items())
        for title, group in GROUPS.items()
    )
    parser = _Parser(
        prog="python -m replication",
        usage="%(prog)s COMMAND ...",
        description="Replication of 'Entropy-based Guidance of Deep Neural Networks' (arXiv 2308.14938).\n\n" + listed,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=lambda _: print(parser.format_help()))
    parser.add_argument("--version", action=_Version, help="print the version of the library")
    subparsers = parser.add_subparsers(metavar="COMMAND", help=argparse.SUPPRESS, prog="python -m replication")
    texts = {name: text for group in GROUPS.values() for name, text in group.items()}

    def add(name: str, command: object, *, scale: bool = True) -> argparse.ArgumentParser:
        text = texts[name]
        added = subparsers.add_parser(name, description=f"{text[0].upper()}{text[1:]}.")
        added.set_defaults(command=command)
        if scale:
            _scale_option(added)
        return added

    add("status", commands.status)
    doctor = add("doctor", late.function("replication.core.doctor:command"))
    doctor.add_argument("--no-timing", dest="timing", action="store_false", help="measure nothing: a few seconds")
    doctor.add_argument("--json", action="store_true", help="print it as JSON")
    _device_option(doctor)
    claim = add("claim", late.function("replication.core.claim:command"))
    claim.add_argument("claim", metavar="CLAIM", help="C1 to C13")
    claim.add_argument("--dry-run", action="store_true", help="say what is missing, and train nothing")
    _training_options(claim, family=False)
    _executor_options(claim)
    _runs(add("runs", None, scale=False))
    _profile_options(add("profile", late.function("replication.profiles.any_network:command"), scale=False))
    _weights(add("weights", None, scale=False))
    prepare = add("prepare", commands.prepare)
    prepare.add_argument(
        "role",
        metavar="DATA",
        help="mnist, cifar10, imagenette, imagenette-64, coco or coco-sample; at demo scale its stand-in",
    )
    sweep = add("sweep", commands.sweep)
    _training_options(sweep)
    _executor_options(sweep)
    _campaign_options(add("campaign", late.function("replication.core.spending:command")))
    calibrate = add("calibrate", commands.calibrate)
    _training_options(calibrate)
    _executor_options(calibrate)
    _training_options(add("layers", late.function("replication.imagenette.layers:command")))
    statistics = add("statistics", commands.statistics)
    statistics.add_argument("part", metavar="PART", help="a family, or theory, profiles, cost, table2, published-audit")
    add("check", commands.check)
    add("sources", commands.sources)
    add("verdicts", commands.verdicts)
    add("report", commands.report)
    add("docs", commands.docs, scale=False)
    scale = add("set-scale", lambda options: set_scale(options.name), scale=False)
    scale.add_argument("name", metavar="SCALE", help="demo or paper, or another scale of params.yaml")
    add("theory", _study("replication.theory.experiment:write", "The formulas and the exact changes are in"))
    add("square-part", _study("replication.autoencoder.square_part:write", "What the square parts see is in"))
    add("guided-inputs", _study("replication.inputs.training.measure:write", "What the guided inputs see is in"))
    add("corner-zeros", _corner_zeros)
    add("published-audit", _study("replication.published_tables.audit:write", "The audit of the published tables is"))
    for name, command in (("profile-stage", _profile_stage), ("profiles", _old_profiles)):
        add(name, command).add_argument("network", nargs="+", choices=NETWORKS, help="whose profiles")
    return parser


def _runs(runs: argparse.ArgumentParser) -> None:
    verbs = runs.add_subparsers(required=True, metavar="VERB", title="verbs")
    listing = verbs.add_parser("list", help="one line a run of a family's grid, finished or missing")
    listing.add_argument("--family", help="by default the first of params.yaml")
    listing.set_defaults(command=commands.runs_list)
    show = verbs.add_parser("show", help="everything recorded about one run")
    show.add_argument("key", help="the run's key, or its beginning")
    show.set_defaults(command=commands.runs_show)
    merge = verbs.add_parser("merge", help="take finished runs from tables of other machines into the store")
    merge.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="tables, also .gz, or folders that hold some"
    )
    merge.set_defaults(command=commands.runs_merge)
    check = verbs.add_parser(
        "check", help="whether the records of a scale agree with themselves and with one another; status 1 if not"
    )
    check.add_argument("--repeat", type=_number_of("runs"), metavar="N", help="train N of them again, cheapest first")
    check.set_defaults(command=commands.runs_check)
    clear = verbs.add_parser("clear", help="delete the runs of a scale, and its tables that git does not track")
    clear.add_argument("--dry-run", action="store_true", help="say what would go, and delete nothing")
    clear.add_argument("--tables", action="store_true", help="tables that git tracks go too")
    clear.add_argument("--yes", action="store_true", help="delete without asking")
    clear.set_defaults(command=commands.runs_clear)
    seal = verbs.add_parser("seal", help="note the digests of committed records that carry none, in digests.json")
    seal.set_defaults(command=commands.runs_seal)
    for verb in (listing, show, check, clear, seal):
        _scale_option(verb)


def _weights(weights: argparse.ArgumentParser) -> None:
    verbs = weights.add_subparsers(required=True, metavar="VERB", title="verbs")
    fetch = verbs.add_parser("fetch", help="bring a network's trained weights into data/raw/weights")
    fetch.add_argument("name", metavar="NAME", help="open-nsfw, platelet-unet, vgg16, vgg16-edges or resnet50")
    fetch.set_defaults(command=late.function("replication.profiles.trained_files:fetch"))
    listing = verbs.add_parser("list", help="which trained weights are here")
    listing.set_defaults(command=late.function("replication.profiles.trained_files:listing"))


def _scale_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scale", help="demo or paper; by default the one in params.yaml")


def _training_options(parser: argparse.ArgumentParser, *, family: bool = True) -> None:
    if family:
        parser.add_argument("--family", required=True, help="one of `families` in params.yaml: `status` lists them")
    parser.add_argument("--minutes", type=_minutes, help="stop after this long; finished runs are kept")
    parser.add_argument("--shard", default="1/1", metavar="I/N", help="train the I-th of N parts (several machines)")
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NAME=VALUE[,VALUE]",
        help="train only these, for example width=100,260; may be repeated",
    )
    parser.add_argument("--live", action="store_true", help="write curves into live/ while it trains, through DVCLive")
    parser.add_argument(
        "--compile", action="store_true", help="large networks on a GPU: through torch.compile (untried)"
    )
    _device_option(parser)
    _workers_option(parser)


def _executor_options(parser: argparse.ArgumentParser) -> None:
    ray = parser.add_argument_group("on a Ray cluster (docs/cluster.md)")
    ray.add_argument("--executor", choices=["local", "ray"], default="local", help="who trains: this machine, or Ray")
    ray.add_argument("--address", metavar="HOST:PORT", help="a cluster's head, or auto (default: one on this machine)")
    ray.add_argument("--cores", type=_number_of("cores"), help="cores of a training (default: what suits the network)")
    ray.add_argument("--gpu-share", dest="share", type=_share, metavar="SHARE", help="of a GPU that a stack gets: 0.5")


def _campaign_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--minutes", type=_minutes, required=True, help="how long it may last; finished runs are kept")
    parser.add_argument(
        "--families", action="append", metavar="NAME[,NAME]", help="of these alone (default: all); may be repeated"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the rule and the order, and train nothing")
    _device_option(parser)
    _workers_option(parser)
    _executor_options(parser)


def _workers_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workers", type=_number_of("processes"), help="processes on the CPU (default: one a core)")


def _device_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--device",
        choices=["auto", "cpu", "cuda"],
        default="auto",
        help="where to train (auto: the GPU if there is one)",
    )


def _profile_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "network",
        metavar="FILE|NETWORK",
        help="a file (.pt, .pth, .safetensors, .h5, .onnx), or unet, smp-unet, small-vgg, or a name of torchvision's",
    )
    parser.add_argument(
        "--weights",
        default="random",
        help="of a NETWORK: random (default), keras, torchvision, or a file: .pt, .pth, .safetensors, .h5, .onnx",
    )
    parser.add_argument(
        "--relative", action="store_true", help="divide each output's weights by their root mean square"
    )
    parser.add_argument("--output", type=Path, metavar="CSV", help="write the summary, one row a layer")
    parser.add_argument("--plot", type=Path, metavar="PNG", help="write a box plot of every layer")


def _study(place: str, said: str) -> object:
    """A command that writes a record and says where it is."""
    write = late.function(place)
    return lambda options: print(f"{said} {write(load(options.scale))}.")


def _corner_zeros(options: argparse.Namespace) -> None:
    for message in late.function("replication.corner_zeros.measure:write")(load(options.scale)):
        print(message)


def _profile_stage(options: argparse.Namespace) -> None:
    for network in options.network:
        print(*late.function("replication.profiles.measure:write")(load(options.scale), network), sep="\n")


def _old_profiles(options: argparse.Namespace) -> None:
    print("`profiles` is now called `profile-stage`; the old name still works.", file=sys.stderr)
    _profile_stage(options)


class _Version(argparse.Action):
    """Imports the library, and torch with it, only when it is asked for."""

    def __init__(self, **options: Any) -> None:
        super().__init__(nargs=0, **options)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from entropy_guidance import __version__

        print(__version__)
        parser.exit()


def _minutes(text: str) -> float:
    if not commands.is_float(text) or not 0 <= float(text) < math.inf:
        raise argparse.ArgumentTypeError(f"a number of minutes, 0 or more, is expected, not {text!r}")
    return float(text)


def _share(text: str) -> float:
    if not commands.is_float(text) or not 0 < float(text) <= 1:
        raise argparse.ArgumentTypeError(f"a share of one GPU, above 0 and at most 1, is expected, not {text!r}")
    return float(text)


def _number_of(what: str) -> Callable[[str], int]:
    def convert(text: str) -> int:
        if not text.isdecimal() or int(text) < 1:
            raise argparse.ArgumentTypeError(f"a number of {what}, 1 or more, is expected, not {text!r}")
        return int(text)

    return convert


def _in_utf8() -> None:
    """Start this command again where the locale has another encoding: pages and records are UTF-8."""
    if codecs.lookup(locale.getpreferredencoding(False)).name != "utf-8":
        os.execv(sys.executable, [sys.executable, "-X", "utf8", "-m", "replication", *sys.argv[1:]])


if __name__ == "__main__":
    _in_utf8()
    sys.exit(main())
