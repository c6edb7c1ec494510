"""What guidance does before a norm: the analysis of H8 in numbers, and each form's step."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from entropy_guidance import EntropyGuidance
from replication.core.run import Run
from replication.norms.training.network import SmallResNet, initial
from replication.norms.training.steps import FLOOR, action_of, guided_layers

LAMBDA, RATE = 0.05, 0.1


def make_run(form, lambda_=LAMBDA):
    return Run("norms-test", {"form": form, "lambda": lambda_, "width": 3})


@pytest.fixture
def network() -> SmallResNet:
    """In float64, with norms whose own epsilon does not matter."""
    made = initial(3, 3, seed=0).double()
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-14
    return made


@pytest.fixture
def batches():
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(6, 16, 3, 8, 8, generator=generator, dtype=torch.float64)
    return list(zip(images, torch.randint(0, 10, (6, 16), generator=generator), strict=True))


def loss_of(network, batch):
    images, labels = batch
    return F.cross_entropy(network(images), labels)


def guided_weights(network):
    return [network.get_submodule(name).weight for name in guided_layers(network, 3)]


def train(network, form, batches, lambda_=LAMBDA):
    """A plain loop; the rate falls."""
    action = action_of(make_run(form, lambda_), network, 3)
    optimizer = torch.optim.SGD(network.parameters(), lr=RATE)
    for number, batch in enumerate(batches):
        rate = RATE * (1 - number / len(batches))
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        loss_of(network, batch).backward()
        action(rate)
        optimizer.step()
    return network


def test_guided_are_the_convolutions_before_skips(network):
    assert guided_layers(network, 3) == [
        "conv",
        "blocks.0.conv2",
        "blocks.1.conv2",
        "blocks.1.skip.0",
        "blocks.2.skip.0",
    ]


def test_no_output_changes_with_a_filters_length_and_the_gradient_is_across_it(network, batches):
    expected = loss_of(network, batches[0])
    expected.backward()
    for weight in guided_weights(network):
        across = (weight * weight.grad).flatten(1).sum(1)
        assert across.abs().max() < 1e-10 * (weight.norm() * weight.grad.norm())
    before = [weight.grad.clone() for weight in guided_weights(network)]
    with torch.no_grad():
        for weight in guided_weights(network):
            weight.mul_(torch.linspace(0.5, 4, len(weight), dtype=torch.float64)[:, None, None, None])
    network.zero_grad()
    changed = loss_of(network, batches[0])
    torch.testing.assert_close(changed, expected)
    changed.backward()
    for weight, gradient in zip(guided_weights(network), before, strict=True):  # a longer filter's gradient is shorter
        factors = torch.linspace(0.5, 4, len(weight), dtype=torch.float64)[:, None, None, None]
        torch.testing.assert_close(weight.grad, gradient / factors)


def test_a_penalty_on_all_weights_alike_by_scale_is_along_the_filter_and_on_a_corner_is_not():
    """Log of the length: along w alone. Log of the corner: it has the same part along w, and turns w besides."""
    weight = torch.randn(4, 3, 3, 3, dtype=torch.float64, requires_grad=True)
    length = 3 * weight.flatten(1).norm(dim=1).log().sum()  # as many logs as a filter has corners
    corner = weight[:, :, 0, 0].abs().log().sum()
    of_length, of_corner = (torch.autograd.grad(each, weight)[0].flatten(1) for each in (length, corner))
    w = weight.detach().flatten(1)
    torch.testing.assert_close((w * of_length).sum(1), (w * of_corner).sum(1))  # 3 each
    along = (w * of_corner).sum(1, keepdim=True) / w.square().sum(1, keepdim=True) * w
    torch.testing.assert_close(along, of_length)
    assert ((of_corner - along).norm(dim=1) > 0.1 * along.norm(dim=1)).all()


def test_log_adds_the_penaltys_gradient(network, batches):
    plain = copy.deepcopy(network)
    train(network, "log", batches[:1])
    guidance = EntropyGuidance(plain, dict.fromkeys(guided_layers(plain, 3), LAMBDA), form="log", floor=FLOOR)
    optimizer = torch.optim.SGD(plain.parameters(), lr=RATE)
    (loss_of(plain, batches[0]) + guidance()).backward()
    optimizer.step()
    for ours, theirs in zip(network.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_scale_takes_of_it_what_is_along_each_filter(network, batches):
    plain = copy.deepcopy(network)
    train(network, "scale", batches[:1])
    loss_of(plain, batches[0]).backward()
    for after, before in zip(guided_weights(network), guided_weights(plain), strict=True):
        w, g = before.detach(), before.grad
        c = w[:, :, 0, 0].abs()
        force = LAMBDA * (c / (c + FLOOR)).sum(1) / w.flatten(1).square().sum(1)
        torch.testing.assert_close(after, w - RATE * (g - force[:, None, None, None] * w))


def test_scale_and_rate_compute_the_same_function(network, batches):
    """After every step; the weights have other lengths, and the unguided network is another one."""
    scale, rate, unguided = (
        train(copy.deepcopy(network), form, batches, lambda_)
        for form, lambda_ in (("scale", LAMBDA), ("rate", LAMBDA), ("none", 0.0))
    )
    images = batches[0][0]
    torch.testing.assert_close(scale(images), rate(images), rtol=1e-7, atol=1e-9)
    assert (scale(images) - unguided(images)).abs().max() > 1e-3
    longer = [a.norm() / b.norm() for a, b in zip(guided_weights(scale), guided_weights(rate), strict=True)]
    assert min(longer) > 1.02


def test_guidance_turns_filters_too(network, batches):
    guided, scale = (train(copy.deepcopy(network), form, batches) for form in ("log", "scale"))
    images = batches[0][0]
    assert (guided(images) - scale(images)).abs().max() > 1e-3
