"""Guidance: a penalty on the entropy change of chosen layers, added to any loss (paper, sections 4 and 5.1).

Sign convention: a positive lambda preserves entropy (penalises its decrease), a negative one suppresses it.
"""

import math
from collections.abc import Mapping
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from entropy_guidance.dense import dense_entropy_change

Form = Literal["reciprocal", "log"]
FORMS: tuple[Form, ...] = get_args(Form)


def penalty(
    change: Tensor, lambda_: Tensor | float, *, form: Form = "reciprocal", epsilon: Tensor | float = 1e-7
) -> Tensor:
    """Guidance penalty of an entropy change, elementwise.

    - `log` (eqs. 43, 45): -lambda * change. Unbounded below.
    - `reciprocal` (eqs. 46, 47): lambda / (exp(change) + epsilon), where exp(change) is |det W_sq|.
      Bounded by lambda / epsilon.

    The reciprocal is evaluated as (lambda / epsilon) * sigmoid(log epsilon - change), so that neither
    value nor gradient overflows, underflows early or becomes NaN, whatever the determinant's magnitude.

    Shape: `change` in nats, `lambda_` and `epsilon` broadcast against each other.

    Raises:
        ValueError: unknown form, or epsilon not positive.
    """
    if form == "log":
        return -lambda_ * change
    if form != "reciprocal":
        raise ValueError(f"unknown form {form!r}: choose one of {', '.join(FORMS)}")
    if isinstance(epsilon, Tensor):
        log_epsilon: Tensor | float = epsilon.log()
    elif epsilon > 0:
        log_epsilon = math.log(epsilon)
    else:
        raise ValueError(f"epsilon must be positive, got {epsilon}")
    # exp(logsigmoid(x)), not sigmoid(x): autograd forms sigmoid's slope as s * (1 - s), which is rounded to
    # zero from x = 17 on in float32, where lambda / epsilon still makes it count.
    return (lambda_ / epsilon) * F.logsigmoid(log_epsilon - change).exp()


class EntropyGuidance(nn.Module):
    """Penalty on the entropy change of named layers of a model.

    >>> model = nn.Sequential(nn.Linear(8, 4), nn.Sigmoid(), nn.Linear(4, 8))
    >>> guidance = EntropyGuidance(model, {"0": 1e-3}, form="log")
    >>> loss = F.mse_loss(model(torch.ones(2, 8)), torch.ones(2, 8)) + guidance()
    >>> loss.backward()

    Args:
        model: any module; its layers are looked up once, by the names of `model.named_modules()`.
        layers: name of an `nn.Linear` -> lambda, a number of either sign. A layer whose weight is a stack of
            models (M, O, I) may have a tensor (M,) with one lambda per model.
        form: `reciprocal` (the paper's modified form) or `log`; see `penalty`.
        epsilon: the constant in the reciprocal's denominator.

    The guided model is not registered as a submodule: parameters and state dict stay those of the model alone.

    Raises:
        ValueError: a name that the model does not have, a layer of an unsupported kind, an unknown form, an
            epsilon that is not positive, or a lambda whose shape does not fit the layer.
    """

    def __init__(
        self,
        model: nn.Module,
        layers: Mapping[str, float | Tensor],
        form: Form = "reciprocal",
        epsilon: float = 1e-7,
    ) -> None:
        super().__init__()
        if form not in FORMS:
            raise ValueError(f"unknown form {form!r}: choose one of {', '.join(FORMS)}")
        if not epsilon > 0:
            raise ValueError(f"epsilon must be positive, got {epsilon}")
        self.form: Form = form
        self.epsilon = epsilon
        self.lambdas = dict(layers)
        # A dict of modules, unlike an attribute that is one, is not registered by nn.Module.
        self._layers = {name: _supported_layer(model, name) for name in layers}
        for name, lambda_ in self.lambdas.items():
            stack = tuple(self._layers[name].weight.shape[:-2])
            if isinstance(lambda_, Tensor) and tuple(lambda_.shape) not in ((), stack):
                raise ValueError(
                    f"layer {name!r} holds weights of shape {tuple(self._layers[name].weight.shape)}: its lambda "
                    f"must be a number or a tensor of shape {stack}, got shape {tuple(lambda_.shape)}"
                )

    def terms(self) -> dict[str, Tensor]:
        """Penalty of each guided layer, a scalar each (summed over a stack of models)."""
        return {
            name: penalty(
                dense_entropy_change(layer.weight),
                lambda_.to(layer.weight) if isinstance(lambda_ := self.lambdas[name], Tensor) else lambda_,
                form=self.form,
                epsilon=self.epsilon,
            ).sum()
            for name, layer in self._layers.items()
        }

    def forward(self) -> Tensor:
        """The sum of all terms: a scalar to add to a loss."""
        terms = list(self.terms().values())
        return torch.stack(terms).sum() if terms else torch.zeros(())

    def extra_repr(self) -> str:
        return f"layers={self.lambdas}, form={self.form!r}, epsilon={self.epsilon}"


def _supported_layer(model: nn.Module, name: str) -> nn.Linear:
    modules = dict(model.named_modules())
    supported = [key for key, module in modules.items() if isinstance(module, nn.Linear)]
    layer = modules.get(name)
    if isinstance(layer, nn.Linear):
        return layer
    problem = "no such layer" if layer is None else f"{type(layer).__name__} is not supported"
    raise ValueError(f"{name!r}: {problem}. Layers that can be guided: {', '.join(supported) or 'none'}")
