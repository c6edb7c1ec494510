"""The entropy profile of any network: of the weights in a file, or of a network by name."""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt
from torch import Tensor, nn

from entropy_guidance import profile
from entropy_guidance.profiles import SUMMARY_COLUMNS
from replication.core.errors import UserError
from replication.core.files import write_whole
from replication.profiles import weights_file, zoo

PLOTS = (".png", ".svg", ".pdf")


def command(options: argparse.Namespace) -> None:
    """Print a profile's summary, and write it and its plot where these are asked for."""
    _check_paths(options)
    model, source = _network(options.network, options.weights)
    try:
        found = profile(model)
    except ValueError as error:
        raise UserError(f"{source}: {error}") from None
    summary = found.summary()
    print(f"{source}: entropy change in nats, convolutions per filter and pixel")
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


class Weights(nn.Module):
    """Weights without a network around them, as layers that `profile` reads: (O, I, p, q) is a convolution, (O, I) a
    dense layer. They keep their names, which those of submodules could not be: these hold no dot.
    """

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        self._layers = {name: _layer(weight) for name, weight in weights.items()}

    def named_modules(self, *_: Any, **__: Any) -> Iterator[tuple[str, nn.Module]]:
        """All layers with their names."""
        yield from self._layers.items()


def _layer(weight: Tensor) -> nn.Module:
    outputs, inputs, *size = weight.shape
    layer: nn.Conv2d | nn.Linear
    if size:
        layer = nn.Conv2d(inputs, outputs, (size[0], size[1]), bias=False, device="meta")
    else:
        layer = nn.Linear(inputs, outputs, bias=False, device="meta")
    layer.weight = nn.Parameter(weight, requires_grad=False)
    return layer


def _network(name: str, weights: str) -> tuple[nn.Module, str]:
    """A network by name or the weights of a file, and what it is."""
    path = Path(name)
    if not path.suffix:  # no network has a dot in its name
        model = zoo.build(name)
        return model, f"{name}, {zoo.load_weights(model, name, weights)}"
    if weights != "random":
        raise UserError(f"{path} is a file with weights of its own: --weights {weights} goes with a network's name")
    found = Weights(weights_file.matrices(path))
    return found, f"{path.name} (tensors of four dimensions as convolutions, of two as dense layers)"


def _check_paths(options: argparse.Namespace) -> None:
    """Say before the work what cannot be written."""
    for path in filter(None, (options.output, options.plot)):
        if path.is_dir():
            raise UserError(f"{path} is a folder: name a file in it")
    if options.plot and options.plot.suffix not in PLOTS:
        raise UserError(f"--plot {options.plot}: the name must end in one of {', '.join(PLOTS)}")
