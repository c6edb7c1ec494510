"""Checks of what a user hands in: each raises ValueError with what was found. Tensors without values (meta) pass."""

import math
from numbers import Real
from typing import Any

from torch import Tensor


def checked_number(name: str, value: Any, *, least: float = -math.inf, above: float = -math.inf) -> float:
    """A finite real number of Python or numpy, at least `least` and more than `above`."""
    number = float(value) if isinstance(value, Real) else math.nan
    if not (math.isfinite(number) and number >= least and number > above):
        limits = [f"of at least {least:g}" * (least > -math.inf), f"above {above:g}" * (above > -math.inf)]
        raise ValueError(" ".join([f"{name} must be a finite number", *filter(None, limits)]) + f", got {value!r}")
    return number


def checked_finite(name: str, values: Tensor) -> Tensor:
    """Floating-point values without NaN and infinities."""
    if not values.is_floating_point():
        raise ValueError(f"{name} must be floating-point numbers, got {values.dtype}")
    if not values.is_meta and not values.isfinite().all():
        raise ValueError(f"{name} must be finite: {int((~values.isfinite()).sum())} of {values.numel()} are not")
    return values


def checked_labels(labels: Tensor, rows: int, classes: int) -> Tensor:
    """(B,) integers in 0 ... K - 1, as int64."""
    if labels.is_floating_point() or labels.is_complex() or tuple(labels.shape) != (rows,) or not rows:
        raise ValueError(
            f"labels must be integers, one a row, and at least one: got {labels.dtype} of shape {tuple(labels.shape)} "
            f"for {rows} rows"
        )
    labels = labels.long()
    if not labels.is_meta and not ((labels >= 0) & (labels < classes)).all():
        low, high = int(labels.min()), int(labels.max())
        raise ValueError(f"labels must lie in 0 to {classes - 1}, for {classes} classes; found {low} to {high}")
    return labels
