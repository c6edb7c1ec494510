"""Exact entropy changes: sums of log singular values of what a layer does, dense or convolutional."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from entropy_guidance.changes.conv import convolution_matrix
from entropy_guidance.changes.dense import square_part
from entropy_guidance.changes.sizes import each_dimension, output_pixels
from entropy_guidance.changes.volume import log_volume, whole_precision


def exact_dense_entropy_change(weight: Tensor) -> Tensor:
    """Exact entropy change of x -> W x in nats: 1/2 log det(W W^T), for a tall W 1/2 log det(W^T W).

    Square W: H(W x) - H(x) for every input x that has a density. Wide W: H(W x) less the entropy of white Gaussian
    noise with as many numbers, for white Gaussian x of deviation 1; as a difference of output and input,
    H(W x) - H(x) = the value - (I - O)/2 log(2 pi e). For any other law of x the difference is another: no function of
    W alone gives it. Tall W: H(W x) is -inf, W maps into a subspace; the value is the change within it, for every x.

    Shape: (..., O, I) -> (...). A W of lower rank gives -inf, with gradient zero, or a very negative number. By the
    Gram matrix; by QR, at two to three times the cost, where the condition of W would cost the gradient its digits.

    Raises:
        ValueError: `weight` is not a floating-point tensor with at least two dimensions.

    >>> exact_dense_entropy_change(torch.tensor([[3.0, 4.0]])).exp()
    tensor(5.)
    """
    square_part(weight)  # the same demands
    return log_volume(weight)


def exact_conv_entropy_change(
    kernel: Tensor,
    image_size: Sequence[int],
    padding: Literal["circular", "valid"] = "circular",
    *,
    stride: int | Sequence[int] = 1,
    dilation: int | Sequence[int] = 1,
) -> Tensor:
    """Exact entropy change of a multi-channel convolution K on an image, in nats: 1/2 log det(K K^T).

    What it means is what `exact_dense_entropy_change` says of a dense layer with the weight matrix K: for a square K
    (O = I, stride 1 and circular padding) log|det K|, exact for every input with a density; for a wide one the entropy
    of the output above that of white noise, for white Gaussian input; for a tall one 1/2 log det(K^T K), the change
    within the subspace that K maps into. A transposed convolution is K^T, with the same value: give its kernel with
    O and I exchanged and, as the image, what it puts out.

    `circular` goes through the FFT, in as many dimensions as the image has: K is one O x I matrix per frequency;
    dilated by d, it has at f what it has at d f without; a stride s folds s frequencies of the input on one of the
    output, so that their matrices stand side by side, over sqrt(s). `valid` builds K itself: a reference for small 2-D
    images, (O l w) x (I l w) numbers, without stride and dilation. Half precision is computed in float32.

    Divided by the number of output pixels, the circular value is a sample mean of log singular values over frequencies,
    and hardly depends on the image once that is a few times larger than the filter.

    Shape: (..., O, I, p, q) -> (...), `valid` without leading dimensions. A K of lower rank gives -inf or a very
    negative number.

    Raises:
        ValueError: not a floating-point (O, I, p, q) kernel, unknown padding, a stride or dilation that is not positive
            or that stands with `valid`, an image smaller than the filter without its dilation, or one that is no
            multiple of the stride.
    """
    dimensions = len(image_size)
    wrong = kernel.ndim < dimensions + 2 or (padding == "valid" and kernel.ndim > 4)
    if wrong or not kernel.is_floating_point():
        raise ValueError(
            f"a kernel is a floating-point tensor of shape (O, I, {', '.join('pqrs'[:dimensions])}); "
            f"got {tuple(kernel.shape)}"
        )
    output_pixels(kernel.shape[-dimensions:], image_size, 1)
    strides = each_dimension(stride, dimensions, "stride")
    spread = each_dimension(dilation, dimensions, "dilation")
    kernel = whole_precision(kernel)
    if padding == "valid":
        if (dimensions, math.prod(strides + spread)) != (2, 1):
            raise ValueError(
                f"valid padding is known for 2-D images, stride 1 and dilation 1, not {stride}, {dilation}"
            )
        blocks = [[convolution_matrix(filter_, (image_size[0], image_size[1])) for filter_ in row] for row in kernel]
        return log_volume(torch.cat([torch.cat(row, dim=1) for row in blocks]))
    if padding != "circular":
        raise ValueError(f"unknown padding {padding!r}: choose circular or valid")
    if any(size % step for size, step in zip(image_size, strides, strict=True)):
        raise ValueError(f"an image of {tuple(image_size)} pixels is no multiple of the stride {strides}")
    if math.prod(kernel.shape[-dimensions:]) == math.prod(strides) == 1:  # the same matrix at every frequency
        return log_volume(kernel.flatten(-dimensions - 1)) * math.prod(image_size)
    return log_volume(_transfer(kernel, image_size, strides, spread)).sum(dim=-1)


def _transfer(kernel: Tensor, image_size: Sequence[int], strides: Sequence[int], spread: Sequence[int]) -> Tensor:
    """The matrices of a circular convolution, (..., frequencies of the output, O, I times the strides' product)."""
    dimensions = len(image_size)
    transfer = torch.fft.fftn(kernel, s=tuple(image_size), dim=tuple(range(-dimensions, 0)))
    for dim, (size, step, stride) in enumerate(zip(image_size, spread, strides, strict=True), -dimensions):
        if step > 1:
            transfer = transfer.index_select(dim, torch.arange(size, device=kernel.device) * step % size)
        # Frequencies a whole turn of the decimated grid apart fall on one another.
        transfer = transfer.unflatten(dim, (stride, size // stride)).movedim(dim - 1, -dimensions - 1)
        transfer = transfer.flatten(-dimensions - 2, -dimensions - 1) / stride**0.5
    matrices: Tensor = transfer.flatten(-dimensions).movedim(-1, -3)
    return matrices
