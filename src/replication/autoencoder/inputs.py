"""How a run says which inputs form the square part of its first layer. `training.guided_inputs` finds them."""

import re
from collections.abc import Sequence

from replication.core.schema import LARGEST, shown

LEADING = "leading"  # the paper's: of images, the first pixels
RULES = MOST_VARIABLE, DEAD_ONLY, RAREST = "most-variable", "dead-only", "rarest"  # by the training images


def canonical(inputs: str | Sequence[int]) -> str:
    """How a run says its inputs: the name of a rule, or the listed numbers in ascending order.

    Raises:
        ValueError: neither a rule nor different whole numbers.

    >>> canonical([7, 0, 300])
    '0,7,300'
    """
    if inputs == LEADING or (isinstance(inputs, str) and inputs in RULES):
        return str(inputs)
    if isinstance(inputs, str) and re.fullmatch(r"[0-9]{1,9}(,[0-9]{1,9})*", inputs):
        inputs = [int(number) for number in inputs.split(",")]
    listed = isinstance(inputs, Sequence) and not isinstance(inputs, str) and len(inputs) > 0
    if not listed or any(type(number) is not int or not 0 <= number < LARGEST for number in inputs):
        rules = ", ".join([LEADING, *RULES])
        raise ValueError(f"got {shown(inputs)}: choose one of {rules}, or list the numbers of inputs, from 0")
    if twice := sorted({number for number in inputs if list(inputs).count(number) > 1}):
        raise ValueError(f"input {twice[0]} is listed twice")
    return ",".join(str(number) for number in sorted(inputs))
