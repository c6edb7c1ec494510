import math
from fractions import Fraction

import pytest
import torch
from torch import nn

from entropy_guidance import EntropyGuidance, dense_entropy_change, penalty


def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 3), nn.Sigmoid(), nn.Linear(3, 5), nn.Conv2d(1, 1, 3))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("epsilon", [1e-7, 1e-1])
@pytest.mark.parametrize("lambda_", [1e-4, 10.0, -1.0])
def test_reciprocal_is_finite_and_exact_at_any_magnitude(dtype, epsilon, lambda_):
    change = torch.arange(-800, 801, 25, dtype=dtype, requires_grad=True)
    value = penalty(change, lambda_, epsilon=epsilon)
    value.sum().backward()
    tiny = torch.finfo(dtype).tiny  # below it, numbers lose digits or vanish: compare absolutely
    for x, v, g in zip(change.tolist(), value.tolist(), change.grad.tolist(), strict=True):
        determinant = Fraction(math.exp(x)) if x < 700 else Fraction(math.exp(700)) * Fraction(math.exp(x - 700))
        exact = Fraction(lambda_) / (determinant + Fraction(epsilon))
        slope = -exact * determinant / (determinant + Fraction(epsilon))
        assert math.isfinite(v) and math.isfinite(g)
        # exp() of a number as large as 800 carries its rounding as a relative error
        relative = 1e-4 if dtype == torch.float32 else 1e-12
        assert v == pytest.approx(float(exact), rel=relative, abs=10 * tiny)
        assert g == pytest.approx(float(slope), rel=relative, abs=10 * tiny * abs(lambda_ / epsilon))


def test_reciprocal_keeps_its_slope_where_sigmoid_loses_it():
    change = torch.tensor(math.log(1e-7) - 20, requires_grad=True)
    penalty(change, 1.0, epsilon=1e-7).backward()
    assert change.grad.item() == pytest.approx(-1e7 * math.exp(-20), rel=1e-4)


@pytest.mark.parametrize("form", ["reciprocal", "log"])
def test_a_positive_lambda_penalises_lost_entropy(form):
    changes = torch.tensor([-3.0, -1.0, 0.0, 2.0])
    assert (penalty(changes, 1.0, form=form).diff() < 0).all()
    assert (penalty(changes, -1.0, form=form).diff() > 0).all()


def test_terms_add_up_and_reach_only_their_layers():
    net = model()
    guidance = EntropyGuidance(net, {"0": 0.5, "2": -2.0}, form="log")
    terms = guidance.terms()
    assert list(terms) == ["0", "2"]
    assert terms["0"].item() == pytest.approx(-0.5 * dense_entropy_change(net[0].weight).item())
    assert guidance().item() == pytest.approx(sum(term.item() for term in terms.values()))
    guidance().backward()
    assert net[0].weight.grad is not None and net[0].bias.grad is None


@pytest.mark.parametrize("form", ["reciprocal", "log"])
def test_gradcheck(form):
    weight = torch.randn(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2), requires_grad=True)
    assert torch.autograd.gradcheck(lambda w: penalty(dense_entropy_change(w), 0.3, form=form, epsilon=0.1), weight)


@pytest.mark.parametrize("form", ["reciprocal", "log"])
def test_a_stack_equals_its_models(form):
    lambdas = torch.tensor([0.1, -1.0, 3.0])
    stacked = nn.Sequential(nn.Linear(4, 4))
    stacked[0].weight = nn.Parameter(torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(3)))
    together = EntropyGuidance(stacked, {"0": lambdas}, form=form, epsilon=0.01)()
    together.backward()
    total = 0.0
    for m, lambda_ in enumerate(lambdas.tolist()):
        single = nn.Sequential(nn.Linear(4, 4))
        single[0].weight = nn.Parameter(stacked[0].weight.detach()[m].clone())
        term = EntropyGuidance(single, {"0": lambda_}, form=form, epsilon=0.01)()
        term.backward()
        total += term.item()
        torch.testing.assert_close(stacked[0].weight.grad[m], single[0].weight.grad)
    assert together.item() == pytest.approx(total, rel=1e-5)


def test_the_model_is_not_registered():
    guidance = EntropyGuidance(model(), {"0": 1.0})
    assert list(guidance.parameters()) == [] and guidance.state_dict() == {}


def test_a_singular_layer_keeps_training_possible():
    net = nn.Sequential(nn.Linear(3, 3))
    nn.init.zeros_(net[0].weight)
    EntropyGuidance(net, {"0": 1.0})().backward()
    assert torch.isfinite(net[0].weight.grad).all()


def test_no_layers_is_zero():
    assert EntropyGuidance(model(), {})().item() == 0


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ({"nine": 1.0}, "'nine': no such layer.*0, 2"),
        ({"1": 1.0}, "Sigmoid is not supported.*0, 2"),
        ({"0": torch.ones(2)}, "must be a number or a tensor of shape"),
    ],
)
def test_names_that_cannot_be_guided(layers, message):
    with pytest.raises(ValueError, match=message):
        EntropyGuidance(model(), layers)


def test_unknown_form_and_epsilon():
    with pytest.raises(ValueError, match="choose one of reciprocal, log"):
        EntropyGuidance(model(), {"0": 1.0}, form="linear")
    with pytest.raises(ValueError, match="epsilon must be positive"):
        EntropyGuidance(model(), {"0": 1.0}, epsilon=0.0)
    with pytest.raises(ValueError, match="choose one of"):
        penalty(torch.zeros(1), 1.0, form="linear")
