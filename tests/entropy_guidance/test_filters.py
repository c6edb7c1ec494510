import numpy as np
import pytest
import torch
from torch import nn
from torch.profiler import profile

from entropy_guidance import EntropyGuidance
from entropy_guidance.filters import ROW, filter_sums

SHAPES = [(3, 2, 3, 3), (ROW, 1, 1, 1), (40, 30, 1, 1), (2, 3, 5), (2, 2, 2, 1, 3)]


def weights(dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    drawn = [torch.randn(*shape, dtype=dtype, generator=generator) for shape in SHAPES]
    drawn[0][0, 0, 1, 2] = 0.0
    return [weight.requires_grad_() for weight in drawn]


POSITIONS = ((1, 2), (0, 0), (0, 0), (4,), (1, 0, 2))


def plainly(weight, at, kind, offset):
    """Sum and gradient in loops."""
    total, slope = 0.0, np.zeros(weight.shape)
    for (o, i), c in np.ndenumerate(weight.detach().numpy()[(..., *at)]):
        distance = abs(c) + offset
        with np.errstate(divide="ignore"):
            total += np.log(distance) if kind == "log" else -1 / distance
        if c:
            slope[(o, i, *at)] = np.sign(c) / (distance if kind == "log" else distance**2)
    return total, slope


@pytest.mark.parametrize(("kind", "offset"), [("log", 1e-3), ("log", 0.5), ("log", 0.0), ("reciprocal", 1e-2)])
def test_sums_and_gradients_against_loops(kind, offset):
    layers = weights()
    scale = torch.tensor([1.0, -2.0, 0.5, 3.0, 1.0], dtype=torch.float64)
    found = filter_sums(layers, POSITIONS, kind, offset)
    (found * scale).sum().backward()
    for k, (weight, at) in enumerate(zip(layers, POSITIONS, strict=True)):
        total, slope = plainly(weight, at, kind, offset)
        assert found[k].item() == pytest.approx(total)
        np.testing.assert_allclose(weight.grad, slope * scale[k].item(), rtol=1e-12)


@pytest.mark.parametrize(("kind", "offset"), [("log", 1e-3), ("reciprocal", 1e-2)])
def test_what_compilers_and_transforms_get_is_the_same(kind, offset):
    layers = weights()
    expected = filter_sums(layers, POSITIONS, kind, offset)
    expected.sum().backward()
    own = torch.func.grad(lambda *ws: filter_sums(ws, POSITIONS, kind, offset).sum(), argnums=(0, 1, 2, 3, 4))
    for gradient, weight in zip(own(*(w.detach() for w in layers)), layers, strict=True):
        torch.testing.assert_close(gradient, weight.grad)


def test_second_derivatives():
    layers = [weight.detach()[:2, :2].clone().requires_grad_() for weight in weights()]
    layers[0].data[0, 0, 1, 2] = 0.3
    for kind, offset in (("log", 0.1), ("reciprocal", 0.1)):
        assert torch.autograd.gradgradcheck(lambda *ws, k=kind, o=offset: filter_sums(ws, POSITIONS, k, o), layers)


def test_channels_last_and_half_precision():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 1))
    expected = EntropyGuidance(net, {"0": 1.0, "1": 1.0})
    expected().backward()
    gradients = [layer.weight.grad.clone() for layer in net]
    net.zero_grad()
    net.to(memory_format=torch.channels_last)
    expected().backward()
    for layer, gradient in zip(net, gradients, strict=True):
        torch.testing.assert_close(layer.weight.grad, gradient)


VIEWS = {"aten::flatten", "aten::select", "aten::split_with_sizes", "aten::view", "aten::unsqueeze", "aten::expand"}
VIEWS |= {"aten::detach", "aten::as_strided", "aten::unbind", "aten::slice", "aten::alias"}


@pytest.mark.filterwarnings("ignore:.*Profiler clears events")
@pytest.mark.parametrize("form", ["log", "reciprocal"])
def test_twenty_convolutions_take_twenty_operations(form):
    """Of ResNet-50, before skips: 19 of 1 x 1 and the stem."""
    net = nn.Sequential(nn.Conv2d(3, 8, 7), *(nn.Conv2d(64, 16, 1) for _ in range(19)))
    guidance = EntropyGuidance(net, {str(k): 1e-6 for k in range(20)}, form=form, epsilon=1e-2)
    for _ in range(2):  # gradients are there, constants made
        guidance().backward()
    with profile() as found:
        guidance().backward()
    operations = [
        event.name
        for event in found.events()
        if event.name.startswith("aten::") and not (event.cpu_parent and event.cpu_parent.name.startswith("aten::"))
    ]
    accumulated = operations.count("aten::add_") - 1  # one belongs to the penalty: of the offset
    assert accumulated == 20
    assert len([name for name in operations if name not in VIEWS]) - accumulated <= 20
    assert len(operations) <= 90
