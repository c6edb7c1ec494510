"""Logarithms of determinants and of Gram determinants, in nats: what every entropy change here is made of."""

from contextlib import nullcontext

import torch
from torch import Tensor
from torch.amp.autocast_mode import is_autocast_available


def half_log_det_gram(matrix: Tensor) -> Tensor:
    """1/2 log det of the smaller Gram matrix, real or complex: the sum of log singular values. (..., r, c) -> (...)."""
    if matrix.shape[-2] == matrix.shape[-1]:  # the same number without squaring the condition
        return log_abs_det(matrix)
    whole, wide = whole_precision(matrix), matrix.shape[-2] <= matrix.shape[-1]
    device = matrix.device.type
    with torch.autocast(device, enabled=False) if is_autocast_available(device) else nullcontext():
        gram = whole @ whole.mH if wide else whole.mH @ whole
    return 0.5 * log_abs_det(gram)


def whole_precision(weight: Tensor) -> Tensor:
    """Half precision as float32, which determinants and Fourier transforms need; other numbers as they are."""
    return weight.float() if weight.dtype in (torch.float16, torch.bfloat16) else weight


def log_abs_det(matrix: Tensor) -> Tensor:
    """log|det| of square matrices, real or complex, (..., n, n) -> (...); at a singular one -inf with gradient zero."""
    own = whole_precision(matrix).clone()  # a node of its own, so that the hook sees this gradient alone
    log_abs: Tensor = torch.linalg.slogdet(own).logabsdet
    if own.requires_grad:
        singular = torch.isneginf(log_abs.detach())[..., None, None]

        def zero_where_singular(gradient: Tensor | None) -> Tensor | None:
            return None if gradient is None else gradient.masked_fill(singular, 0.0)

        # The inverse does not exist at a singular matrix; LU would answer NaN and poison every weight.
        own.register_hook(zero_where_singular)  # type: ignore[no-untyped-call]
    return log_abs
