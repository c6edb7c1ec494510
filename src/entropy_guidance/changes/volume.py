"""The log-volume of a matrix, sum of the logs of its singular values: what every entropy change here is made of.

Of a square matrix it is log|det A|, of any other 1/2 log det of the smaller Gram matrix. Value and gradient come from
one factorisation.

Shapes: any leading dimensions, m rows, n columns; real or complex.
"""

from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.amp.autocast_mode import is_autocast_available
from torch.autograd import Function

# A batched LU on a CPU with several threads is wrong from 151 rows on (pytorch issue 142815): one by one from here on.
BATCHED_LU = 64
# From here on an inverse that knows which halves of the factors are zero takes two thirds of the time of lu_solve.
BLOCKED_INVERSE = 1024
GRAM_ERROR = 1e-3  # of the gradient, relative: where a Gram matrix may do worse, QR takes its place


def log_volume(matrix: Tensor) -> Tensor:
    """Sum of the logs of the singular values, (..., m, n) -> (...); -inf, with gradient zero, where one of them is 0.

    Half precision is computed in float32, in autocast too. May be differentiated any number of times.
    """
    whole = whole_precision(matrix)
    value, _ = _LogVolume.apply(whole, whole.requires_grad and torch.is_grad_enabled())  # type: ignore[no-untyped-call]
    result: Tensor = value
    return result


def whole_precision(weight: Tensor) -> Tensor:
    """Half precision and float8 as float32, which determinants and Fourier transforms need; other numbers as they are.

    A gradient that the narrow type cannot hold becomes the largest number that it can.
    """
    if weight.is_floating_point() and weight.itemsize < 4:
        whole: Tensor = _Widened.apply(weight)  # type: ignore[no-untyped-call]
        return whole
    return weight


class _LogVolume(Function):
    """(log-volume, its slope); the slope is the transposed pseudo-inverse P, empty where nobody asks for it.

    The slope of P in turn is Golub's and Pereyra's formula, in which P^H P is the inverse of the Gram matrix.
    """

    @staticmethod
    def forward(matrix: Tensor, with_slope: bool) -> tuple[Tensor, Tensor]:
        value, slope = _value_and_slope(matrix, with_slope)
        return value, slope

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, bool], output: tuple[Tensor, Tensor]) -> None:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(inputs[0], output[1])

    @staticmethod
    def backward(ctx: Any, of_value: Tensor | None, of_slope: Tensor | None) -> tuple[Tensor | None, None]:
        matrix, slope = ctx.saved_tensors
        parts = []
        if of_value is not None:
            parts.append(of_value[..., None, None] * slope)
        if of_slope is not None:
            if matrix.shape[-2] < matrix.shape[-1]:
                parts.append(_curvature(matrix.mH, slope.mH, of_slope.mH).mH)
            else:
                parts.append(_curvature(matrix, slope, of_slope))
        return (sum(parts[1:], parts[0]) if parts else None), None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int, None], matrix: Tensor, with_slope: bool) -> tuple[Any, Any]:  # noqa: ARG004
        stack = matrix.movedim(in_dims[0], 0)
        return _LogVolume.apply(stack, with_slope), (0, 0 if with_slope else None)  # type: ignore[no-untyped-call]


def _curvature(matrix: Tensor, slope: Tensor, gradient: Tensor) -> Tensor:
    """What a gradient with respect to P is with respect to the matrix, m >= n."""
    outside = gradient - slope @ (matrix.mH @ gradient)
    return outside @ (slope.mH @ slope) - slope @ gradient.mH @ slope


class _Widened(Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(narrow: Tensor) -> Tensor:
        return narrow.float()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:  # noqa: ARG004
        ctx.dtype = inputs[0].dtype

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        largest = torch.finfo(ctx.dtype).max
        return gradient.clamp(-largest, largest).to(ctx.dtype)


# `torch.library.custom_op` would wrap it so that its first call imports torch's compiler, which takes a second.
torch.library.define("entropy_guidance::log_volume", "(Tensor matrix, bool with_slope) -> (Tensor, Tensor)")


@torch.library.impl("entropy_guidance::log_volume", "CompositeExplicitAutograd")
def _compute(matrix: Tensor, with_slope: bool) -> tuple[Tensor, Tensor]:
    """An operator of its own, so that compilers leave alone what depends on numbers."""
    device = matrix.device.type
    with torch.autocast(device, enabled=False) if is_autocast_available(device) else nullcontext():
        rows, columns = matrix.shape[-2:]
        if rows == columns:
            value, slope = _of_square(matrix, with_slope)
        elif rows > columns:
            value, slope = _of_tall(matrix, with_slope)
        else:
            value, slope = _of_tall(matrix.mH, with_slope)
            slope = slope.mH if with_slope else slope
        if with_slope:
            slope = slope.resolve_conj().contiguous().masked_fill_(value.isneginf()[..., None, None], 0)
    return value, slope


@torch.library.register_fake("entropy_guidance::log_volume")  # type: ignore[untyped-decorator]
def _(matrix: Tensor, with_slope: bool) -> tuple[Tensor, Tensor]:
    value = matrix.new_empty(matrix.shape[:-2], dtype=matrix.dtype.to_real())
    return value, torch.empty_like(matrix, memory_format=torch.contiguous_format) if with_slope else matrix.new_empty(0)


_value_and_slope = torch.ops.entropy_guidance.log_volume.default


def _of_square(matrix: Tensor, with_slope: bool) -> tuple[Tensor, Tensor]:
    size = matrix.shape[-1]
    blocked = with_slope and matrix.ndim == 2 and size >= BLOCKED_INVERSE and matrix.device.type == "cpu"
    factors, pivots = _lu(matrix.mH)  # stored row by row, a matrix is its transpose stored column by column
    value = factors.diagonal(dim1=-2, dim2=-1).abs().log().sum(dim=-1)
    if not with_slope:
        return value, matrix.new_empty(0)
    if blocked:
        return value, _blocked_inverse(factors, pivots)
    eye = torch.eye(size, dtype=matrix.dtype, device=matrix.device).expand_as(matrix)
    return value, torch.linalg.lu_solve(factors, pivots, eye)


def _lu(matrix: Tensor) -> tuple[Tensor, Tensor]:
    if matrix.device.type == "cpu" and matrix.ndim > 2 and matrix.shape[-1] > BATCHED_LU and matrix.numel():
        pairs = [torch.linalg.lu_factor_ex(one)[:2] for one in matrix.flatten(0, -3)]
        factors, pivots = (torch.stack(part) for part in zip(*pairs, strict=True))
        return factors.reshape(matrix.shape), pivots.reshape(matrix.shape[:-1])
    factors, pivots, _ = torch.linalg.lu_factor_ex(matrix)
    return factors, pivots


def _blocked_inverse(factors: Tensor, pivots: Tensor) -> Tensor:
    """From an LU, (n, n). Where a diagonal number is 0 it holds what it will."""
    # As LAPACK's getri, which torch does not offer: U^-1, then X from X L = U^-1.
    result = factors.new_zeros(factors.shape)
    _invert_upper_(result, factors)
    _divide_by_lower_(result, factors)
    order = list(range(factors.shape[-1]))
    for row, pivot in enumerate(pivots.tolist()):
        order[row], order[pivot - 1] = order[pivot - 1], order[row]
    return result.index_select(1, torch.tensor(order).argsort())


def _invert_upper_(out: Tensor, factors: Tensor) -> None:
    """Into zeros, the inverse of the upper triangle of an LU, (n, n), by halves."""
    size = factors.shape[-1]
    if size <= BLOCKED_INVERSE // 8:
        eye = torch.eye(size, dtype=factors.dtype, device=factors.device)
        out.copy_(torch.linalg.solve_triangular(factors, eye, upper=True))
        return
    half = size // 2
    first, last = out[:half, :half], out[half:, half:]
    _invert_upper_(first, factors[:half, :half])
    _invert_upper_(last, factors[half:, half:])
    beside = factors.new_empty(half, size - half)
    _times_upper_(beside, factors[:half, half:], last)
    _upper_times_(out[:half, half:], first, beside.neg_())


def _times_upper_(out: Tensor, matrix: Tensor, upper: Tensor) -> None:
    """Product with an upper triangle, without the half that is zero."""
    size = upper.shape[-1]
    if size <= BLOCKED_INVERSE // 2:
        torch.mm(matrix, upper, out=out)
        return
    half = size // 2
    _times_upper_(out[:, :half], matrix[:, :half], upper[:half, :half])
    _times_upper_(out[:, half:], matrix[:, half:], upper[half:, half:])
    out[:, half:].addmm_(matrix[:, :half], upper[:half, half:])


def _upper_times_(out: Tensor, upper: Tensor, matrix: Tensor) -> None:
    """Product of an upper triangle, without the half that is zero."""
    size = upper.shape[-1]
    if size <= BLOCKED_INVERSE // 2:
        torch.mm(upper, matrix, out=out)
        return
    half = size // 2
    _upper_times_(out[:half], upper[:half, :half], matrix[:half])
    _upper_times_(out[half:], upper[half:, half:], matrix[half:])
    out[:half].addmm_(upper[:half, half:], matrix[half:])


def _divide_by_lower_(matrix: Tensor, factors: Tensor) -> None:
    """Times the inverse of the unit lower triangle of an LU, in place, by halves."""
    size = factors.shape[-1]
    if size <= BLOCKED_INVERSE // 8:
        # A small inverse and a product: solving for thousands of rows takes three times as long.
        eye = torch.eye(size, dtype=factors.dtype, device=factors.device)
        inverse = torch.linalg.solve_triangular(factors, eye, upper=False, unitriangular=True)
        matrix.copy_(matrix @ inverse)
        return
    half = size // 2
    _divide_by_lower_(matrix[:, half:], factors[half:, half:])
    matrix[:, :half].addmm_(matrix[:, half:], factors[half:, :half], alpha=-1)
    _divide_by_lower_(matrix[:, :half], factors[:half, :half])


def _of_tall(matrix: Tensor, with_slope: bool) -> tuple[Tensor, Tensor]:
    gram = matrix.mH @ matrix
    factor, failed = torch.linalg.cholesky_ex(gram)
    if _loses_the_gradient(gram, factor, failed):
        upper = torch.linalg.qr(matrix, mode="r").R
        value = upper.diagonal(dim1=-2, dim2=-1).abs().log().sum(dim=-1)
        if not with_slope:
            return value, matrix.new_empty(0)
        orthogonal = torch.linalg.solve_triangular(upper, matrix, upper=True, left=False)  # Q of matrix = QR
        return value, torch.linalg.solve_triangular(upper.mH, orthogonal, upper=False, left=False)
    value = factor.diagonal(dim1=-2, dim2=-1).real.log().sum(dim=-1)
    return value, matrix @ torch.cholesky_inverse(factor) if with_slope else matrix.new_empty(0)


def _loses_the_gradient(gram: Tensor, factor: Tensor, failed: Tensor) -> bool:
    """Whether the condition of a Gram matrix leaves too few digits: its largest and smallest eigenvalue by iteration.

    While a CUDA graph is recorded nobody can tell.
    """
    if gram.is_cuda and torch.cuda.is_current_stream_capturing():
        return False
    if failed.any():
        return True
    start = torch.arange(1, gram.shape[-1] + 1, device=gram.device).sin().to(gram.dtype)[:, None]
    large, small = start.expand(*gram.shape[:-1], 1), start.expand(*gram.shape[:-1], 1)
    for _ in range(3):
        large = gram @ (large / _norm(large))
        small = torch.cholesky_solve(small / _norm(small), factor)
    condition = _norm(large) * _norm(small)
    lost: Tensor = (condition * torch.finfo(gram.dtype).eps > GRAM_ERROR).any()
    return bool(lost)


def _norm(vector: Tensor) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(vector, dim=-2, keepdim=True)
    return norm
