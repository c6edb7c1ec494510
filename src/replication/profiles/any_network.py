"""The entropy profile of any network: of the weights in a file, or of a network by name."""

import argparse
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from torch import nn

from entropy_guidance import profile
from entropy_guidance.profiles import SUMMARY_COLUMNS
from replication.core.errors import UserError
from replication.core.files import write_whole
from replication.profiles import weights_file, zoo
from replication.profiles.file_layer import Weights

PLOTS = (".png", ".svg", ".pdf")
TOLD = {  # how a file's layers are told: whether it is ONNX
    True: "layers as its graph has them",
    False: "tensors of four or five dimensions as convolutions, of two as dense layers",
}


def command(options: argparse.Namespace) -> None:
    """Print a profile's summary, and write it and its plot where these are asked for."""
    _check_paths(options)
    model, source, notes = _network(options.network, options.weights)
    try:
        found = profile(model, relative=options.relative)
    except ValueError as error:
        raise UserError(f"{source}: {error}") from None
    summary = found.summary()
    of_what = ", relative to each output's weights" if options.relative else ""
    print(f"{source}: entropy change in nats, convolutions per filter and pixel{of_what}")
    print(summary[SUMMARY_COLUMNS].to_string(index=False, float_format=lambda value: f"{value:.4f}"))
    for row in found.skipped_layers().itertuples(index=False):
        print(f"skipped {row.name} ({row.type}): {row.skipped}")
    filters = summary[(summary["kind"] == "filters") & (summary["n"] > 0)]
    if len(filters):
        of_layers, of_filters = filters["mean"].mean(), np.average(filters["mean"], weights=filters["n"])
        print(
            f"convolutions: mean of the {len(filters)} layers' means {of_layers:.4f}, of all filters {of_filters:.4f}"
        )
    for note in notes:
        print(f"note: {note}")
    if options.output:
        table = summary[SUMMARY_COLUMNS]
        write_whole(options.output, lambda path: table.to_csv(path, index=False, float_format="%.7g"))
        print(f"written: {options.output}")
    if options.plot:
        found.plot()
        write_whole(options.plot, lambda path: plt.savefig(path, dpi=160, format=options.plot.suffix[1:]))
        print(f"written: {options.plot}")


def _network(name: str, weights: str) -> tuple[nn.Module, str, list[str]]:
    """A network by name or the weights of a file, what it is, and what should be known of it."""
    path = Path(name)
    if not path.suffix:  # no network has a dot in its name
        model = zoo.build(name)
        return model, f"{name}, {zoo.load_weights(model, name, weights)}", []
    if weights != "random":
        raise UserError(f"{path} is a file with weights of its own: --weights {weights} goes with a network's name")
    return (
        Weights(weights_file.layers(path)),
        f"{path.name} ({TOLD[path.suffix == weights_file.ONNX]})",
        weights_file.notes(path),
    )


def _check_paths(options: argparse.Namespace) -> None:
    """Say before the work what cannot be written."""
    for path in filter(None, (options.output, options.plot)):
        if path.is_dir():
            raise UserError(f"{path} is a folder: name a file in it")
    if options.plot and options.plot.suffix not in PLOTS:
        raise UserError(f"--plot {options.plot}: the name must end in one of {', '.join(PLOTS)}")
