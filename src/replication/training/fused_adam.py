"""The steps of a fused torch.optim.Adam on a CPU without its wrapper, which collects and checks anew before each.

That takes about as long as the update itself, a tenth of a small model's step.
"""

import math
from collections.abc import Callable

import torch


def keras_epsilon(epsilon: float, beta2: float, step: float) -> float:
    """The epsilon with which torch's rule does at a step, counted from 1, what Keras's does with `epsilon` throughout.

    Both divide the mean gradient by the root of the mean square plus epsilon. torch corrects the mean square's bias,
    a factor of 1 - beta2^step, before epsilon is added, and Keras after it: in the first step it is 32 times as large.
    """
    return epsilon / math.sqrt(1 - beta2**step)


class FusedAdam:
    """What `optimizer.step()` does, at less cost.

    Parameters and gradients have to stay where they are; the parameters share one count of steps from the first on.

    Args:
        keras: add epsilon where Keras's Adam does (`keras_epsilon`).
    """

    def __init__(self, optimizer: torch.optim.Adam, *, keras: bool = False) -> None:
        self.optimizer = optimizer
        self.keras = keras
        self.update: Callable[[], None] | None = None

    def step(self) -> None:
        """What `optimizer.step()` does."""
        if self.keras:
            state = self.optimizer.state.get(self.optimizer.param_groups[0]["params"][0])
            keras_step(self.optimizer, self._step, int(state["step"]) + 1 if state else 1)
        else:
            self._step()

    def _step(self) -> None:
        if not self.optimizer.state:
            self.optimizer.step()  # makes it
            return
        if self.update is None:
            self.update = self._collect()
        self.update()

    def _collect(self) -> Callable[[], None]:
        [group] = self.optimizer.param_groups
        states = [self.optimizer.state[parameter] for parameter in group["params"]]
        count = states[0]["step"]
        for state in states:
            state["step"] = count
        parameters = [parameter.detach() for parameter in group["params"]]
        gradients = [parameter.grad for parameter in group["params"]]
        means, squares, counts = ([state[name] for state in states] for name in ("exp_avg", "exp_avg_sq", "step"))
        beta1, beta2 = group["betas"]
        settings = {name: group[name] for name in ("lr", "weight_decay", "amsgrad", "maximize")}

        def update() -> None:
            count.add_(1)
            changing = {"eps": group["eps"], **settings}
            torch._fused_adam_(parameters, gradients, means, squares, [], counts, beta1=beta1, beta2=beta2, **changing)

        return update


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
