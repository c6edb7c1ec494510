"""What each form does to the gradients of the guided filters, between the backward pass and the step of SGD.

A filter w stands before a batch norm, so the loss does not change with its length r = |w|, and its gradient g is
perpendicular to w. The penalty's gradient p has a part along w, f / r with f = <w, p>, and one across it.

- log: g + p, all of it.
- scale: g + (f / r^2) w. Each step of SGD makes w longer by the factor 1 - rate f / r^2 (f is negative) and turns it
  by less the longer it is.
- rate: the turning alone, at the length that w has. For each filter the length v is followed which the form scale would
  give it; a step of scale turns the filter by rate (r / v)^2 / (1 - rate f / v^2) times g, and so does one here.

In exact arithmetic scale and rate compute the same function after every step, but for the norm's own epsilon.

Shape legend: O filters of a layer, N weights of a filter.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from entropy_guidance import EntropyGuidance, selection
from replication.core.run import Run

FLOOR = 0.01  # log(|c11| + floor): what keeps a step at a small weight from being a leap
EXAMPLE = (1, 3, 32, 32)


def guided_layers(network: nn.Module, colours: int) -> list[str]:
    """The convolutions before a skip, as in Table 2."""
    return selection.by_role(network, "pre-skip", torch.empty(1, colours, *EXAMPLE[2:]))


class Unguided:
    """Leaves gradients as they are."""

    def __call__(self, rate: float) -> None:
        """Args: rate, of the step that follows."""


class Guided(Unguided):
    """Entropy guidance in the log form."""

    def __init__(self, network: nn.Module, layers: list[str], lambda_: float) -> None:
        self.weights = [network.get_submodule(name).get_parameter("weight") for name in layers]
        self.guidance = EntropyGuidance(network, dict.fromkeys(layers, lambda_), form="log", floor=FLOOR)

    def __call__(self, rate: float) -> None:  # noqa: ARG002
        for weight, penalty in zip(self.weights, self.penalty_gradients(), strict=True):
            _gradient(weight).add_(penalty)

    def penalty_gradients(self) -> tuple[Tensor, ...]:
        """The penalty's gradient of each guided weight."""
        return torch.autograd.grad(self.guidance(), self.weights)


class ScaleOnly(Guided):
    """Of the penalty's gradient the part along each filter."""

    @torch.no_grad()
    def __call__(self, rate: float) -> None:  # noqa: ARG002
        with torch.enable_grad():
            penalties = self.penalty_gradients()
        for weight, penalty in zip(self.weights, penalties, strict=True):
            w_ON, p_ON = weight.flatten(1), penalty.flatten(1)
            along_O1 = (w_ON * p_ON).sum(1, keepdim=True) / w_ON.square().sum(1, keepdim=True)
            _gradient(weight).add_((along_O1 * w_ON).view_as(weight))


class ShorterSteps(Unguided):
    """No penalty: each filter's gradient is scaled as the form scale's longer filters would scale it."""

    def __init__(self, network: nn.Module, layers: list[str], lambda_: float) -> None:
        self.weights = [network.get_submodule(name).get_parameter("weight") for name in layers]
        self.lambda_ = lambda_
        self.squares = [weight.detach().flatten(1).square().sum(1) for weight in self.weights]  # v^2, (O,)

    @torch.no_grad()
    def __call__(self, rate: float) -> None:
        for place, weight in enumerate(self.weights):
            gradient = _gradient(weight)
            w_ON, g_ON, v2_O = weight.flatten(1), gradient.flatten(1), self.squares[place]
            shorter_O = w_ON.square().sum(1) / v2_O  # (r / v)^2
            corners_OI = weight.flatten(2)[..., 0].abs() / shorter_O.sqrt()[:, None]  # as scale's filters have them
            force_O = self.lambda_ * (corners_OI / (corners_OI + FLOOR)).sum(1)  # -f
            growth_O = 1 + rate * force_O / v2_O
            # g of scale's filters is (r / v) g, and perpendicular to them
            self.squares[place] = v2_O * growth_O**2 + rate**2 * shorter_O * g_ON.square().sum(1)
            gradient.mul_((shorter_O / growth_O).view(-1, *[1] * (weight.ndim - 1)))


FORMS: Mapping[str, type[Guided] | type[ShorterSteps]] = {"log": Guided, "scale": ScaleOnly, "rate": ShorterSteps}


def action_of(run: Run, network: nn.Module, colours: int) -> Unguided:
    """What a run does between the backward pass and the step."""
    if run["form"] == "none":
        return Unguided()
    return FORMS[run["form"]](network, guided_layers(network, colours), run["lambda"])


def _gradient(weight: Tensor) -> Tensor:
    assert weight.grad is not None
    return weight.grad
