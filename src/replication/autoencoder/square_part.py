"""What the square part of an autoencoder's first layer, whose determinant is guided, sees of the images.

It has as many columns as the layer has units, the leading ones (paper, Theorem 3): the image's first pixels.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from replication import data
from replication.autoencoder.record import NAME
from replication.autoencoder.settings import read as read_settings
from replication.core import paths, strict_json, studies
from replication.core.settings import Parameters
from replication.data.images import ImageSet, pixels

CHUNK = 128  # inputs of all images held in float64


def write(parameters: Parameters) -> Path:
    """Measure every family's data set and write data/runs/<scale>/square-part.json; the path."""
    record: dict[str, list[dict[str, Any]]] = {}
    for family in (name for name, room in parameters.families.items() if room == "autoencoder"):
        grid = read_settings(parameters, family).grid
        images = data.load(grid.dataset)
        assert isinstance(images, ImageSet)
        record[family] = seen(pixels(images.train_images), grid.widths).to_dict("records")
    path = paths.record(parameters.scale, NAME)
    studies.write(path, strict_json.dumps(record, indent=1) + "\n")
    return path


def seen(inputs_NI: Tensor, widths: Iterable[int]) -> pd.DataFrame:
    """One row a latent width.

    Args:
        inputs_NI: training images as the first layer gets them, (N, I), uint8.

    Columns: width; lit (inputs of the square part that are above zero in some image); images (share of the images that
    light any of them); variance (their share of the variance of all inputs).
    """
    variance_I = torch.cat([part.double().var(0, correction=0) for part in inputs_NI.split(CHUNK, dim=1)])
    lit_I = inputs_NI.amax(0) > 0
    rows = [
        {
            "width": width,
            "lit": int(lit_I[:width].sum()),
            "images": float((inputs_NI[:, :width].amax(1) > 0).double().mean()),
            "variance": float(variance_I[:width].sum() / variance_I.sum()),
        }
        for width in widths
    ]
    return pd.DataFrame(rows)
