"""How large a small CNN is; needs no torch."""

from itertools import pairwise

from replication.core.run import Run
from replication.core.training_size import TrainingSize
from replication.data.catalogue import Known
from replication.small_cnn.geometry import FILTER, feature_sides

CLASSES = 10


def size_of(run: Run, about: Known) -> TrainingSize:
    """Convolutions and a dense layer; of each block its input and the convolution's output are kept."""
    sides, width = feature_sides(about.side, run["blocks"], run["padding"]), run["width"]
    channels = [about.colours, *[width] * run["blocks"]]
    kernels = sum(FILTER**2 * inputs * outputs + outputs for inputs, outputs in pairwise(channels))
    dense = CLASSES * (width * sides[-1] ** 2 + 1)
    inputs = sum(count * side**2 for count, side in zip(channels, sides, strict=True))
    convolved = sum(width * side**2 for side in sides[:-1])
    return TrainingSize(kernels + dense, inputs + convolved)
