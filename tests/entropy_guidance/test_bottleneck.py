"""The bottleneck against torch.distributions, a linear Gaussian channel, and the plain network that it becomes."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.distributions import Independent, Normal, kl_divergence
from torch.nn import functional as F

from entropy_guidance.bottleneck import VariationalBottleneck, bottleneck_loss, kl_to_prior


def double(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_kl_is_that_of_torch_distributions():
    mean, deviation = double(5, 3), double(5, 3, seed=1).exp()
    prior = Independent(Normal(torch.zeros(3).double(), torch.ones(3).double()), 1)
    expected = kl_divergence(Independent(Normal(mean, deviation), 1), prior)
    assert torch.allclose(kl_to_prior(mean, deviation), expected, rtol=1e-12)


def test_kl_gradient_in_float64():
    mean, deviation = double(4, 3).requires_grad_(), double(4, 3, seed=1).exp().requires_grad_()
    assert torch.autograd.gradcheck(kl_to_prior, (mean, deviation))


def test_kl_of_the_prior_is_0_and_of_no_noise_inf():
    assert kl_to_prior(torch.zeros(2, 4), torch.ones(2, 4)).tolist() == [0, 0]
    assert kl_to_prior(torch.ones(4), torch.zeros(4)) == math.inf
    with pytest.raises(ValueError, match="negative"):
        kl_to_prior(torch.zeros(2), -torch.ones(2))


@pytest.mark.parametrize("snr", [0.1, 1.0, 9.0])
def test_mean_kl_of_a_linear_gaussian_encoder_is_its_information(snr):
    # z = a x + s e has the prior's law where a^2 + s^2 = 1: the bound I(Z;X) <= mean KL is then an equality.
    s = 1 / math.sqrt(1 + snr)
    x = double(200_000, 1)
    x = (x - x.mean()) / x.std(correction=0)
    kl = kl_to_prior(math.sqrt(1 - s * s) * x, torch.full_like(x, s)).mean()
    assert kl.item() == pytest.approx(0.5 * math.log(1 + snr), rel=1e-12)


def test_evidence_is_its_bound_and_the_divergence_from_the_posterior():
    # z ~ N(0, 1), x given z ~ N(z, 1): x ~ N(0, 2), and z given x ~ N(x / 2, 1 / 2).
    x, mean, s = torch.tensor([1.3, 0.2, 0.7]).double()
    likelihood = -0.5 * math.log(2 * math.pi) - 0.5 * ((x - mean) ** 2 + s**2)
    bound = likelihood - kl_to_prior(mean[None], s[None])
    zero, two = torch.tensor([0.0, 2.0]).double()
    divergence = kl_divergence(Normal(mean, s), Normal(x / 2, two.sqrt() / 2))
    assert (bound + divergence).item() == pytest.approx(Normal(zero, two.sqrt()).log_prob(x).item(), rel=1e-12)


def test_beta_0_without_noise_is_the_plain_network():
    torch.manual_seed(0)
    layer, head = VariationalBottleneck(6, 4, noise=False).train(), nn.Linear(4, 3)
    plain = nn.Sequential(nn.Linear(6, 4), copy.deepcopy(head))
    plain[0].load_state_dict(layer.mean.state_dict())
    x, labels = torch.randn(8, 6), torch.randint(3, (8,))
    expected = F.cross_entropy(plain(x), labels)
    expected.backward()
    ours = bottleneck_loss(head(layer(x)), labels, layer.kl, beta=0)
    ours.backward()
    assert torch.equal(ours, expected)
    assert torch.equal(layer.mean.weight.grad, plain[0].weight.grad)
    assert torch.equal(head.bias.grad, plain[1].bias.grad)


def test_the_loss_is_cross_entropy_and_beta_times_the_mean_kl():
    logits, labels, kl = double(5, 3), torch.tensor([0, 1, 2, 0, 1]), double(5, seed=2).exp()
    expected = F.cross_entropy(logits, labels) + 0.1 * kl.sum() / 5
    assert bottleneck_loss(logits, labels, kl, 0.1).item() == pytest.approx(expected.item(), rel=1e-14)


def test_samples_have_the_mean_and_deviation_that_the_kl_is_of():
    torch.manual_seed(0)
    layer = VariationalBottleneck(2, 3).double()
    with torch.no_grad():
        layer.rho.bias += 6
        x = double(1, 2).expand(200_000, 2)
        z = layer(x)
        mean = layer.eval()(x[:1])
    assert torch.allclose(z.mean(0), mean[0], atol=0.02)
    assert torch.allclose(layer.kl, kl_to_prior(mean, z.std(0)), atol=0.05)
    assert torch.equal(layer(x[:5]), mean.expand(5, 3))


def test_a_layer_that_has_run_is_copied():
    layer = VariationalBottleneck(2, 3)
    layer(torch.ones(4, 2))
    assert torch.equal(copy.deepcopy(layer).kl, layer.kl)
    assert layer.kl.requires_grad and not copy.deepcopy(layer).kl.requires_grad


@pytest.mark.parametrize(
    ("labels", "kl", "beta", "message"),
    [
        ([0, 3], [1.0, 1.0], 0.1, "0 to 2"),
        ([0, -100], [1.0, 1.0], 0.1, "0 to 2"),
        ([0, 1], [1.0], 0.1, "kl"),
        ([0, 1], [1.0, 1.0], -0.1, "beta"),
        ([0, 1], [1.0, 1.0], math.nan, "beta"),
    ],
)
def test_bad_input(labels, kl, beta, message):
    with pytest.raises(ValueError, match=message):
        bottleneck_loss(torch.zeros(2, 3), torch.tensor(labels), torch.tensor(kl), beta)


def test_features_of_another_size():
    with pytest.raises(ValueError, match="takes 3 features"):
        VariationalBottleneck(3, 2)(torch.zeros(4, 5))
