"""Guidance: a penalty on the entropy change of chosen layers, added to any loss (paper, sections 4 and 5.1).

Sign convention: a positive lambda preserves entropy (penalises its decrease), a negative one suppresses it.
"""

import math
import warnings
from collections.abc import Mapping
from numbers import Real
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from entropy_guidance.changes.conv import Anchor, checked_anchor, checked_image_size, conv_entropy_change
from entropy_guidance.changes.dense import dense_entropy_change
from entropy_guidance.changes.exact import exact_conv_entropy_change, exact_dense_entropy_change
from entropy_guidance.changes.volume import whole_precision
from entropy_guidance.penalties import FORMS, Form, penalty

FLAT = 16  # nats below log epsilon: there float32 does not tell the reciprocal from lambda / epsilon


class EntropyGuidance(nn.Module):
    """Penalty on the entropy change of named layers of a model (eqs. 41 to 47).

    >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 4))
    >>> guidance = EntropyGuidance(model, {"0": 1e-3, "3": 1e-4}, form="log")
    >>> loss = model(torch.ones(2, 3, 8, 8)).square().mean() + guidance()
    >>> loss.backward()

    What is penalised, summed over a layer:

    - `nn.Linear`: log|det W_sq|; with `form="exact"` 1/2 log det(W W^T).
    - `nn.Conv2d`: log|c11| of every 2-D filter, whatever stride, padding, dilation or groups; with `form="exact"`
      the layer's exact change per pixel, with circular padding (see `exact_conv_entropy_change`).

    The reciprocal of a whole linear layer is the constant lambda / epsilon to float32's precision, with a gradient that
    fades like |det W_sq| / epsilon^2, where |det W_sq| is far below epsilon, as it is in all but the smallest layers: a
    warning says so, and `log` is the form to take. `log` and `exact` are infinite where the change is -inf: at a weight
    that is exactly 0 (pruned, say) and at a singular matrix; a warning says so. A single
    weight's reciprocal is as steep as lambda / (|c11| + epsilon)^2: with plain SGD choose epsilon near the size of the
    weights (1e-2, say), or train with Adam. A negative lambda drives `log` towards its pole at det = 0.

    A weight that two of the layers share is penalised for each, and a frozen layer adds a constant: warnings say so.
    Half-precision weights are penalised in float32. A module that only the forward pass gives its weight (the older
    `weight_norm`, `prune`) is to be guided after it: `loss(model(x)) + guidance()`. Copy model and guidance together.
    Compile the model, not the guidance: `torch.compile` fails on the hook that guards a log-determinant's gradient.

    Args:
        model: any module; its layers are found by the names of `model.named_modules()` at every call, and have to fit
            their lambda and the form at every call.
        layers: name of a layer -> lambda, a number of either sign, or a tensor: (); for `reciprocal` and `log` (O,) or
            (O, I) for each filter of a convolution with O outputs and I inputs a group; (M,) for a linear layer whose
            weight is a stack of models (M, O, I).
        form: `reciprocal` (the paper's modified form), `log`, or `exact`; see `penalty`.
        epsilon: the constant in the reciprocal's denominator.
        anchor: the weight that stands for c11, see `conv_entropy_change`; other places than the corner are placebos.
        image_size: (l, w) in pixels; `exact` samples a convolution's spectrum at l x w frequencies. 8 x 8 to 16 x 16
            are enough for filters of 3 x 3; the cost grows with l w.

    The guided model is not registered as a submodule: parameters and state dict stay those of the model alone.

    Raises:
        ValueError: no layers, a name that the model does not have, a layer of an unsupported kind, an unknown form, an
            epsilon that is not positive or that float32 cannot hold, a lambda that is no finite real number or does not
            fit the layer, an anchor outside of a filter, a layer without weights yet; `exact` for a convolution without
            an image size or with a stride.
    """

    def __init__(
        self,
        model: nn.Module,
        layers: Mapping[str, float | Tensor],
        form: Form = "reciprocal",
        epsilon: float = 1e-7,
        *,
        anchor: Anchor = "corner",
        image_size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        if form not in FORMS:
            raise ValueError(f"unknown form {form!r}: choose one of {', '.join(FORMS)}")
        if not isinstance(layers, Mapping) or not layers:
            raise ValueError(f"layers must map at least one layer's name to its lambda, got {layers!r}")
        info = torch.finfo(torch.float32)
        self.epsilon = _real(epsilon)
        if not info.tiny <= self.epsilon <= info.max:
            raise ValueError(f"epsilon must be positive, and a number that float32 can hold; got {epsilon!r}")
        self.form: Form = form
        self.anchor = checked_anchor(anchor)
        self.image_size = None if image_size is None else checked_image_size(image_size)
        self.lambdas = {name: _checked_lambda(name, lambda_) for name, lambda_ in layers.items()}
        self._model = (model,)  # in a tuple, unlike as an attribute, it is not registered by nn.Module
        owners: dict[int, str] = {}  # of the weights
        for name in layers:
            weight = self._check(name)
            if (first := owners.setdefault(id(weight), name)) != name:
                warnings.warn(f"layers {first!r} and {name!r} share a weight: it is penalised for each", stacklevel=2)
            if isinstance(weight, nn.Parameter) and not weight.requires_grad:
                warnings.warn(f"layer {name!r} is frozen: its penalty is a constant", stacklevel=2)

    def terms(self) -> dict[str, Tensor]:
        """Penalty of each guided layer, a scalar each: the sum over its filters, or over a stack of models."""
        return {name: self._term(name) for name in self.lambdas}

    def forward(self) -> Tensor:
        """The sum of all terms: a scalar to add to a loss, on the device of the first layer."""
        terms = list(self.terms().values())
        return torch.stack([term.to(terms[0].device) for term in terms]).sum()

    def extra_repr(self) -> str:
        return f"layers={self.lambdas}, form={self.form!r}, epsilon={self.epsilon}, anchor={self.anchor!r}"

    def _term(self, name: str) -> Tensor:
        change = self._change(name, self._layer(name))
        return penalty(change, self._lambda(name, change), form=self.form, epsilon=self.epsilon).sum()

    def _layer(self, name: str) -> nn.Linear | nn.Conv2d:
        return _supported_layer(self._model[0], name)

    def _change(self, name: str, layer: nn.Linear | nn.Conv2d) -> Tensor:
        """(O, I) for a convolution, () for a linear layer or for an exact change, (M,) for a stack of models."""
        if is_lazy(layer.weight):
            raise ValueError(f"layer {name!r} has no weights yet: run the model once")
        try:
            if self.form == "exact":
                return self._exact_change(layer)
            weight = whole_precision(layer.weight)
            if isinstance(layer, nn.Linear):
                return dense_entropy_change(weight)
            return conv_entropy_change(weight, anchor=self.anchor)
        except ValueError as error:
            raise ValueError(f"layer {name!r}: {error}") from None

    def _exact_change(self, layer: nn.Linear | nn.Conv2d) -> Tensor:
        if isinstance(layer, nn.Linear):
            return exact_dense_entropy_change(layer.weight)
        if self.image_size is None:
            raise ValueError("the exact change of a convolution needs an image_size")
        if set(layer.stride) != {1}:
            raise ValueError(f"the exact change is not known for stride {tuple(layer.stride)}")
        groups = layer.weight.reshape(layer.groups, -1, *layer.weight.shape[1:])
        dilation = (layer.dilation[0], layer.dilation[1])
        change = exact_conv_entropy_change(groups, self.image_size, dilation=dilation)
        return change.sum() / math.prod(self.image_size)

    def _lambda(self, name: str, change: Tensor) -> float | Tensor:
        """As a change is to be multiplied with it: a tensor's dimensions belong to the first ones of the change."""
        lambda_ = self.lambdas[name]
        if not isinstance(lambda_, Tensor):
            return lambda_
        shape = tuple(change.shape)
        fitting = sorted({(), shape[:1], shape})
        if tuple(lambda_.shape) not in fitting:
            weight = self._layer(name).weight
            raise ValueError(
                f"layer {name!r} with a weight of shape {tuple(weight.shape)}: its lambda must be a number or a "
                f"tensor of shape {' or '.join(map(str, fitting))}, got shape {tuple(lambda_.shape)}"
            )
        return lambda_.to(change).reshape(lambda_.shape + (1,) * (change.ndim - lambda_.ndim))

    def _check(self, name: str) -> Tensor:
        """Everything that can be wrong with one layer's guidance is said before training. Returns its weight."""
        layer = self._layer(name)
        with torch.no_grad():
            change = self._change(name, layer)
        weighed = torch.as_tensor(self._lambda(name, change), device=change.device) != 0
        if not change.is_meta:
            if self.form != "reciprocal":
                self._warn_of_infinity(name, change[weighed.expand_as(change)])
            elif isinstance(layer, nn.Linear):
                self._warn_of_a_constant(name, change.max().item())
        return layer.weight

    def _warn_of_a_constant(self, name: str, change: float) -> None:
        log_epsilon = math.log(self.epsilon)
        if change < log_epsilon - FLAT:
            warnings.warn(
                f"layer {name!r}: log|det W_sq| = {change:.0f}, log epsilon = {log_epsilon:.0f}: its penalty is the "
                "constant lambda / epsilon, and its gradient fades like |det W_sq| / epsilon^2; form='log' keeps one",
                stacklevel=4,
            )

    def _warn_of_infinity(self, name: str, change: Tensor) -> None:
        if infinite := int(change.isneginf().sum()):
            warnings.warn(
                f"layer {name!r}: {infinite} of {change.numel()} entropy changes are -inf (a weight of exactly 0, or a "
                "singular matrix): the penalty is infinite, without a gradient for them; form='reciprocal' is finite",
                stacklevel=4,
            )


def _checked_lambda(name: str, lambda_: Any) -> float | Tensor:
    """A finite number, or a tensor of them; anything else raises ValueError."""
    if isinstance(lambda_, Tensor):
        if not lambda_.is_complex() and (lambda_.is_meta or lambda_.isfinite().all()):
            return lambda_
    elif math.isfinite(number := _real(lambda_)):
        return number
    raise ValueError(f"layer {name!r}: its lambda must be a finite number or a tensor of them, got {lambda_!r}")


def _real(value: Any) -> float:
    """A number of Python or numpy; NaN for anything else, and for what is too large for a float."""
    try:
        return float(value) if isinstance(value, Real) else math.nan
    except OverflowError:
        return math.nan


def _supported_layer(model: nn.Module, name: str) -> nn.Linear | nn.Conv2d:
    try:
        layer = model.get_submodule(name)
    except AttributeError:
        layer = None
    if isinstance(layer, nn.Linear | nn.Conv2d):
        return layer
    modules = dict(model.named_modules())
    problem = "no such layer" if layer is None else f"{type(layer).__name__} is not supported"
    supported = [key for key, module in modules.items() if isinstance(module, nn.Linear | nn.Conv2d)]
    raise ValueError(f"{name!r}: {problem}. Layers that can be guided: {', '.join(supported) or 'none'}")
