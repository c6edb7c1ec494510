"""Entropy change of a dense layer.

Shapes: M models (any leading dimensions), O outputs, I inputs, k = min(O, I).
"""

import torch
from torch import Tensor


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
    square = square_part(weight).clone()  # a node of its own, so that the hook sees this gradient alone
    change: Tensor = torch.linalg.slogdet(square).logabsdet
    if square.requires_grad:
        singular = torch.isneginf(change.detach())[..., None, None]

        def zero_where_singular(gradient: Tensor | None) -> Tensor | None:
            return None if gradient is None else gradient.masked_fill(singular, 0.0)

        # W^-T does not exist at a singular matrix; LU would answer NaN and poison every weight.
        square.register_hook(zero_where_singular)  # type: ignore[no-untyped-call]
    return change


def exact_dense_entropy_change(weight: Tensor) -> Tensor:
    """Exact entropy change of x -> W x in nats: 1/2 log det(W W^T), for a tall W 1/2 log det(W^T W).

    For a wide or square W this is the change for white Gaussian input (for a square W: for every input that has a
    density). A tall W maps into a subspace, and the value is the change of entropy within it, for every such input.

    Shape: (..., O, I) -> (...). A W of lower rank gives -inf or a very negative number.

    Raises:
        ValueError: `weight` is not a floating-point tensor with at least two dimensions.

    >>> exact_dense_entropy_change(torch.tensor([[3.0, 4.0]])).exp()
    tensor(5.)
    """
    square_part(weight)  # the same demands
    return half_log_det_gram(weight)


def half_log_det_gram(matrix: Tensor) -> Tensor:
    """1/2 log det of the smaller Gram matrix, real or complex: the sum of log singular values. (..., r, c) -> (...)."""
    wide = matrix.shape[-2] <= matrix.shape[-1]
    gram = matrix @ matrix.mH if wide else matrix.mH @ matrix
    change: Tensor = torch.linalg.slogdet(gram).logabsdet
    return 0.5 * change
