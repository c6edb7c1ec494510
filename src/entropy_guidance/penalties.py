"""Penalties on an entropy change: what guidance adds to a loss (paper, eqs. 43 to 47).

Sign convention: a positive lambda preserves entropy (penalises its decrease), a negative one suppresses it.
"""

import math
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

Form = Literal["reciprocal", "log", "exact"]
FORMS: tuple[Form, ...] = get_args(Form)


def penalty(
    change: Tensor,
    lambda_: Tensor | float,
    *,
    form: Form = "reciprocal",
    epsilon: Tensor | float = 1e-7,
    floor: float = 0.0,
) -> Tensor:
    """Guidance penalty of an entropy change, elementwise.

    - `log` (eqs. 43, 45): -lambda * change. Unbounded below. With a floor, -lambda * log(exp(change) + floor): of a
      weight c its slope is at most lambda / floor, where that of lambda log|c| is lambda / |c|.
    - `reciprocal` (eqs. 46, 47): lambda / (exp(change) + epsilon), where exp(change) is |det W_sq|.
      Bounded by lambda / epsilon.
    - `exact`: -lambda * change as well; the name says that the change is to be a layer's exact one.

    The reciprocal is evaluated as (lambda / epsilon) * sigmoid(log epsilon - change), so that neither
    value nor gradient overflows, underflows early or becomes NaN, whatever the determinant's magnitude.

    Shape: `change` in nats, `lambda_` and `epsilon` broadcast against each other.

    Raises:
        ValueError: unknown form, or epsilon not positive (of a tensor that is not checked).
    """
    if form in ("log", "exact"):
        if floor and form == "log":
            change = torch.logaddexp(change, change.new_tensor(math.log(floor)))
        if not isinstance(lambda_, Tensor):
            return -lambda_ * change if lambda_ else torch.zeros_like(change)
        return torch.where(lambda_ == 0, 0.0, -lambda_ * change)  # no penalty, though the change be -inf
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
