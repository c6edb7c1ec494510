import warnings

import pytest
import torch
from torch import nn

from entropy_guidance import EntropyGuidance


def problems(findings):
    return [(finding.layer, finding.problem) for finding in findings]


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))


def test_nothing_to_find():
    guidance = EntropyGuidance(network(), {"0": 1.0, "3": 1.0})
    assert guidance.check() == [] == guidance.check(torch.randn(2, 3, 8, 8))


def test_a_check_says_what_construction_would_and_neither_raises_nor_warns():
    net = network()
    log = EntropyGuidance(net, {"0": 1.0, "3": torch.tensor(1.0)}, floor=0)
    reciprocal = EntropyGuidance(net, {"3": 1.0}, form="reciprocal")
    net[3].weight.requires_grad_(False)
    net[3].weight.zero_()
    net[0].weight.data[0, 0, 0, 0] = 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert problems(log.check()) == [("0", "infinite"), ("3", "frozen"), ("3", "infinite")]
        assert problems(reciprocal.check()) == [("3", "frozen"), ("3", "constant")]
        net[3] = nn.ReLU()
        (unusable,) = reciprocal.check(torch.ones(1, 3, 8, 8))
    assert unusable.problem == "unusable" and "ReLU is not supported" in str(unusable)


def test_inputs_that_never_vary():
    net = nn.Sequential(nn.Linear(6, 3), nn.Linear(3, 3))
    guidance = EntropyGuidance(net, {"0": 1.0, "1": 1.0})
    chosen = EntropyGuidance(net, {"0": 1.0}, inputs={"0": [3, 4, 5]})
    every = EntropyGuidance(net, {"0": 1.0}, form="exact")
    x = torch.randn(5, 6)
    x[:, [0, 2, 4]] = torch.tensor([0.0, 1.0, 2.0])
    (found,) = guidance.check(x)
    assert (found.layer, found.problem, found.inputs) == ("0", "still inputs", (0, 2))
    assert "2 of the 3 inputs of its block never vary: 0, 2" in found.message
    assert [finding.inputs for finding in chosen.check(x)] == [(4,)]
    assert [finding.inputs for finding in every.check(x)] == [(0, 2, 4)]
    assert guidance.check(torch.randn(5, 6)) == []


def test_channels_that_never_vary():
    guidance = EntropyGuidance(network(), {"0": 1.0})
    x = torch.randn(2, 3, 8, 8)
    x[:, 1] = 0.5
    (found,) = guidance.check(x)
    assert found.problem == "still inputs" and found.inputs == (1,)


class Twice(nn.Module):
    """Calls a layer twice, leaves another out, and keeps what it saw."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.seen = nn.Linear(2, 2), nn.Linear(2, 2), []
        self.register_buffer("steps", torch.zeros(()))

    def forward(self, x, y):
        self.seen.append(x)
        self.steps += 1
        return self.a(x) + self.a(y)


@pytest.mark.parametrize(
    "batch", [(torch.ones(2, 2), torch.zeros(2, 2)), {"x": torch.ones(2, 2), "y": torch.zeros(2, 2)}]
)
def test_layers_that_run_twice_or_not_at_all(batch):
    net = Twice()
    guidance = EntropyGuidance(net, {"a": 1.0, "b": 1.0})
    assert problems(guidance.check(batch)) == [("b", "not run")]
    assert net.seen == [] and net.steps == 0 and net.training and not net.a._forward_pre_hooks


def test_a_batch_that_does_not_fit():
    (found,) = EntropyGuidance(network(), {"0": 1.0}).check(torch.ones(2, 5))
    assert found.problem == "batch" and "the model does not run on the batch (RuntimeError" in found.message
