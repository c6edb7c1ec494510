"""Entropy change of a dense layer by the paper's formula, and the square matrices that it comes from.

Shapes: M models (any leading dimensions), O outputs, I inputs, k = min(O, I). Of half-precision weights the changes are
computed and returned in float32, in autocast too.
"""

import torch
from torch import Tensor

from entropy_guidance.changes.volume import log_volume


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
    return log_volume(square_part(weight))
