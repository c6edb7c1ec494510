"""Which entropy change of an autoencoder's encoder a form penalises. G models, I inputs, L latent width."""

from typing import Literal

from torch import Tensor

from entropy_guidance import Form, dense_entropy_change, exact_dense_entropy_change

Penalised = Form | Literal["scale"]
SCALE: Literal["scale"] = "scale"  # a control, and no form of the method


def penalised_change(form: Penalised, weights_GLI: Tensor) -> Tensor:
    """The entropy change that a form penalises, (G,), in nats."""
    if form == SCALE:
        return scale_change(weights_GLI)
    return exact_dense_entropy_change(weights_GLI) if form == "exact" else dense_entropy_change(weights_GLI)


def scale_change(weights_GLI: Tensor) -> Tensor:
    """The exact entropy change of weights with the same norm and equal singular values, (G,), in nats.

    A penalty on it can make weights larger, and nothing else (hypothesis H4-scale).
    """
    values = min(weights_GLI.shape[-2:])
    return values * (weights_GLI.flatten(1).norm(dim=1) / values**0.5).log()
