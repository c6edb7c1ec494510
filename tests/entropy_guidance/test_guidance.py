import math
import warnings
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn

from entropy_guidance import (
    EntropyGuidance,
    conv_entropy_change,
    dense_entropy_change,
    exact_conv_entropy_change,
    exact_dense_entropy_change,
    penalty,
)


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


def convolutions():
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, stride=2, padding=1, groups=2), nn.Conv2d(4, 3, 2, bias=False), nn.Flatten(), nn.Linear(3, 2)
    ).double()


def test_convolutions_and_linear_layers_in_one_mapping():
    net = convolutions()
    terms = EntropyGuidance(net, {"0": 0.5, "1": -1.0, "3": 2.0}, floor=0, anchor="center").terms()
    first, second = net[0].weight, net[1].weight
    assert terms["0"].item() == pytest.approx(-0.5 * first[:, :, 1, 1].abs().log().sum().item())
    assert terms["1"].item() == pytest.approx(second[:, :, 1, 1].abs().log().sum().item())
    assert terms["3"].item() == pytest.approx(-2 * dense_entropy_change(net[3].weight).item())


@pytest.mark.parametrize("form", ["reciprocal", "log"])
@pytest.mark.parametrize("shape", [(3,), (3, 4)])
def test_a_lambda_per_filter(form, shape):
    net = convolutions()
    lambdas = torch.rand(shape, generator=torch.Generator().manual_seed(4))
    found = EntropyGuidance(net, {"1": lambdas}, form=form, epsilon=0.1, floor=0)()
    expected = 0.0
    for o in range(3):
        for i in range(4):
            own = lambdas[o] if shape == (3,) else lambdas[o, i]
            weight = abs(net[1].weight[o, i, 0, 0].item())
            expected += own.item() * (1 / (weight + 0.1) if form == "reciprocal" else -math.log(weight))
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_exact_form():
    net = nn.Sequential(nn.Conv2d(4, 2, 3, groups=2, dilation=2), nn.Flatten(), nn.Linear(8, 5)).double()
    terms = EntropyGuidance(net, {"0": 1.0, "2": 1.0}, form="exact", image_size=(6, 5)).terms()
    halves = [exact_conv_entropy_change(net[0].weight[g : g + 1], (6, 5), dilation=2).item() for g in (0, 1)]
    assert terms["0"].item() == pytest.approx(-sum(halves) / 30)
    assert terms["2"].item() == pytest.approx(-exact_dense_entropy_change(net[2].weight).item())


def test_the_exact_form_knows_a_layers_dilation():
    net = nn.Sequential(nn.Conv2d(3, 2, 3, dilation=(2, 3))).double()
    found = EntropyGuidance(net, {"0": 1.0}, form="exact", image_size=(8, 9))().item()
    spread = net[0].weight.new_zeros(2, 3, 5, 7)
    spread[..., ::2, ::3] = net[0].weight.detach()
    assert found == pytest.approx(-exact_conv_entropy_change(spread, (8, 9)).item() / 72)


@pytest.mark.parametrize("form", ["reciprocal", "log", "exact"])
@pytest.mark.parametrize("layer", [nn.Linear(3, 3), nn.Conv2d(2, 3, 3)])
def test_a_lambda_that_is_a_tensor_without_dimensions(layer, form):
    net, options = nn.Sequential(layer), {"form": form, "epsilon": 0.1, "image_size": (4, 4)}
    number, tensor = (EntropyGuidance(net, {"0": lambda_}, **options)() for lambda_ in (0.5, torch.tensor(0.5)))
    assert tensor.item() == pytest.approx(number.item())


@pytest.mark.parametrize("lambda_", [np.int64(2), np.float32(2), np.float64(2), 2])
def test_numbers_of_numpy(lambda_):
    net = model()
    found = EntropyGuidance(net, {"0": lambda_}, form="log", epsilon=np.float32(0.1))
    assert found().item() == EntropyGuidance(net, {"0": 2.0}, form="log")().item()


@pytest.mark.parametrize("form", ["reciprocal", "log", "exact"])
def test_a_model_without_memory_yet(form):
    with torch.device("meta"):
        net = nn.Sequential(nn.Linear(3, 4), nn.Conv2d(2, 2, 3))
    guidance = EntropyGuidance(net, {"0": torch.tensor(0.1), "1": 0.1}, form=form, image_size=(4, 4))
    assert guidance().is_meta
    net.to_empty(device="cpu")
    torch.manual_seed(6)
    for layer in net:
        layer.reset_parameters()
    assert math.isfinite(guidance().item())


def test_layers_without_weights_yet():
    net = nn.Sequential(nn.LazyLinear(3))
    with pytest.raises(ValueError, match=r"layer '0' .torch.*LazyLinear.: it has no weights yet: run the model once"):
        EntropyGuidance(net, {"0": 1.0})


def test_shared_and_frozen_weights_are_warned_of():
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    net[1].weight = net[0].weight
    with pytest.warns(UserWarning, match="layers '0' and '1' share a weight: it is penalised for each"):
        EntropyGuidance(net, {"0": 1.0, "1": 1.0}, form="log")
    net.requires_grad_(False)
    with pytest.warns(UserWarning, match="layer '1' is frozen: its penalty is a constant"):
        EntropyGuidance(net, {"1": 1.0}, form="log")


@pytest.mark.parametrize(
    ("old", "new", "options", "message"),
    [
        (nn.Conv2d(3, 8, 3), nn.Linear(5, 3), {"form": "log"}, r"'0' .*tensor of shape \(\), got shape \(8,\)"),
        (nn.Conv2d(3, 8, 3), nn.Conv2d(3, 1, 3), {"form": "log"}, r"'0' .*\(1, 3\), got shape \(8,\)"),
        (nn.Conv2d(3, 8, 3), nn.Conv2d(3, 8, 1), {"anchor": (2, 2)}, "'0': anchor .* not a position in a 1 x 1"),
        (nn.Conv2d(3, 8, 3), nn.Conv2d(3, 8, 3, stride=3), {"form": "exact", "image_size": (8, 8)}, "'0'.*multiple of"),
        (nn.Linear(3, 8), nn.Conv2d(3, 8, 3), {"form": "exact"}, "'0': .*needs an image_size"),
    ],
)
def test_a_layer_put_in_anothers_place_has_to_fit(old, new, options, message):
    net = nn.Sequential(old)
    lambda_ = 1.0 if options.get("form") == "exact" else torch.ones(8)
    guidance = EntropyGuidance(net, {"0": lambda_}, **options)
    net[0] = new
    with pytest.raises(ValueError, match=message):
        guidance()


@pytest.mark.parametrize("form", ["reciprocal", "log", "exact"])
def test_gradcheck_of_a_whole_model(form):
    net = nn.Sequential(nn.Conv2d(2, 3, 2), nn.Linear(4, 3)).double()
    guidance = EntropyGuidance(net, {"0": 0.7, "1": -0.3}, form=form, epsilon=0.1, image_size=(3, 4))

    class Penalty(nn.Module):
        def __init__(self):
            super().__init__()
            self.net, self.guidance = net, guidance

        def forward(self):
            return self.guidance()

    def value(kernel, weight):
        return torch.func.functional_call(Penalty(), {"net.0.weight": kernel, "net.1.weight": weight})

    inputs = [layer.weight.detach().clone().requires_grad_() for layer in net]
    assert torch.autograd.gradcheck(value, inputs)


def test_a_guided_step_raises_the_entropy():
    net = convolutions()
    guidance = EntropyGuidance(net, {"0": 1.0}, form="log")
    before = conv_entropy_change(net[0].weight).sum().item()
    guidance().backward()
    torch.optim.SGD(net.parameters(), lr=1e-4).step()
    assert conv_entropy_change(net[0].weight).sum().item() > before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"form": "exact"}, "'1': the exact change of a convolution needs an image_size"),
        ({"form": "exact", "image_size": (1, 1)}, "'1': an image of"),
        ({"anchor": None}, "anchor must be corner, center, or"),
        ({"image_size": "8"}, "image_size must be .rows, columns. in pixels, got '8'"),
        ({"image_size": 0}, "image_size must be positive"),
        ({"form": "exact", "image_size": (8,)}, "'1': image_size .8,. has 1 dimensions, the filter has 2"),
        ({"floor": 1.0}, "floor must be a number from 0 to below 1, in units of the weight; got 1.0"),
        ({"floor": -1e-3}, "floor must be a number from 0 to below 1"),
        ({"reduction": "none"}, "unknown reduction 'none': choose sum or mean"),
        ({"form": "linear"}, "unknown form 'linear': choose one of reciprocal, log, exact"),
        ({"epsilon": 1e-320}, "a number that float32 can hold; got 1e-320"),
        ({"epsilon": 1e39}, "a number that float32 can hold; got 1e"),
        ({"epsilon": "1"}, "epsilon must be positive"),
        ({"anchor": (2, 0)}, "'1': anchor .* not a position in a 2 x 2 filter"),
    ],
)
def test_options_that_do_not_fit_a_layer(options, message):
    with pytest.raises(ValueError, match=message):
        EntropyGuidance(convolutions(), {"1": 1.0}, **options)


def test_a_lambda_of_another_shape():
    with pytest.raises(ValueError, match=r"tensor of shape \(\) or \(3,\) or \(3, 4\), got shape \(4,\)"):
        EntropyGuidance(convolutions(), {"1": torch.ones(4)})


def test_the_model_is_not_registered():
    guidance = EntropyGuidance(model(), {"0": 1.0})
    assert list(guidance.parameters()) == [] and guidance.state_dict() == {}


@pytest.mark.filterwarnings("ignore:layer '0'. log.det W_sq. = -inf", "ignore:layer '0'. . of . entropy changes")
@pytest.mark.parametrize("form", ["reciprocal", "log", "exact"])
@pytest.mark.parametrize("layer", [nn.Linear(3, 3), nn.Linear(5, 3), nn.Linear(3, 5), nn.Conv2d(2, 3, 3)])
def test_a_singular_layer_keeps_training_possible(layer, form):
    net = nn.Sequential(layer)
    nn.init.zeros_(net[0].weight)
    net.zero_grad()
    EntropyGuidance(net, {"0": 1.0}, form=form, image_size=(4, 4))().backward()
    assert torch.isfinite(net[0].weight.grad).all()


def test_a_constant_penalty_is_warned_of():
    net = nn.Sequential(nn.Linear(300, 200))
    with pytest.warns(UserWarning, match=r"log.det W_sq. = -\d+, log epsilon = -16: its penalty is the constant"):
        guidance = EntropyGuidance(net, {"0": 1e-3}, form="reciprocal")
    guidance().backward()
    assert guidance().item() == pytest.approx(1e4) and not net[0].weight.grad.any()
    EntropyGuidance(net, {"0": 1e-3}, form="log")


def test_a_stack_of_which_one_model_has_a_slope_is_not_warned_of():
    net = nn.Sequential(nn.Linear(4, 4))
    net[0].weight = nn.Parameter(torch.eye(4) * torch.tensor([1.0, 1e-20])[:, None, None])
    EntropyGuidance(net, {"0": 1.0}, form="reciprocal")  # a warning would be an error here


def test_the_layers_are_those_given_at_the_start():
    layers = {"0": 1.0}
    guidance = EntropyGuidance(model(), layers, form="log")
    layers["3"] = 1.0
    assert list(guidance.terms()) == ["0"]


def test_no_lambda_no_penalty_though_the_weight_be_zero():
    net = nn.Sequential(nn.Conv2d(1, 3, 3))
    with torch.no_grad():
        net[0].weight[0] = 0.0
    value = EntropyGuidance(net, {"0": torch.tensor([0.0, 1.0, 1.0])}, floor=0)()
    expected = -net[0].weight[1:, 0, 0, 0].abs().log().sum()
    assert value.item() == pytest.approx(expected.item(), rel=1e-6)
    assert EntropyGuidance(net, {"0": 0.0}, floor=0)().item() == 0.0
    assert EntropyGuidance(net, {"0": torch.tensor(0.0)}, floor=0)().item() == 0.0
    with pytest.warns(UserWarning, match="1 of 2 entropy changes are -inf .a weight of exactly 0"):
        assert EntropyGuidance(net, {"0": torch.tensor([1.0, 1.0, 0.0])}, floor=0)().item() == torch.inf


@pytest.mark.parametrize("form", ["reciprocal", "log", "exact"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(dtype, form):
    net = nn.Sequential(nn.Linear(4, 3), nn.Conv2d(2, 2, 3))
    whole = EntropyGuidance(net, {"0": 1.0, "1": 1.0}, form=form, epsilon=0.1, image_size=(4, 4))
    expected = whole()
    with torch.autocast("cpu", torch.bfloat16):
        assert whole().item() == pytest.approx(expected.item(), rel=1e-6)
    net.to(dtype)
    whole().backward()
    assert whole().item() == pytest.approx(expected.item(), rel=0.05)
    assert all(torch.isfinite(layer.weight.grad).all() for layer in net)


def test_a_layer_put_in_anothers_place_is_guided():
    net = model()
    guidance = EntropyGuidance(net, {"0": 1.0}, form="log")
    net[0] = nn.Linear(4, 4)
    guidance().backward()
    assert net[0].weight.grad.any()
    net[0] = nn.Sigmoid()
    with pytest.raises(ValueError, match="Sigmoid is not supported"):
        guidance()


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ({"nine": 1.0}, "'nine': no such layer.*0, 2, 3"),
        ({"1": 1.0}, "Sigmoid is not supported.*0, 2, 3"),
        ({"0": torch.ones(2)}, "must be a number or a tensor of shape"),
        ({"0": math.nan}, "must be a finite number or a tensor of them, got nan"),
        ({"3": [1.0]}, "must be a finite number or a tensor of them"),
        ({"3": torch.tensor([1.0, math.nan])}, "must be a finite number or a tensor of them"),
        ({"0": torch.tensor(1j)}, "must be a finite number or a tensor of them"),
        ({"0": 10**400}, "'0': its lambda must be a finite number or a tensor of them"),
    ],
)
def test_names_that_cannot_be_guided(layers, message):
    with pytest.raises(ValueError, match=message):
        EntropyGuidance(model(), layers)


def test_options_without_which_nothing_goes():
    for nothing in ({}, ["0"]):
        with pytest.raises(ValueError, match="layers must map at least one layer's name to its lambda"):
            EntropyGuidance(model(), nothing)
    with pytest.raises(ValueError, match="epsilon must be positive"):
        EntropyGuidance(model(), {"0": 1.0}, epsilon=0.0)
    with pytest.raises(ValueError, match="choose one of"):
        penalty(torch.zeros(1), 1.0, form="linear")


def test_options_go_by_keyword_and_log_is_the_form():
    with pytest.raises(TypeError, match="positional"):
        EntropyGuidance(model(), {"0": 1.0}, "log")
    assert EntropyGuidance(model(), {"0": 1.0}).form == "log"


# A floor: the brake on steep forms.


@pytest.mark.parametrize("floor", [1e-3, 0.5])
def test_the_floor_against_a_plain_loop(floor):
    net = convolutions()
    net[1].weight.data[0, 0, 0, 0] = 0.0
    guidance = EntropyGuidance(net, {"0": 0.7, "1": -0.3}, floor=floor)
    expected, slopes = 0.0, [torch.zeros_like(net[k].weight) for k in (0, 1)]
    for k, lambda_ in ((0, 0.7), (1, -0.3)):
        for (o, i), c in np.ndenumerate(net[k].weight.detach().numpy()[:, :, 0, 0]):
            expected -= lambda_ * math.log(abs(c) + floor)
            slopes[k][o, i, 0, 0] = -lambda_ * np.sign(c) / (abs(c) + floor)
    found = guidance()
    found.backward()
    assert found.item() == pytest.approx(expected, rel=1e-12)
    for k in (0, 1):
        torch.testing.assert_close(net[k].weight.grad, slopes[k])


def test_a_penalty_with_a_floor_is_that_of_the_weight():
    weight = torch.tensor([-0.3, 1e-9, 0.0, 2.0], dtype=torch.float64, requires_grad=True)
    value = penalty(conv_entropy_change(weight[:, None, None, None])[:, 0], 0.1, form="log", floor=1e-2)
    torch.testing.assert_close(value, -0.1 * (weight.abs() + 1e-2).log())
    value.sum().backward()
    torch.testing.assert_close(weight.grad, -0.1 * weight.detach().sign() / (weight.detach().abs() + 1e-2))


def test_plain_sgd_stays_where_it_is():
    net = nn.Sequential(nn.Conv2d(3, 8, 3))
    net[0].weight.data[0, 0, 0, 0] = 1e-8
    guidance, before = EntropyGuidance(net, {"0": 1e-3}), net[0].weight.abs().max().item()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for _ in range(3):
        optimizer.zero_grad()
        guidance().backward()
        optimizer.step()
    assert net[0].weight.abs().max().item() < before + 0.6  # three steps of 0.1 lambda / floor, with momentum


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_gradient_that_half_precision_cannot_hold_is_the_largest_it_can(dtype):
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Linear(2, 2)).to(dtype)
    net[0].weight.data[0, 0, 0, 0] = 1e-6
    net[1].weight.data = torch.diag(torch.tensor([1e-6, 1.0])).to(dtype)
    EntropyGuidance(net, {"0": 1.0, "1": 1.0}, floor=0)().backward()
    assert all(layer.weight.grad.isfinite().all() for layer in net)


# Lambda in the course of training.


def test_the_mean_over_a_layers_filters():
    net = convolutions()
    sums, means = (EntropyGuidance(net, {"0": 0.5, "1": 2.0, "3": 1.0}, reduction=r).terms() for r in ("sum", "mean"))
    for name, count in (("0", 4), ("1", 12), ("3", 1)):
        assert means[name].item() == pytest.approx(sums[name].item() / count)


def test_a_schedule_of_lambda():
    net = convolutions()
    guidance = EntropyGuidance(net, {"0": 1.0, "1": torch.tensor(2.0), "3": 1.0})
    first = {name: term.item() for name, term in guidance.terms().items()}
    guidance.set_lambda(3.0, "1")
    guidance.set_lambda(torch.tensor(5.0), "0")
    assert guidance.lambdas == {"0": 5.0, "1": 3.0, "3": 1.0}
    scaled = guidance.terms()
    assert scaled["0"].item() == pytest.approx(5 * first["0"])
    assert scaled["1"].item() == pytest.approx(1.5 * first["1"])
    guidance.set_lambda(0.5)
    assert guidance.terms()["3"].item() == pytest.approx(0.5 * first["3"])
    with pytest.raises(ValueError, match=r"'5' is not guided\. Guided layers: 0, 1, 3"):
        guidance.set_lambda(1.0, "5")
    with pytest.raises(ValueError, match="must be a finite number"):
        guidance.set_lambda(math.nan)


def test_tensor_lambdas_are_buffers_that_follow_and_numbers_stay_numbers():
    guidance = EntropyGuidance(convolutions(), {"0": torch.tensor(1.0), "1": 2.0})
    assert guidance.state_dict() == {} and len(list(guidance.buffers())) == 1
    guidance.to(torch.float64)
    assert guidance.lambdas["0"].dtype == torch.float64 and isinstance(guidance.lambdas["1"], float)
    guidance.set_lambda(3.0)
    assert len(list(guidance.buffers())) == 2


def test_the_log_of_the_last_pass():
    net = model()
    guidance = EntropyGuidance(net, {"0": 0.5, "2": -2.0})
    assert guidance.log() == {}
    total = guidance().item()
    logged = guidance.log()
    assert list(logged) == ["0", "2"] and sum(logged.values()) == pytest.approx(total)
    net[0].weight.data *= 2
    assert guidance.log() == logged  # of that pass


# What changes after construction.


@pytest.mark.parametrize("form", ["log", "reciprocal"])
def test_a_layer_frozen_later_is_warned_of_once(form):
    net = convolutions()
    guidance = EntropyGuidance(net, {"0": 1.0, "3": 1.0}, form=form, epsilon=1e-2)
    net.requires_grad_(False)
    with pytest.warns(UserWarning, match="is frozen: its penalty is a constant") as caught:
        guidance()
        guidance()
    assert len(caught) == 2  # one a layer


def test_a_penalty_that_becomes_infinite_or_constant_is_warned_of_once():
    net = nn.Sequential(nn.Conv2d(2, 2, 3), nn.Linear(3, 3))
    infinite = EntropyGuidance(net, {"0": 1.0, "1": 1.0}, floor=0)
    constant = EntropyGuidance(net, {"1": 1.0}, form="reciprocal")
    with torch.no_grad():
        net[0].weight[0, 0, 0, 0] = 0.0
        net[1].weight[0] = 0.0
    for guidance, message, times in (
        (infinite, "the penalty is infinite", 2),
        (constant, "its penalty is the const", 1),
    ):
        with pytest.warns(UserWarning, match=message) as caught:
            guidance()
            guidance()
        assert len(caught) == times


def test_weights_that_went_to_the_meta_device_are_refused():
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    guidance = EntropyGuidance(net, {"0": 1.0})
    net[0].weight = nn.Parameter(net[0].weight.detach().to("meta"))
    with pytest.raises(ValueError, match=r"layer '0': its weight is on the meta device.*bring it back first"):
        guidance()


# Which inputs form the square part.


def test_chosen_inputs_against_a_plain_loop():
    net = nn.Sequential(nn.Linear(6, 3), nn.Linear(3, 4)).double()
    chosen, all_ = [4, 0, 5], [2, 0, 1]
    guidance = EntropyGuidance(net, {"0": 0.5, "1": 1.0}, inputs={"0": chosen, "1": all_})
    terms = guidance.terms()
    block = np.array([[net[0].weight[o, i].item() for i in chosen] for o in range(3)])
    assert terms["0"].item() == pytest.approx(-0.5 * np.linalg.slogdet(block)[1])
    leading = EntropyGuidance(net, {"1": 1.0})()
    assert terms["1"].item() == pytest.approx(leading.item())  # the same columns in another order
    guidance().backward()
    untouched = sorted(set(range(6)) - set(chosen))
    assert not net[0].weight.grad[:, untouched].any() and net[0].weight.grad[:, chosen].all()


@pytest.mark.parametrize(
    ("inputs", "options", "message"),
    [
        ({"0": [0, 1, 6]}, {}, "layer '0': inputs must lie between 0 and 5, got 6"),
        ({"0": [0, 1, -1]}, {}, "layer '0': inputs must lie between 0 and 5, got -1"),
        ({"0": [0, 1, 1]}, {}, "layer '0': inputs must differ, 1 is given twice"),
        ({"0": [0, 1]}, {}, "layer '0': inputs must name 3 inputs, as many as the square part of a weight 3 x 6 has"),
        ({"0": [0, 1, 0.5]}, {}, "layer '0': inputs must be a list of whole numbers"),
        ({"0": 3}, {}, "layer '0': inputs must be a list of whole numbers, got 3"),
        ({"0": [0, 1, 2]}, {"form": "exact"}, "layer '0': .*alone: the exact form acts on all inputs"),
        ({"1": [0, 1, 2]}, {}, "inputs are given for '1', which is not guided"),
    ],
)
def test_inputs_that_do_not_fit(inputs, options, message):
    with pytest.raises(ValueError, match=message):
        EntropyGuidance(nn.Sequential(nn.Linear(6, 3)), {"0": 1.0}, inputs=inputs, **options)


def test_a_convolution_has_no_square_part():
    with pytest.raises(ValueError, match=r"layer '0': inputs can be chosen for matrices .*alone: a convolution has no"):
        EntropyGuidance(convolutions(), {"0": 1.0}, inputs={"0": [0]})


# Exact changes of layers of every kind, per output pixel.


@pytest.mark.parametrize(
    ("layer", "image_size", "matrices"),
    [
        (nn.Conv2d(4, 6, 3, stride=2, groups=2), (6, 4), 6),
        (nn.Conv1d(3, 2, 3), 8, 8),
        (nn.Conv3d(2, 2, 2), (2, 3, 4), 24),
        (nn.ConvTranspose2d(2, 3, 2, stride=2), 6, 9),
        (nn.ConvTranspose1d(4, 2, 3, groups=2), 8, 8),
    ],
)
def test_the_exact_form_of_every_kind_of_convolution(layer, image_size, matrices):
    net = nn.Sequential(layer).double()
    found = EntropyGuidance(net, {"0": 1.0}, form="exact", image_size=image_size)()
    weight, groups = layer.weight.detach(), layer.groups
    expected = sum(
        exact_conv_entropy_change(
            part, (image_size,) * (weight.ndim - 2) if isinstance(image_size, int) else image_size, stride=layer.stride
        ).item()
        for part in weight.reshape(groups, -1, *weight.shape[1:])
    )
    assert found.item() == pytest.approx(-expected / matrices)
    found.backward()
    assert layer.weight.grad.any()


# Compilers, functional transforms, anomaly mode.


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # by torch's own compiler
@pytest.mark.parametrize("form", ["log", "reciprocal", "exact"])
def test_a_whole_training_step_compiles(form):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.Conv1d(3, 2, 1), nn.Flatten(), nn.Linear(8, 4))
    net[1] = nn.Conv2d(3, 2, 1)
    lambdas = {"0": 0.1, "1": torch.tensor(0.1), "3": 0.1}
    guidance = EntropyGuidance(net, lambdas, form=form, epsilon=0.1, image_size=4)
    x = torch.randn(2, 2, 2, 2)

    def step(x):
        return net(x).square().mean() + guidance()

    step(x).backward()
    expected = [p.grad.clone() for p in net.parameters()]
    net.zero_grad()
    torch.compile(step, fullgraph=True, backend="aot_eager")(x).backward()
    for parameter, gradient in zip(net.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


@pytest.mark.parametrize("form", ["log", "reciprocal", "exact"])
def test_anomaly_mode_with_a_zero_layer(form):
    net = nn.Sequential(nn.Conv2d(2, 2, 1), nn.Linear(2, 2))
    for layer in net:
        nn.init.zeros_(layer.weight)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        guidance = EntropyGuidance(net, {"0": 1.0, "1": 1.0}, form=form, epsilon=0.1, image_size=2)
        with torch.autograd.set_detect_anomaly(True):
            guidance().backward()
    assert all(layer.weight.grad.isfinite().all() for layer in net)


@pytest.mark.parametrize("form", ["log", "reciprocal"])
def test_functional_gradients_and_those_of_gradients(form):
    net = nn.Sequential(nn.Conv2d(2, 3, 2), nn.Linear(3, 3)).double()
    guidance = EntropyGuidance(net, {"0": 0.7, "1": -0.3}, form=form, epsilon=0.1)

    class Penalty(nn.Module):
        def __init__(self):
            super().__init__()
            self.net, self.guidance = net, guidance

        def forward(self):
            return self.guidance()

    names = ("net.0.weight", "net.1.weight")

    def value(*weights):
        return torch.func.functional_call(Penalty(), dict(zip(names, weights, strict=True)), ())

    weights = tuple(layer.weight.detach().clone() for layer in net)
    guidance().backward()
    found = torch.func.grad(value, argnums=(0, 1))(*weights)
    for layer, gradient in zip(net, found, strict=True):
        torch.testing.assert_close(layer.weight.grad, gradient)
    assert torch.autograd.gradgradcheck(value, tuple(weight.requires_grad_() for weight in weights))


def test_names_of_wrapped_models():
    net = model()
    wrapped = nn.DataParallel(net)
    for names in ("0", "module.0"):
        assert list(EntropyGuidance(wrapped, {names: 1.0}).terms()) == [names]
    assert EntropyGuidance(net, {"module.0": 1.0})().item() == EntropyGuidance(net, {"0": 1.0})().item()
    compiled = torch.compile(net, backend="eager")
    assert list(EntropyGuidance(compiled, {"2": 1.0}).terms()) == ["2"]
