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


def test_dilations_that_make_no_sense():
    for dilation, padding in ((0, "circular"), (2, "valid")):
        with pytest.raises(ValueError, match="dilation must be positive, and 1 with valid padding"):
            exact_conv_entropy_change(draw(2, 2, 3, 3), (8, 8), padding, dilation=dilation)


@pytest.mark.parametrize("padding", ["circular", "valid"])
@pytest.mark.parametrize("shape", [(2, 3, 3, 3), (2, 3, 1, 1)])
def test_exact_changes_in_half_precision_and_autocast(shape, padding):
    kernel = draw(*shape).bfloat16()
    expected = exact_conv_entropy_change(kernel.float(), (5, 5), padding)
    torch.testing.assert_close(exact_conv_entropy_change(kernel, (5, 5), padding), expected)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(exact_conv_entropy_change(kernel.float(), (5, 5), padding), expected)
