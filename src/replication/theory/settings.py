"""How much the experiments on the theory draw (paper, section 3)."""

from replication.core.schema import Struct, Whole
from replication.core.settings import Parameters


class Theory(Struct, frozen=True, kw_only=True):
    """`scales.SCALE.theory`."""

    layers: Whole  # random layers of each class
    filters: Whole  # random filters for the comparison of corners
    samples: Whole  # points of one nearest-neighbour estimate
    repeats: Whole  # estimates behind one mean


def read(parameters: Parameters) -> Theory:
    """Read and check them.

    Raises:
        UserError: a parameter is unknown, missing, of another type or out of range.
    """
    return parameters.grid(Theory, "theory")
