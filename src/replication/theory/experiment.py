"""The theory stage: claim C1 by experiment (paper, section 3). Seeded, float64, entropies in nats."""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from entropy_guidance import conv_entropy_change, exact_conv_entropy_change
from replication.core import paths
from replication.core.settings import Parameters
from replication.theory.layers import glorot, random_layers, stream
from replication.theory.record import CORNERS, NAME, TABLES, Row, save
from replication.theory.settings import Theory
from replication.theory.settings import read as read_settings
from replication.theory.witness import witness
from replication.training.threads import one_thread

FILTER_IMAGE = (8, 8)
NAMED_FILTERS = {
    "copy (1 in the centre)": ((0, 0, 0), (0, 1, 0), (0, 0, 0)),
    "shift (1 in the upper left)": ((1, 0, 0), (0, 0, 0), (0, 0, 0)),
    "Laplace": ((0, 1, 0), (1, -4, 1), (0, 1, 0)),
    "sharpen": ((0, -1, 0), (-1, 5, -1), (0, -1, 0)),
    "Sobel": ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1)),
    "binomial blur": ((1 / 16, 1 / 8, 1 / 16), (1 / 8, 1 / 4, 1 / 8), (1 / 16, 1 / 8, 1 / 16)),
}


def write(parameters: Parameters) -> Path:
    """Do every experiment and write data/runs/<scale>/theory.json; the path."""
    path = paths.record(parameters.scale, NAME)
    save(run(read_settings(parameters)), path)
    return path


def run(settings: Theory) -> dict[str, list[Row]]:
    """Every experiment of the stage as rows: `layers` (a to e), `witness` (c, d) and `filters` (e)."""
    rows = random_layers(settings.layers), witness(settings.samples, settings.repeats), filters(settings.filters)
    with one_thread():  # its matrices are small
        return dict(zip(TABLES, map(list, rows), strict=True))


def filters(count: int) -> Iterator[Row]:
    """Named filters and `count` random 3 x 3 filters without padding, in nats per output pixel.

    exact: `exact_conv_entropy_change`; c11, c1q, cp1, cpq: the formula of each corner's completion; for comparison
    centre and rms: the logarithm of the central weight and of the root mean square of all.
    """
    rng = stream("filters")
    named = {name: torch.tensor(rows, dtype=torch.float64) for name, rows in NAMED_FILTERS.items()}
    drawn = [("random", glorot(rng, 1, 1, 3, 3)[0, 0]) for _ in range(count)]
    yield from ({"filter": name, **_filter_row(filter_)} for name, filter_ in [*named.items(), *drawn])


def _filter_row(filter_: Tensor) -> Row:
    pixels = (FILTER_IMAGE[0] - 2) * (FILTER_IMAGE[1] - 2)
    return {
        "exact": exact_conv_entropy_change(filter_[None, None], FILTER_IMAGE, "valid").item() / pixels,
        **{name: conv_entropy_change(filter_, anchor=corner).item() for name, corner in CORNERS.items()},
        "centre": conv_entropy_change(filter_, anchor="center").item(),
        "rms": filter_.square().mean().sqrt().log().item(),
    }
