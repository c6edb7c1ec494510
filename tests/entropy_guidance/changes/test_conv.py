import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from entropy_guidance import conv_entropy_change, convolution_matrix, exact_conv_entropy_change


def draw(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


sizes = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(0, 3), st.integers(0, 3), st.integers(0, 2**31))


@settings(deadline=None, max_examples=40)
@given(sizes)
def test_the_matrix_is_the_convolution(size):
    p, q, more_rows, more_columns, seed = size
    image_size = (p + more_rows, q + more_columns)
    kernel, image = draw(p, q, seed=seed), draw(*image_size, seed=seed + 1)
    expected = torch.nn.functional.conv2d(image[None, None], kernel[None, None]).flatten()
    torch.testing.assert_close(convolution_matrix(kernel, image_size) @ image.flatten(), expected)


@settings(deadline=None, max_examples=40)
@given(sizes, st.tuples(st.integers(0, 1), st.integers(0, 1)))
def test_corollary_6_and_its_three_siblings(size, corner):
    """Each corner's completion has that corner's weight on its diagonal: nothing singles out c11."""
    p, q, more_rows, more_columns, seed = size
    image_size = (p + more_rows, q + more_columns)
    kernel = draw(p, q, seed=seed)
    anchor = (-1 if corner[0] else 0, -1 if corner[1] else 0)
    kernel[anchor] += kernel[anchor].sign() * kernel.abs().sum()  # outweighs its row: else LU may lose the determinant
    matrix = convolution_matrix(kernel, image_size, completed=True, corner=corner)
    expected = conv_entropy_change(kernel, image_size, anchor=anchor)
    assert np.linalg.slogdet(matrix.numpy())[1] == pytest.approx(expected.item(), abs=1e-8)


def test_the_completed_matrix_is_triangular_and_holds_the_convolution():
    kernel = draw(2, 3)
    matrix = convolution_matrix(kernel, (4, 5), completed=True)
    assert torch.equal(matrix, matrix.triu())
    rows = [r * 5 + c for r in range(3) for c in range(3)]
    assert torch.equal(matrix[rows], convolution_matrix(kernel, (4, 5)))
    others = sorted(set(range(20)) - set(rows))
    assert torch.equal(matrix[others], torch.eye(20, dtype=torch.float64)[others])


@pytest.mark.parametrize("anchor", ["corner", "center", (0, 2), (2, 1), (-1, -1)])
def test_per_filter_change(anchor):
    kernel = draw(4, 2, 3, 3).float()
    row, column = {"corner": (0, 0), "center": (1, 1)}.get(anchor, anchor)
    expected = np.log(np.abs(kernel.numpy()[:, :, row, column]))
    np.testing.assert_allclose(conv_entropy_change(kernel, anchor=anchor), expected, rtol=1e-6)
    np.testing.assert_allclose(conv_entropy_change(kernel, (8, 6), anchor=anchor), 24 * expected, rtol=1e-6)


def test_glorot_uniform_weights_have_the_known_mean_and_deviation():
    """For weights uniform on (-a, a): E log|c| = log a - 1, standard deviation 1."""
    bound = 0.05
    kernel = torch.empty(400, 400, 3, 3).uniform_(-bound, bound, generator=torch.Generator().manual_seed(0))
    change = conv_entropy_change(kernel)
    assert change.mean().item() == pytest.approx(math.log(bound) - 1, abs=0.01)
    assert change.std().item() == pytest.approx(1, abs=0.01)


def test_dilation_spreads_the_filter():
    kernel = draw(1, 1, 2, 2)
    spread = kernel.new_zeros(1, 1, 3, 3)
    spread[..., ::2, ::2] = kernel
    torch.testing.assert_close(conv_entropy_change(kernel, (5, 6), dilation=2), conv_entropy_change(spread, (5, 6)))


def test_a_zero_weight():
    kernel = torch.zeros(1, 1, 3, 3, requires_grad=True)
    change = conv_entropy_change(kernel)
    assert change.item() == -math.inf
    change.exp().sum().backward()
    assert torch.equal(kernel.grad, torch.zeros_like(kernel))


def test_gradcheck():
    kernel = draw(2, 2, 2, 2).requires_grad_()
    assert torch.autograd.gradcheck(conv_entropy_change, kernel)
    assert torch.autograd.gradcheck(lambda k: exact_conv_entropy_change(k, (3, 3)), kernel)
    assert torch.autograd.gradcheck(lambda k: exact_conv_entropy_change(k, (3, 3), "valid"), kernel)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: conv_entropy_change(torch.zeros(3)), "floating-point tensor"),
        (lambda: conv_entropy_change(torch.ones(1, 1, 3, 3, dtype=torch.int32)), "floating-point tensor"),
        (lambda: conv_entropy_change(torch.ones(1, 1, 3, 3), anchor=(3, 0)), "not a position in a 3 x 3 filter"),
        (lambda: conv_entropy_change(torch.ones(3, 3), anchor="middle"), "unknown anchor 'middle': choose corner"),
        (
            lambda: conv_entropy_change(torch.ones(3, 3), anchor=5),
            "anchor must be corner, center, or .row, column., got 5",
        ),
        (lambda: conv_entropy_change(torch.ones(3, 3), anchor=(True, False)), "anchor must be corner"),
        (lambda: conv_entropy_change(torch.ones(3, 3), anchor=(0, True)), "anchor must be corner"),
        (lambda: conv_entropy_change(torch.ones(3, 3), (8.5, 8)), "image_size must be"),
        (lambda: conv_entropy_change(torch.ones(3, 3), (8, 8), dilation=0), "dilation must be positive"),
        (lambda: convolution_matrix(torch.ones(3, 3), (4, 4), corner=(2, 0)), "unknown corner .2, 0."),
        (lambda: conv_entropy_change(torch.ones(1, 1, 3, 3), (2, 9)), "smaller than the filter"),
        (lambda: conv_entropy_change(torch.ones(1, 1, 3, 3), (9, 2)), "smaller than the filter"),
        (lambda: convolution_matrix(torch.ones(1, 3, 3), (4, 4)), "one filter"),
        (lambda: exact_conv_entropy_change(torch.ones(3, 3), (4, 4)), r"\(O, I, p, q\)"),
        (lambda: exact_conv_entropy_change(torch.ones(1, 1, 3, 3), (4, 4), "same"), "choose circular or valid"),
    ],
)
def test_refusals_say_why(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_dilation_of_numpy():
    assert conv_entropy_change(torch.ones(3, 3), (8, 8), dilation=np.int64(2)).item() == 0


def test_positions_in_a_filter_that_is_not_square():
    row = draw(2, 2, 1, 3)
    torch.testing.assert_close(conv_entropy_change(row, anchor="center"), row[..., 0, 1].abs().log())
    torch.testing.assert_close(conv_entropy_change(row, anchor=(0, 2)), row[..., 0, 2].abs().log())
    with pytest.raises(ValueError, match="not a position in a 3 x 1 filter"):
        conv_entropy_change(row.mT, anchor=(0, 2))


def test_dilation_spreads_a_larger_filter():
    kernel = draw(1, 1, 3, 2)
    spread = kernel.new_zeros(1, 1, 5, 4)
    spread[..., ::2, ::3] = kernel
    found = conv_entropy_change(kernel, (7, 9), dilation=(2, 3))
    torch.testing.assert_close(found, conv_entropy_change(spread, (7, 9)))
