"""Exact entropy changes: sums of log singular values of what a layer does, dense or convolutional."""

import math
from typing import Literal

import torch
from torch import Tensor

from entropy_guidance.changes.conv import convolution_matrix, output_pixels, pair
from entropy_guidance.changes.dense import square_part
from entropy_guidance.changes.volume import log_volume, whole_precision


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
    return log_volume(weight)


def exact_conv_entropy_change(
    kernel: Tensor,
    image_size: tuple[int, int],
    padding: Literal["circular", "valid"] = "circular",
    *,
    dilation: int | tuple[int, int] = 1,
) -> Tensor:
    """Exact entropy change of a multi-channel convolution K on an l x w image, in nats: 1/2 log det(K K^T).

    What it means is what `exact_dense_entropy_change` says of a dense layer with the weight matrix K: for a square K
    (O = I and circular padding) log|det K|, exact for every input with a density; for a wide one the entropy of the
    output above that of white noise, for white Gaussian input; for a tall one 1/2 log det(K^T K), the change within
    the subspace that K maps into.

    `circular` goes through the FFT: K is one O x I matrix per frequency; dilated by d, it has at f what it has
    at d f without. `valid` builds K itself: a reference for small images, (O l w) x (I l w) numbers, without dilation.
    Half precision is computed in float32.

    Divided by l w, the circular value is a sample mean of log singular values over frequencies, and hardly depends on
    the image once that is a few times larger than the filter.

    Shape: (..., O, I, p, q) -> (...), `valid` without leading dimensions. A K of lower rank gives -inf or a very
    negative number.

    Raises:
        ValueError: not a floating-point (O, I, p, q) kernel, unknown padding, a dilation that is not positive or that
            stands with `valid`, or an image smaller than the filter without its dilation.
    """
    if kernel.ndim < 4 or not kernel.is_floating_point() or (padding == "valid" and kernel.ndim > 4):
        raise ValueError(f"a kernel is a floating-point tensor of shape (O, I, p, q); got {tuple(kernel.shape)}")
    output_pixels(kernel, image_size, (1, 1))
    steps = pair(dilation)
    if min(steps) < 1 or (padding == "valid" and steps != (1, 1)):
        raise ValueError(f"dilation must be positive, and 1 with valid padding, got {dilation} with {padding}")
    kernel = whole_precision(kernel)
    if padding == "valid":
        blocks = [[convolution_matrix(kernel_2d, image_size) for kernel_2d in row] for row in kernel]
        return log_volume(torch.cat([torch.cat(row, dim=1) for row in blocks]))
    if padding != "circular":
        raise ValueError(f"unknown padding {padding!r}: choose circular or valid")
    if kernel.shape[-2:] == (1, 1):  # the same matrix at every frequency
        return log_volume(kernel[..., 0, 0]) * math.prod(image_size)
    transfer = torch.fft.fft2(kernel, s=image_size).movedim((-2, -1), (-4, -3))  # (..., l, w, O, I)
    change = log_volume(transfer)
    if steps != (1, 1):
        rows, columns = (
            torch.arange(n, device=kernel.device) * step % n for n, step in zip(image_size, steps, strict=True)
        )
        change = change[..., rows[:, None], columns]
    return change.sum(dim=(-2, -1))
