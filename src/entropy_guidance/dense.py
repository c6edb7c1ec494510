"""Entropy change of a dense layer.

Shapes: M models (any leading dimensions), O outputs, I inputs, k = min(O, I). Of half-precision weights the changes are
computed and returned in float32, in autocast too.
"""

from contextlib import nullcontext

import torch
from torch import Tensor
from torch.amp.autocast_mode import is_autocast_available


def square_part(weight: Tensor) -> Tensor:
    """Return the leading k x k block of a weight matrix, k = min(O, I) (paper, Theorem 3).

    Shape: (..., O, I) -> (..., k, k), a view.

    Raises:
        ValueError: `weight` is not a floating-point tensor with at least two dimensions.
    """
    if weight.ndim < 2 or not weight.is_floating_point():
        raise ValueError(
            "a dense weight is a floating-point tensor of shape (..., out, in); "
            f"got shape {tuple(weight.shape)} and dtype {weight.dtype}"
        )
    k = min(weight.shape[-2:])
    return weight[..., :k, :k]


def completed_dense_map(weight: Tensor) -> Tensor:
    """The square matrix with which Theorem 3 stands in for W (Example 4), det = det W_sq.

    Wide W: rows of the identity below it. Its output is (W x, the last I - O inputs). Tall W: columns of the
    identity beside it. Its input is (x, O - I more numbers), which the layer does not have.

    Shape: (..., O, I) -> (..., n, n), n = max(O, I).

    Raises:
        ValueError: `weight` is not a floating-point tensor with at least two dimensions.

    >>> completed_dense_map(torch.tensor([[2.0, 3.0]]))
    tensor([[2., 3.],
            [0., 1.]])
    """
    square_part(weight)  # the same demands
    *stack, outputs, inputs = weight.shape
    completed = torch.eye(max(outputs, inputs)).to(weight).repeat(*stack, 1, 1)
    completed[..., :outputs, :inputs] = weight
    return completed


def dense_entropy_change(weight: Tensor) -> Tensor:
    """Entropy change of x -> W x by the paper's formula: log|det W_sq|, in nats (Theorem 3).

    W_sq is the leading square block of W. The value is exact for a square W; for any other shape it
    describes the paper's identity-completed map, not the layer itself.

    Shape: (..., O, I) -> (...). A singular square part gives -inf.

    Computed as a log-determinant (slogdet): a determinant itself leaves the range of float32 at
    about 100 units. The gradient at an exactly singular W_sq, where none exists, is zero.

    Raises:
        ValueError: `weight` is not a floating-point tensor with at least two dimensions.

    >>> dense_entropy_change(torch.diag(torch.tensor([2.0, 3.0]))).exp()
    tensor(6.)
    """
    return log_abs_det(square_part(weight))


def exact_dense_entropy_change(weight: Tensor) -> Tensor:
    """Exact entropy change of x -> W x in nats: 1/2 log det(W W^T), for a tall W 1/2 log det(W^T W).

    Square W: H(W x) - H(x) for every input x that has a density. Wide W: H(W x) less the entropy of white Gaussian
    noise with as many numbers, for white Gaussian x of deviation 1; as a difference of output and input,
    H(W x) - H(x) = the value - (I - O)/2 log(2 pi e). For any other law of x the difference is another: no function of
    W alone gives it. Tall W: H(W x) is -inf, W maps into a subspace; the value is the change within it, for every x.

    Shape: (..., O, I) -> (...). A W of lower rank gives -inf, with gradient zero, or a very negative number. Unless W
    is square its condition number is squared: in float32 value and gradient are good up to about 1e3.

    Raises:
        ValueError: `weight` is not a floating-point tensor with at least two dimensions.

    >>> exact_dense_entropy_change(torch.tensor([[3.0, 4.0]])).exp()
    tensor(5.)
    """
    square_part(weight)  # the same demands
    return half_log_det_gram(weight)


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
