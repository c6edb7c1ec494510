"""What each form does in a step: to the loss, and to the last layer's weights between the gradient and the optimiser.

Everything comes from the library as its users have it; the trainer's loop is the same for all forms.
"""

from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn import functional as F

from entropy_guidance import EntropyGuidance
from entropy_guidance.bottleneck import bottleneck_loss
from entropy_guidance.outputs import ConfidencePenalty
from entropy_guidance.transfer_entropy import TransferEntropyFeedback, null_probability
from replication.core.run import Run
from replication.rivals.settings import FEEDBACKS
from replication.rivals.training.network import Network
from replication.small_cnn.geometry import anchor
from replication.small_cnn.training.train import FREQUENCIES
from replication.training.precision import full_products

SIGNIFICANT = 0.05

Loss = Callable[[Tensor, Tensor], Tensor]  # logits (B, K), labels (B,) -> ()


def loss_of(run: Run, network: Network) -> Loss:
    """What a run minimises."""
    form, lambda_ = run["form"], run["lambda"]
    if form == "penalty":
        return ConfidencePenalty(lambda_)
    if form == "smoothing":
        return lambda logits, labels: F.cross_entropy(logits, labels, label_smoothing=lambda_)
    if form == "bottleneck":
        assert network.bottleneck is not None
        bottleneck = network.bottleneck
        return lambda logits, labels: bottleneck_loss(logits, labels, bottleneck.kl, lambda_)
    penalty = _penalty_of(run, network)

    def guided(logits: Tensor, labels: Tensor) -> Tensor:
        with full_products():
            added = penalty()
        return F.cross_entropy(logits, labels) + added

    return guided


def _penalty_of(run: Run, network: Network) -> Callable[[], Tensor | float]:
    """On the first convolution, as in the small CNNs' family."""
    form, lambda_ = run["form"], run["lambda"]
    first = network.blocks[0].get_submodule("conv")
    weight = first.get_parameter("weight")
    if form == "decay":
        return lambda: lambda_ * weight.square().sum()
    if form == "reciprocal":
        own: dict[str, Any] = {"epsilon": run["epsilon"], "anchor": anchor(run), "floor": 0.0}
        return EntropyGuidance(network, {"blocks.0.conv": lambda_}, form="reciprocal", **own)
    if form == "exact":
        return EntropyGuidance(network, {"blocks.0.conv": lambda_}, form="exact", image_size=FREQUENCIES, floor=0.0)
    return lambda: 0.0


class WithoutAction:
    """Between gradient and optimiser nothing happens. Each `with` is an epoch, here and below."""

    lost = significant = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: Any) -> None:
        pass

    def __call__(self) -> None:
        pass


class Shrinking(WithoutAction):
    """The last layer's weights lose a fixed share of themselves in each step."""

    def __init__(self, weight: Tensor, share: float) -> None:
        """Args: share, of a step."""
        self.weight, self.share = weight, share

    def __enter__(self) -> Self:
        self.lost = 0.0
        return self

    @torch.no_grad()
    def __call__(self) -> None:
        self.weight.mul_(1 - self.share)
        self.lost += self.share


class Feedback:
    """The feedback of transfer entropy, and a record of what it does.

    Attributes:
        lost: of the epoch so far, the sum over its steps of the mean share of itself that a row of weights loses: the
            mean of V's diagonal.
        significant: of all pairs in all windows that do not overlap, the share with p < 0.05 in the chi-square test.
    """

    def __init__(self, run: Run, network: Network) -> None:
        _, _, kind = run["form"].partition("-")
        self.feedback = TransferEntropyFeedback(
            network.dense,
            "gradient" if kind == "gradient" else "weights",
            run["window"],
            placebo=kind if kind in ("permuted", "diagonal") else None,
            seed=run.seed("feedback"),
        )
        self.batches = run["window"] // run["batch_size"]

    def __enter__(self) -> Self:
        self.feedback.__enter__()
        self.steps = 0
        self.sum_of_shares = torch.zeros((), dtype=torch.float64)
        self.found: list[Tensor] = []
        return self

    def __exit__(self, *raised: Any) -> None:
        self.feedback.__exit__(*raised)

    def __call__(self) -> None:
        strength = self.feedback()
        self.steps += 1
        if strength is not None:
            self.sum_of_shares = self.sum_of_shares.to(strength.device) + strength.diagonal().mean().double()
        if self.steps % self.batches == 0:
            counter = self.feedback.counter
            probability = null_probability(counter.bits(), counter.images - 1)
            self.found.append((probability < SIGNIFICANT).double().mean())

    @property
    def lost(self) -> float:
        return self.sum_of_shares.item()  # read once an epoch: a GPU's step would have to be waited for

    @property
    def significant(self) -> float:
        return torch.stack(self.found).mean().item()


Action = WithoutAction | Feedback


def action_of(run: Run, network: Network, steps: int) -> Action:
    """What happens between gradient and optimiser. Args: steps, of an epoch."""
    if run["form"] in FEEDBACKS:
        return Feedback(run, network)
    if run["form"] == "shrink":
        return Shrinking(network.dense.weight, run["lambda"] / steps)
    return WithoutAction()
