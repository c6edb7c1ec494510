"""How large the small ResNet is; needs no torch."""

from replication.core.run import Run
from replication.core.training_size import TrainingSize
from replication.data.catalogue import Known

CLASSES = 10


def size_of(run: Run, about: Known) -> TrainingSize:
    """Of each convolution its output is kept, at whole, half and a quarter of the side. SGD without momentum."""
    width, pixels = run["width"], about.side**2
    kernels = 9 * width * (about.colours + 2 * width)  # the stem and the first block
    kernels += (9 * (2 + 4) + 2) * width**2  # the second, and its skip
    kernels += (9 * (8 + 16) + 8) * width**2  # the third
    norms = 2 * width * (1 + 2 + 3 * 2 + 3 * 4)
    dense = CLASSES * (4 * width + 1)
    outputs = width * pixels * (1 + 2) + 3 * 2 * width * pixels // 4 + 3 * 4 * width * pixels // 16
    return TrainingSize(kernels + norms + dense, outputs, moments=0)
