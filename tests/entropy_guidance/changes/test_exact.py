import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from entropy_guidance import dense_entropy_change, exact_conv_entropy_change, exact_dense_entropy_change
from entropy_guidance.changes.volume import log_volume

sizes = st.integers(1, 12)


def draw(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_a_singular_layer_leaves_the_other_gradients_alone():
    weight = torch.ones(2, 2, requires_grad=True)
    (exact_dense_entropy_change(weight) + 3 * weight.sum()).backward()
    assert weight.grad.tolist() == [[3, 3], [3, 3]]


@settings(deadline=None, max_examples=40)
@given(outputs=sizes, inputs=sizes, seed=st.integers(0, 2**31))
def test_the_exact_change_is_the_sum_of_log_singular_values(outputs, inputs, seed):
    weight = torch.randn(outputs, inputs, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    expected = np.log(np.linalg.svd(weight.numpy(), compute_uv=False)).sum()
    assert exact_dense_entropy_change(weight).item() == pytest.approx(expected, abs=1e-6)
    if outputs == inputs:
        assert exact_dense_entropy_change(weight).item() == pytest.approx(dense_entropy_change(weight).item(), abs=1e-6)


def test_the_exact_change_is_that_of_a_gaussian():
    """From scipy's entropies, for a wide W: the whole difference, and above white noise of as many dimensions."""
    weight = torch.randn(3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    output = stats.multivariate_normal(cov=(weight @ weight.mT).numpy()).entropy()
    white = [stats.multivariate_normal(cov=np.eye(size)).entropy() for size in (3, 5)]
    exact = exact_dense_entropy_change(weight).item()
    assert exact == pytest.approx(output - white[0])
    assert exact - math.log(2 * math.pi * math.e) == pytest.approx(output - white[1])


def test_the_exact_change_of_an_ill_conditioned_square():
    """Hilbert's matrix, condition 2e13, against its closed-form inverse determinant, a whole number."""
    weight = torch.tensor([[1 / (row + column + 1) for column in range(10)] for row in range(10)], dtype=torch.float64)
    inverse_determinant = math.prod((2 * k + 1) * math.comb(2 * k, k) ** 2 for k in range(10))
    assert exact_dense_entropy_change(weight).item() == pytest.approx(-math.log(inverse_determinant), abs=1e-3)


def circular_matrix(kernel, image_size):
    """The circular convolution as a dense matrix, pixel by pixel, in plain loops."""
    outputs, inputs, p, q = kernel.shape
    length, width = image_size
    matrix = np.zeros((outputs, length, width, inputs, length, width))
    for o, i, r, c, a, b in itertools.product(*map(range, (outputs, inputs, length, width, p, q))):
        matrix[o, r, c, i, (r + a) % length, (c + b) % width] += kernel[o, i, a, b].item()
    return matrix.reshape(outputs * length * width, -1)


@pytest.mark.parametrize("channels", [(1, 1), (2, 2), (2, 3), (3, 2)])
@pytest.mark.parametrize("image_size", [(3, 3), (4, 3)])
def test_exact_circular_equals_the_dense_matrix(channels, image_size):
    kernel = draw(*channels, 3, 2)
    singular_values = np.linalg.svd(circular_matrix(kernel, image_size), compute_uv=False)
    assert exact_conv_entropy_change(kernel, image_size).item() == pytest.approx(np.log(singular_values).sum())


@pytest.mark.parametrize("channels", [(1, 1), (2, 2), (1, 3)])
def test_exact_valid_equals_the_singular_values_of_the_layer(channels):
    kernel = draw(*channels, 2, 2)
    basis = torch.eye(channels[1] * 16, dtype=torch.float64).reshape(-1, channels[1], 4, 4)
    layer = torch.nn.functional.conv2d(basis, kernel).flatten(1).T  # columns: images of the basis
    expected = np.log(np.linalg.svd(layer.numpy(), compute_uv=False)).sum()
    assert exact_conv_entropy_change(kernel, (4, 4), "valid").item() == pytest.approx(expected)


def test_one_by_one_kernels_are_dense_layers_per_pixel():
    kernel = draw(3, 3, 1, 1)
    expected = 20 * torch.linalg.slogdet(kernel[:, :, 0, 0]).logabsdet
    assert exact_conv_entropy_change(kernel, (4, 5)).item() == pytest.approx(expected.item())


def test_a_filter_of_one_pixel_is_a_matrix():
    kernel = draw(3, 5, 1, 1)
    transfer = torch.fft.fft2(kernel, s=(4, 6)).movedim((-2, -1), (0, 1))
    expected = log_volume(transfer).sum()
    assert exact_conv_entropy_change(kernel, (4, 6)).item() == pytest.approx(expected.item(), rel=1e-12)


@pytest.mark.parametrize("dilation", [(1, 1), (2, 1), (2, 3), (4, 4), (8, 5)])
def test_a_dilated_circular_convolution_by_its_matrix(dilation):
    """Also where dilation and image share a factor, and where the spread filter meets itself on the way round."""
    kernel, size = draw(2, 3, 3, 3), (8, 9)

    def layer(flat):
        image = flat.reshape(1, 3, *size)
        taps = [
            torch.einsum("oi,bilw->bolw", kernel[..., a, b], image.roll((-a * dilation[0], -b * dilation[1]), (2, 3)))
            for a, b in itertools.product(range(3), range(3))
        ]
        return sum(taps).flatten()

    matrix = torch.func.jacrev(layer)(torch.zeros(3 * 8 * 9, dtype=torch.float64))
    assert exact_conv_entropy_change(kernel, size, dilation=dilation).item() == pytest.approx(log_volume(matrix).item())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dilation": 0}, "dilation must be positive, got 0"),
        ({"stride": 0}, "stride must be positive"),
        ({"stride": 3}, "an image of .8, 8. pixels is no multiple of the stride .3, 3."),
        ({"dilation": 2, "padding": "valid"}, "valid padding is known for 2-D images, stride 1 and dilation 1"),
        ({"stride": 2, "padding": "valid"}, "valid padding is known for 2-D images, stride 1 and dilation 1"),
        ({"stride": (1, 2, 2)}, "stride .1, 2, 2. has 3 dimensions, the filter has 2"),
    ],
)
def test_steps_that_make_no_sense(options, message):
    with pytest.raises(ValueError, match=message):
        exact_conv_entropy_change(draw(2, 2, 3, 3), (8, 8), **options)


def linear_map(layer, inputs):
    """The matrix of a linear function of a tensor of this shape."""
    basis = torch.eye(math.prod(inputs), dtype=torch.float64).reshape(-1, *inputs)
    return torch.stack([layer(each[None]).flatten() for each in basis], dim=1)


@pytest.mark.parametrize(
    ("size", "filter_", "stride", "dilation"),
    [
        ((6,), (3,), (2,), (1,)),
        ((6, 4), (3, 2), (2, 1), (1, 1)),
        ((6, 6), (3, 3), (3, 2), (1, 1)),
        ((8, 4), (3, 2), (2, 2), (3, 1)),
        ((4, 2, 4), (3, 1, 2), (2, 1, 2), (1, 1, 1)),
        ((4, 4, 3), (2, 2, 2), (1, 1, 1), (1, 1, 2)),
    ],
)
@pytest.mark.parametrize("channels", [(2, 3), (3, 2), (5, 2)])
def test_strides_and_dimensions_by_the_matrix_of_the_layer(channels, size, filter_, stride, dilation):
    """A convolution of a whole turn of padding, taken from torch, cut to one period: a circular one."""
    kernel = draw(*channels, *filter_)
    function = getattr(torch.nn.functional, f"conv{len(size)}d")

    def circular(x):
        ahead = [d * (extent - 1) for extent, d in zip(filter_, dilation, strict=True)]
        for dim, more in enumerate(ahead, 2):
            turns = -(-more // x.shape[dim]) + 1
            x = torch.cat([x] * turns, dim=dim).narrow(dim, 0, x.shape[dim] + more)
        return function(x, kernel, stride=stride, dilation=dilation)

    matrix = linear_map(circular, (channels[1], *size))
    expected = np.log(np.linalg.svd(matrix.numpy(), compute_uv=False)).sum()
    found = exact_conv_entropy_change(kernel, size, stride=stride, dilation=dilation)
    assert found.item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("noise", [1e-2, 1e-3, 1e-4])
@pytest.mark.parametrize("shape", [(64, 256), (256, 64)])
def test_the_gradient_of_nearly_equal_rows(noise, shape):
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(64, 256, dtype=torch.float64, generator=generator)
    weight[1] = weight[0] + noise * torch.randn(256, dtype=torch.float64, generator=generator)
    weight = weight.reshape(shape) if shape == (64, 256) else weight.mT
    own = weight.float().requires_grad_()
    exact_dense_entropy_change(own).backward()
    expected = torch.linalg.pinv(weight).mT
    assert ((own.grad - expected).norm() / expected.norm()).item() < 5e-3


def test_the_gradient_of_a_whole_layer_is_its_pseudo_inverse():
    weight = torch.randn(300, 700, generator=torch.Generator().manual_seed(0), requires_grad=True)
    exact_dense_entropy_change(weight).backward()
    torch.testing.assert_close(weight.grad, torch.linalg.pinv(weight.detach()).mT, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("padding", ["circular", "valid"])
@pytest.mark.parametrize("shape", [(2, 3, 3, 3), (2, 3, 1, 1)])
def test_exact_changes_in_half_precision_and_autocast(shape, padding):
    kernel = draw(*shape).bfloat16()
    expected = exact_conv_entropy_change(kernel.float(), (5, 5), padding)
    torch.testing.assert_close(exact_conv_entropy_change(kernel, (5, 5), padding), expected)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(exact_conv_entropy_change(kernel.float(), (5, 5), padding), expected)
