"""Adam on a CPU without torch's optimizer, which collects and checks anew before each step, and imports a compiler.

The one takes about as long as the update itself, a tenth of a small model's step; the other seconds in each process.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

BETA1, BETA2 = 0.9, 0.999


def keras_epsilon(epsilon: float, beta2: float, step: float) -> float:
    """The epsilon with which torch's rule does at a step, counted from 1, what Keras's does with `epsilon` throughout.

    Both divide the mean gradient by the root of the mean square plus epsilon. torch corrects the mean square's bias,
    a factor of 1 - beta2^step, before epsilon is added, and Keras after it: in the first step it is 32 times as large.
    """
    return epsilon / math.sqrt(1 - beta2**step)


class FusedAdam:
    """What `torch.optim.Adam(parameters, lr=lr, eps=eps, fused=True)` does, bit for bit, at less cost.

    Parameters and gradients have to stay where they are from the first step on.

    Args:
        keras: add epsilon where Keras's Adam does (`keras_epsilon`).

    Attributes:
        state: of each parameter from the first step on, named as torch names it; all share one count of steps. What
            was put there before that step is gone on from.
    """

    def __init__(self, parameters: Sequence[Tensor], *, lr: float, eps: float, keras: bool = False) -> None:
        self.parameters = parameters
        self.lr, self.eps, self.keras = lr, eps, keras
        self.state: dict[Tensor, dict[str, Tensor]] = {}
        self.update: Callable[[], None] | None = None

    def step(self) -> None:
        """Change the parameters by their gradients."""
        if self.update is None:
            self.update = self._collect()
        self.update()

    def _collect(self) -> Callable[[], None]:
        states = [self.state.setdefault(parameter, _initial(parameter)) for parameter in self.parameters]
        count = states[0]["step"]
        for state in states:
            state["step"] = count
        parameters = [parameter.detach() for parameter in self.parameters]
        gradients: list[Any] = [parameter.grad for parameter in self.parameters]
        means, squares, counts = ([state[name] for state in states] for name in ("exp_avg", "exp_avg_sq", "step"))

        def update() -> None:
            count.add_(1)
            torch._fused_adam_(
                parameters,
                gradients,
                means,
                squares,
                [],
                counts,
                lr=self.lr,
                beta1=BETA1,
                beta2=BETA2,
                weight_decay=0.0,
                eps=keras_epsilon(self.eps, BETA2, count.item()) if self.keras else self.eps,
                amsgrad=False,
                maximize=False,
            )

        return update


def _initial(parameter: Tensor) -> dict[str, Tensor]:
    means = {name: torch.zeros_like(parameter, requires_grad=False) for name in ("exp_avg", "exp_avg_sq")}
    return {"step": torch.zeros(())} | means


def keras_step(optimizer: torch.optim.Adam, step: Callable[[], object], number: int) -> None:
    """A step of torch's Adam by Keras's rule: `step` is made with the epsilon that does so.

    Args:
        number: of the step, from 1. The optimiser's own count is on a GPU, and to read it is to wait for the GPU.
    """
    [group] = optimizer.param_groups
    epsilon = group["eps"]
    group["eps"] = keras_epsilon(epsilon, group["betas"][1], number)
    try:
        step()
    finally:
        group["eps"] = epsilon
