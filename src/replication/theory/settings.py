"""How much the experiments on the theory draw (paper, section 3)."""

from typing import Annotated

from msgspec import Meta

from replication.core.schema import Several, Struct, Whole
from replication.core.settings import Parameters


class Theory(Struct, frozen=True, kw_only=True):
    """`scales.SCALE.theory`."""

    layers: Whole  # random layers of each class
    filters: Whole  # random filters for the comparison of corners
    samples: Annotated[int, Meta(ge=4)]  # points of one nearest-neighbour estimate: of the third one's distance
    repeats: Several  # estimates behind one mean and its error


def read(parameters: Parameters) -> Theory:
    """Read and check them.

    Raises:
        UserError: a parameter is unknown, missing, of another type or out of range.
    """
    return parameters.grid(Theory, "theory")
