"""A variational information bottleneck: a layer that adds noise, and pays for what passes it.

A row x becomes z ~ N(mu(x), diag s(x)^2); the prior of z is N(0, I). KL terms are in nats. With the loss
cross-entropy + beta KL, the layer bounds what z knows: I(Z;X) <= mean KL, and I(Z;Y) >= H(Y) - cross-entropy. The
first is a bound, no measurement: it can lie far above log n, the most that n images can tell.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from entropy_guidance.checks import checked_labels, checked_number

SHIFT = 5.0  # of rho in s = softplus(rho - SHIFT): training starts with little noise


def kl_to_prior(mean: Tensor, deviation: Tensor) -> Tensor:
    """KL(N(mean, diag deviation^2) || N(0, I)) of each row, in nats; inf at a deviation of 0. Shape: (..., d) -> (...).

    Raises:
        ValueError: a deviation is negative.
    """
    if not deviation.is_meta and (deviation < 0).any():
        raise ValueError("a standard deviation is negative")
    return 0.5 * (mean.square() + deviation.square() - 1).sum(-1) - deviation.log().sum(-1)


class VariationalBottleneck(nn.Module):
    """Features (..., d) -> a sample z (..., width) of N(mu, s^2), with s = softplus(rho - 5), while training.

    In evaluation z is the mean mu. A layer in training mode draws anew at each call: `outputs.mean_prediction` of
    several calls is the prediction over samples.

    >>> layer = VariationalBottleneck(20, 8)
    >>> logits = nn.Linear(8, 10)(layer(torch.zeros(4, 20)))
    >>> loss = bottleneck_loss(logits, torch.arange(4), layer.kl, beta=1e-3)

    Args:
        features, width: sizes of the input and of z.
        noise: without it z is mu in training too, and the layer a plain linear one: the control.

    Attributes:
        kl: (...), nats a row, of the last call; inf without noise.

    Raises:
        ValueError: at a call, features of another size.
    """

    def __init__(self, features: int, width: int, *, noise: bool = True) -> None:
        super().__init__()
        self.mean = nn.Linear(features, width)
        self.rho = nn.Linear(features, width) if noise else None
        self.kl = torch.zeros(())

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] != self.mean.in_features:
            raise ValueError(f"the bottleneck takes {self.mean.in_features} features, got shape {tuple(x.shape)}")
        mean: Tensor = self.mean(x)
        if self.rho is None:
            self.kl = torch.full_like(mean[..., 0], torch.inf)
            return mean
        deviation = F.softplus(self.rho(x) - SHIFT)
        self.kl = kl_to_prior(mean, deviation)
        return mean + deviation * torch.randn_like(mean) if self.training else mean

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles hold the last KL without its graph, which neither can hold."""
        return self.__dict__ | {"kl": self.kl.detach()}


def bottleneck_loss(logits: Tensor, labels: Tensor, kl: Tensor, beta: float) -> Tensor:
    """Cross-entropy + beta mean KL, in nats; beta 0 gives the cross-entropy, bit for bit.

    The larger beta is, the less passes. Some texts put their beta on the other term: the inverse of this one.
    Shape: logits (B, K), labels (B,), kl (B,) -> ().

    Raises:
        ValueError: beta is no finite number of at least 0; labels outside of 0 ... K - 1; sizes that differ.
    """
    beta = checked_number("beta", beta, least=0)
    if logits.ndim != 2 or tuple(kl.shape) != tuple(logits.shape[:1]):
        raise ValueError(f"logits must be (B, K) and kl (B,), got {tuple(logits.shape)} and {tuple(kl.shape)}")
    loss = F.cross_entropy(logits, checked_labels(labels, *logits.shape))
    return loss + beta * kl.mean() if beta else loss
