"""The update without a wrapper against torch's optimizer, and Keras's rule against its formula."""

import math

import pytest
import torch

from replication.training.fused_adam import FusedAdam, keras_step


def test_steps_are_those_of_torchs_adam_bit_for_bit():
    def parameters():
        generator = torch.Generator().manual_seed(3)
        made = [torch.randn(shape, generator=generator).requires_grad_() for shape in ((2, 5, 33), (2, 1, 5))]
        for parameter in made:
            parameter.grad = torch.zeros_like(parameter)
        return made

    ours, theirs = parameters(), parameters()
    adam = FusedAdam(ours, lr=0.02, eps=1e-7)
    reference = torch.optim.Adam(theirs, lr=0.02, eps=1e-7, fused=True)
    for step in range(5):
        for tensors in (ours, theirs):
            for k, parameter in enumerate(tensors):
                parameter.grad.copy_(parameter.detach() * (k - step) + 1)
        before = ours[0].detach().clone()
        adam.step()
        reference.step()
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True)) and not torch.equal(before, ours[0])
    for a, b in zip(ours, theirs, strict=True):
        state, expected = adam.state[a], reference.state[b]
        assert all(torch.equal(state[name], expected[name]) for name in ("exp_avg", "exp_avg_sq", "step"))
        assert state["step"] == 5


@pytest.mark.parametrize("ours", [False, True])
def test_kerass_rule_is_its_formula(ours):
    """Keras 3, optimizers/adam.py: alpha = lr sqrt(1 - beta2^t) / (1 - beta1^t); w -= alpha m / (sqrt(v) + epsilon)."""
    rate, beta1, beta2, epsilon = 0.01, 0.9, 0.999, 1e-2  # large enough to tell the rules apart
    weights = torch.linspace(-1, 1, 12, dtype=torch.float64).requires_grad_()
    weights.grad = torch.zeros_like(weights)
    optimizer = torch.optim.Adam([weights], lr=rate, betas=(beta1, beta2), eps=epsilon, fused=True)
    adam = FusedAdam([weights], lr=rate, eps=epsilon, keras=True)
    expected, mean, square = weights.detach().clone(), 0.0, 0.0
    torchs = weights.detach().clone().requires_grad_()
    reference = torch.optim.Adam([torchs], lr=rate, betas=(beta1, beta2), eps=epsilon)
    for step in range(1, 8):
        gradient = (expected * step).sin() * 0.1
        weights.grad.copy_(gradient)
        torchs.grad = gradient.clone()
        if ours:
            adam.step()
        else:
            keras_step(optimizer, optimizer.step, step)
        reference.step()
        mean = beta1 * mean + (1 - beta1) * gradient
        square = beta2 * square + (1 - beta2) * gradient.square()
        alpha = rate * math.sqrt(1 - beta2**step) / (1 - beta1**step)
        expected = expected - alpha * mean / (square.sqrt() + epsilon)
        torch.testing.assert_close(weights.detach(), expected, rtol=1e-12, atol=0)
    assert (weights - torchs).abs().max() > 1e-3  # torch's rule is another
    assert optimizer.param_groups[0]["eps"] == epsilon
