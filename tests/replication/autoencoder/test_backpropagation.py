"""The written-out gradient against autograd."""

import math

import pytest
import torch

from entropy_guidance import dense_entropy_change, exact_dense_entropy_change, penalty
from replication.autoencoder.training import backpropagation
from replication.autoencoder.training.backpropagation import Backpropagation, add_penalty_gradient, reciprocal_slope
from replication.autoencoder.training.model import Autoencoders


@pytest.fixture(params=["sigmoid", "linear"])
def case(request):
    models = Autoencoders.initial(12, 5, [1, 2, 3], torch.float64)
    models = Autoencoders(*(t + 0.1 * torch.arange(t.numel()).view_as(t).sin() for t in models.tensors()))
    for tensor in models.tensors():
        tensor.requires_grad_()
    images = torch.randint(0, 256, (40, 12), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return models, images, request.param


def mse(models, images, activation):
    x = images.double() / 255
    return (models.reconstruct(x[None], activation) - x).square().mean(dim=(1, 2))


def test_gradients_equal_autograd(case):
    models, images, activation = case
    written = Backpropagation(models, 16, activation)
    batches = torch.arange(40).split(16)  # the last one is smaller than the buffers
    for m in (2, 0):
        for batch in batches:
            value = written.gradients(m, images, batch)
            expected = mse(models, images[batch], activation)[m]
            assert value.item() == pytest.approx(expected.item(), rel=1e-12)
            for parameter, gradient in zip(
                models.tensors(), torch.autograd.grad(expected, models.tensors()), strict=True
            ):
                torch.testing.assert_close(parameter.grad[m], gradient[m], rtol=1e-10, atol=1e-14)


def test_other_models_are_left_alone(case):
    models, images, activation = case
    written = Backpropagation(models, 16, activation)
    written.gradients(1, images, torch.arange(16))
    assert all((t.grad[[0, 2]] == 0).all() and (t.grad[1] != 0).any() for t in models.tensors())


def test_mse_in_chunks(case, monkeypatch):
    models, images, activation = case
    monkeypatch.setattr(backpropagation, "ROWS", 7)
    written = Backpropagation(models, 3, activation)
    assert [written.mse(m, images) for m in range(3)] == pytest.approx(
        mse(models, images, activation).tolist(), rel=1e-12
    )


@pytest.mark.parametrize("change", [-1e4, -120.0, -16.2, -16.1, -3.0, 0.0, 60.0, 1e4])
def test_the_slope_of_the_reciprocal_is_autograds(change):
    c = torch.tensor(change, dtype=torch.float64, requires_grad=True)
    penalty(c, 0.3, form="reciprocal", epsilon=1e-7).backward()
    assert reciprocal_slope(change, 0.3, 1e-7) == pytest.approx(c.grad.item(), rel=1e-9, abs=1e-300)
    assert reciprocal_slope(-math.inf, 0.3, 1e-7) == 0


@pytest.mark.parametrize("shape", [(3, 7), (7, 3), (4, 4)])
@pytest.mark.parametrize(("form", "epsilon"), [("reciprocal", 1e-7), ("reciprocal", 0.5), ("log", 0.0)])
def test_the_gradient_of_the_penalty_is_autograds(shape, form, epsilon):
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    before = torch.full(shape, 0.25, dtype=torch.float64)
    gradient = before.clone()
    add_penalty_gradient(gradient, weight, form, 0.3, epsilon)
    penalty(dense_entropy_change(weight.requires_grad_()), 0.3, form=form, epsilon=epsilon).backward()
    assert torch.allclose(gradient, before + weight.grad, rtol=1e-12)


def test_the_gradient_of_the_exact_penalty_is_autograds():
    weight = torch.randn(5, 9, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    before = torch.full((5, 9), 0.25, dtype=torch.float64)
    gradient = before.clone()
    add_penalty_gradient(gradient, weight, "exact", 0.3, 0.0)
    (-0.3 * exact_dense_entropy_change(weight.requires_grad_())).backward()
    assert torch.allclose(gradient, before + weight.grad, rtol=1e-12)
    add_penalty_gradient(gradient, torch.zeros(5, 9, dtype=torch.float64), "exact", 0.3, 0.0)
    assert torch.allclose(gradient, before + weight.grad, rtol=1e-12)


def test_no_slope_and_a_singular_matrix_add_no_gradient(monkeypatch):
    gradient = torch.ones(2, 3)
    add_penalty_gradient(gradient, torch.tensor([[1.0, 2.0, 0.0], [2.0, 4.0, 0.0]]), "log", 1.0, 0.0)
    assert torch.equal(gradient, torch.ones(2, 3))
    monkeypatch.setattr(torch.linalg, "lu_solve", None)  # not called
    add_penalty_gradient(gradient, torch.eye(2, 3), "reciprocal", 1e-50, 1.0)
    assert torch.equal(gradient, torch.ones(2, 3))
