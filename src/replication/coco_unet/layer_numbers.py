"""The numbers by which the paper names layers of its U-Net (section 5.5), counted as Keras counts, from the input as 0.

That is convolution 1, dropout 2, convolution 3, pooling 4, and so on: 3, 7, 11, 15 are the second convolutions of the
encoder levels, 19 the bottleneck's, 24, 29, 34, 39 the decoder's. Names are those of the modules of `UNet`.
"""

import re
from collections.abc import Sequence

SKIP_FEEDING = "skip-feeding"  # a placement without numbers
NUMBERS = re.compile("(0|[1-9][0-9]{0,8})(-[1-9][0-9]{0,8})*")


def keras_layers(levels: int) -> list[str]:
    """Names of the layers in the order in which Keras counts them: number k of the paper is item k, 0 is the input.

    What is no module here has a name in brackets.

    Args:
        levels: of the encoder.
    """
    names = ["(input)"]
    for level in range(levels):
        names += [f"encoder.{level}.{part}" for part in ("conv1", "dropout", "conv2")] + ["pool"]
    names += [f"bottleneck.{part}" for part in ("conv1", "dropout", "conv2")]
    for level in range(levels):
        names += [f"up.{level}", "(concatenation)"]
        names += [f"decoder.{level}.{part}" for part in ("conv1", "dropout", "conv2")]
    return [*names, "output"]


def layers_by_number(levels: int, numbers: Sequence[int]) -> list[str]:
    """Names of the convolutions that the paper's layer numbers mean.

    A dropout has no weights to guide: its number means the convolution whose output it passes on. That reads the
    paper's placement [2] as the first convolution, and [2, 3] as both of the first level (assumption unet-layer-2).

    Raises:
        ValueError: a number that is no layer's, or that of a layer without a convolution.
    """
    names = keras_layers(levels)
    found = []
    for number in numbers:
        name = names[number] if 0 <= number < len(names) else f"nothing: the last is {len(names) - 1}"
        if name.endswith(".dropout"):
            name = name.removesuffix("dropout") + "conv1"
        if not name.endswith((".conv1", ".conv2")) and name != "output":
            raise ValueError(f"layer number {number} is no convolution but {name}")
        found.append(name)
    return list(dict.fromkeys(found))


def numbers_of(placement: str) -> list[int]:
    """The numbers that a placement such as `3-7-11-15` lists.

    Raises:
        ValueError: it is no list of numbers, or not as it is written in a run's description: each once, in order.
    """
    if not NUMBERS.fullmatch(placement):
        raise ValueError("neither skip-feeding nor numbers of layers such as 3-7-11-15")
    numbers = [int(part) for part in placement.split("-")]
    if numbers != sorted(set(numbers)):
        raise ValueError("list each layer once, in ascending order")
    return numbers
