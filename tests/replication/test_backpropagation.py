"""The written-out gradient against autograd."""

import pytest
import torch

from replication.models.autoencoder import Autoencoders
from replication.training import backpropagation
from replication.training.backpropagation import Backpropagation, FusedAdam


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


def test_steps_are_those_of_torchs_adam_bit_for_bit():
    def parameters():
        generator = torch.Generator().manual_seed(3)
        made = [torch.randn(shape, generator=generator).requires_grad_() for shape in ((2, 5, 33), (2, 1, 5))]
        for parameter in made:
            parameter.grad = torch.zeros_like(parameter)
        return made, torch.optim.Adam(made, lr=0.02, eps=1e-7, fused=True)

    (ours, optimizer), (theirs, reference) = parameters(), parameters()
    adam = FusedAdam(optimizer)
    for step in range(5):
        for tensors in (ours, theirs):
            for k, parameter in enumerate(tensors):
                parameter.grad.copy_(parameter.detach() * (k - step) + 1)
        before = ours[0].detach().clone()
        adam.step()
        reference.step()
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True)) and not torch.equal(before, ours[0])
    for a, b in zip(ours, theirs, strict=True):
        state, expected = optimizer.state[a], reference.state[b]
        assert all(torch.equal(state[name], expected[name]) for name in ("exp_avg", "exp_avg_sq", "step"))
        assert state["step"] == 5
