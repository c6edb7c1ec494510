"""The update without a wrapper against torch's optimizer."""

import torch

from replication.training.fused_adam import FusedAdam


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
