"""Which inputs form the square part of an autoencoder's first layer, whose determinant is guided.

The paper's are the leading ones (Theorem 3): of images, the first pixels. Others are chosen from the training images,
once for a data set, or listed. They stand in ascending order, so that a list and a rule that name the same inputs train
the same. Shape legend: N images, I inputs, L latent width.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from replication.autoencoder.inputs import DEAD_ONLY, LEADING, MOST_VARIABLE, RAREST
from replication.core.errors import UserError
from replication.core.run import Run
from replication.data.images import ImageSet, pixels

CHUNK = 2000  # images held as numbers


@dataclass(frozen=True)
class Seen:
    """What training images are in each input."""

    lit_I: Tensor  # how many images have more than zero in it
    sum_I: Tensor  # of all images' bytes
    spread_I: Tensor  # N^2 times its variance: whole numbers, so that equal ones are equal


def seen(images_NI: Tensor) -> Seen:
    """Count over uint8 images."""
    inputs = images_NI.shape[1]
    lit_I, sum_I, square_I = (torch.zeros(inputs, dtype=torch.int64) for _ in range(3))
    for part in images_NI.split(CHUNK):
        lit_I += (part > 0).sum(0)
        sum_I += part.sum(0)
        square_I += part.int().square().sum(0)
    return Seen(lit_I, sum_I, len(images_NI) * square_I - sum_I.square())


def _most_variable(seen: Seen, width: int) -> Tensor:
    _enough(int((seen.spread_I > 0).sum()), width, "that vary")
    return seen.spread_I.sort(descending=True, stable=True).indices[:width]


def _dead_only(seen: Seen, width: int) -> Tensor:
    dead = (seen.lit_I == 0).nonzero()[:, 0]
    _enough(len(dead), width, "that are always zero")
    return dead[:width]


def _rarest(seen: Seen, width: int) -> Tensor:
    """Those that the fewest images light."""
    _enough(len(seen.lit_I), width, "in all")
    return seen.lit_I.sort(stable=True).indices[:width]


BY_RULE: dict[str, Callable[[Seen, int], Tensor]] = {
    MOST_VARIABLE: _most_variable,
    DEAD_ONLY: _dead_only,
    RAREST: _rarest,
}


def chosen(run: Run, images: ImageSet) -> Tensor | None:
    """The inputs of a run's square part, (L,), ascending; None for the leading ones.

    Raises:
        UserError: the images have too few such inputs, or not those that are listed.
    """
    wanted = run.settings.get("inputs", LEADING)
    if wanted == LEADING:
        return None
    inputs_NI = pixels(images.train_images)
    if wanted in BY_RULE:
        return BY_RULE[wanted](seen(inputs_NI), run["width"]).sort().values
    listed = [int(number) for number in str(wanted).split(",")]
    if len(listed) != run["width"]:
        raise UserError(
            f"inputs lists {len(listed)} inputs for width {run['width']}: the square part has one for each unit. "
            "List as many as the width"
        )
    if max(listed) >= inputs_NI.shape[1]:
        raise UserError(
            f"inputs lists {max(listed)}, but {run['dataset']} has inputs 0 to {inputs_NI.shape[1] - 1} only"
        )
    return torch.tensor(listed)


def _enough(there: int, width: int, kind: str) -> None:
    if there < width:
        raise UserError(
            f"width {width} needs {width} guided inputs {kind}, and the training images have {there}: "
            "choose a smaller width, or other inputs"
        )
