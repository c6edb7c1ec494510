"""How large a U-Net is; needs no torch."""

from itertools import pairwise

from replication.core.run import Run
from replication.core.training_size import TrainingSize
from replication.data.catalogue import Known


def size_of(run: Run, about: Known) -> TrainingSize | None:
    """Of each 3 x 3 convolution its output is kept, and what is joined. None of a network of a package's."""
    if run["network"] != "unet":
        return None
    *encoder, bottleneck = map(int, run["widths"].split("-"))
    down = [(about.colours, encoder[0]), *pairwise([*encoder, bottleneck])]
    up = [(below, width) for width, below in pairwise([*encoder, bottleneck])]
    parameters = sum(_block(inputs, width) for inputs, width in down)
    parameters += sum(4 * below * width + width + _block(2 * width, width) for below, width in up)
    parameters += encoder[0] + 1
    pixels = [about.side**2 // 4**level for level in range(len(encoder) + 1)]
    activations = sum(2 * width * count for width, count in zip([*encoder, bottleneck], pixels, strict=True))
    activations += sum((2 + 2) * width * count for width, count in zip(encoder, pixels, strict=False))
    return TrainingSize(parameters, activations)


def _block(inputs: int, width: int) -> int:
    """Parameters of two 3 x 3 convolutions."""
    return 9 * width * (inputs + width) + 2 * width
