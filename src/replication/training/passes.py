"""Forward and backward passes of a network through torch.compile, with the numbers of those without but for rounding.

Only a GPU is to gain by it, and none has tried: on a CPU a step of VGG16 took half as long again.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

BACKEND = "inductor"


def compiled(model: nn.Module) -> Callable[[Tensor], Tensor]:
    """The same network, whose parameters it shares. The first batch of each kind takes a minute or two."""
    from torch._inductor import config

    config.fallback_random = True  # dropout draws what it draws without the compiler
    made: Callable[[Tensor], Tensor] = torch.compile(model, backend=BACKEND)
    return made
