import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from entropy_guidance import completed_dense_map, dense_entropy_change, exact_dense_entropy_change, square_part

sizes = st.integers(1, 12)


@settings(deadline=None, max_examples=60)
@given(outputs=sizes, inputs=sizes, stack=st.integers(1, 3), seed=st.integers(0, 2**31))
def test_equals_numpy_for_any_shape(outputs, inputs, stack, seed):
    weight = torch.randn(stack, outputs, inputs, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    k = min(outputs, inputs)
    expected = [np.linalg.slogdet(w[:k, :k])[1] for w in weight.numpy()]
    np.testing.assert_allclose(dense_entropy_change(weight), expected, rtol=1e-9, atol=1e-9)


@settings(deadline=None, max_examples=30)
@given(n=sizes, scale=st.floats(0.01, 100), seed=st.integers(0, 2**31))
def test_scaling_the_weights_adds_k_log_scale(n, scale, seed):
    weight = torch.randn(n, n + 2, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    shift = dense_entropy_change(scale * weight) - dense_entropy_change(weight)
    assert shift.item() == pytest.approx(n * math.log(scale), abs=1e-8)


def test_a_permutation_changes_nothing():
    weight = torch.eye(7)[torch.randperm(7, generator=torch.Generator().manual_seed(0))]
    assert dense_entropy_change(weight).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_beyond_the_range_of_a_determinant(dtype):
    weight = torch.diag(torch.full((400,), 0.1, dtype=dtype))
    assert dense_entropy_change(weight).item() == pytest.approx(400 * math.log(0.1), rel=1e-5)


def test_singular_is_minus_infinity_with_a_zero_gradient():
    weight = torch.zeros(2, 3, 3)
    weight[1] = torch.eye(3) * 2
    weight.requires_grad_()
    change = dense_entropy_change(weight)
    assert change[0] == -math.inf
    change.exp().sum().backward()
    assert torch.equal(weight.grad[0], torch.zeros(3, 3))
    torch.testing.assert_close(weight.grad[1], 8 * torch.eye(3) / 2)


def test_one_by_one():
    assert dense_entropy_change(torch.tensor([[-3.0]])).item() == pytest.approx(math.log(3))


def test_the_square_part_is_the_leading_block():
    weight = torch.arange(6.0).reshape(2, 3)
    assert square_part(weight).tolist() == [[0, 1], [3, 4]]
    assert square_part(weight.mT).tolist() == [[0, 3], [1, 4]]


def test_gradcheck():
    weight = torch.randn(2, 4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True)
    assert torch.autograd.gradcheck(dense_entropy_change, weight)


@pytest.mark.parametrize("function", [dense_entropy_change, exact_dense_entropy_change, completed_dense_map])
@pytest.mark.parametrize("weight", [torch.zeros(3), torch.tensor(1.0), torch.ones(2, 2, dtype=torch.int64)])
def test_anything_else_is_refused(function, weight):
    with pytest.raises(ValueError, match="floating-point tensor of shape"):
        function(weight)


@settings(deadline=None, max_examples=60)
@given(outputs=sizes, inputs=sizes, stack=st.integers(1, 3), seed=st.integers(0, 2**31))
def test_theorem_3(outputs, inputs, stack, seed):
    """The completed map is square, holds W, and has the determinant of W's square part."""
    weight = torch.randn(stack, outputs, inputs, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    completed = completed_dense_map(weight)
    k, n = min(outputs, inputs), max(outputs, inputs)
    for w, c in zip(weight.numpy(), completed.numpy(), strict=True):
        beside = np.block([[np.zeros((k, n - k))], [np.eye(n - k)]]) if outputs > inputs else np.zeros((outputs, 0))
        below = np.eye(n)[outputs:]
        np.testing.assert_array_equal(c, np.vstack([np.hstack([w, beside]), below]))
        assert np.linalg.slogdet(c)[1] == pytest.approx(np.linalg.slogdet(w[:k, :k])[1], abs=1e-8)


def test_the_formula_counts_the_inputs_that_the_completion_keeps():
    """log|det W_sq| = H(Wx) - H(x) + H(kept inputs | Wx), by the conditional covariance of a Gaussian x."""
    weight = torch.randn(3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(6))
    w = weight.numpy()
    kept = np.eye(2) - w[:, 3:].T @ np.linalg.solve(w @ w.T, w[:, 3:])
    own = stats.multivariate_normal(cov=w @ w.T).entropy() - stats.multivariate_normal(cov=np.eye(5)).entropy()
    conditional = stats.multivariate_normal(cov=kept).entropy()
    assert dense_entropy_change(weight).item() == pytest.approx(own + conditional)


@pytest.mark.parametrize("change", [dense_entropy_change, exact_dense_entropy_change])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_and_autocast_are_computed_in_float32(change, dtype):
    weight = torch.randn(4, 6, generator=torch.Generator().manual_seed(0)).to(dtype)
    expected = change(weight.float())
    torch.testing.assert_close(change(weight), expected)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(change(weight.float()), expected)
