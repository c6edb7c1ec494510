import copy
import warnings

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from entropy_guidance import (
    Convolution,
    Dense,
    EntropyGuidance,
    conv_entropy_change,
    dense_entropy_change,
    layers,
    profile,
    register_layer,
)
from entropy_guidance.layers import read, reader_of
from entropy_guidance.weights import NotThere, Unreadable


def the_map(module, part=""):
    return next(each for each in read(module) if each.part == part)


def linear_map(function, inputs):
    """The matrix of a linear function of vectors."""
    return torch.stack([function(each) for each in torch.eye(inputs)], dim=1)


# What a layer applies, told by feeding it a basis.


def test_the_matrix_of_a_linear_layer():
    layer = nn.Linear(4, 3, bias=False)
    torch.testing.assert_close(the_map(layer).weight, linear_map(layer, 4))


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv1d(4, 6, 3, groups=2),
        nn.Conv2d(2, 3, (3, 2), stride=2, dilation=(1, 2)),
        nn.Conv3d(2, 2, 2),
        nn.ConvTranspose1d(4, 6, 3, groups=2),
        nn.ConvTranspose2d(2, 3, (3, 2), stride=2),
        nn.ConvTranspose3d(2, 4, 2, groups=2),
    ],
)
def test_the_filters_of_convolutions_go_from_input_to_output(layer):
    each = the_map(layer)
    assert isinstance(each, Convolution) and each.transposed == layer.transposed and each.groups == layer.groups
    weight, groups = each.weight, layer.groups
    assert weight.shape[:2] == (layer.out_channels, layer.in_channels // groups)
    per_group = layer.in_channels // groups
    for o in range(layer.out_channels):
        for i in range(per_group):
            channel = o // (layer.out_channels // groups) * per_group + i
            stored = (
                layer.weight[channel, o % (layer.out_channels // groups)] if layer.transposed else layer.weight[o, i]
            )
            assert torch.equal(weight[o, i], stored)


def test_the_projections_of_attention():
    layer = nn.MultiheadAttention(4, 2, bias=False)
    queries, keys, values = the_map(layer, "in_proj_weight").weight
    x = torch.randn(5, 1, 4)
    scores = (x[:, 0] @ queries.T).reshape(5, 2, 2).movedim(1, 0) @ (x[:, 0] @ keys.T).reshape(5, 2, 2).movedim(1, 0).mT
    heads = (scores / 2**0.5).softmax(-1) @ (x[:, 0] @ values.T).reshape(5, 2, 2).movedim(1, 0)
    mine = heads.movedim(0, 1).reshape(5, 4) @ layer.out_proj.weight.T
    torch.testing.assert_close(layer(x, x, x)[0][:, 0], mine)
    apart = nn.MultiheadAttention(4, 2, kdim=3, vdim=5)
    assert [each.part for each in read(apart)] == ["q_proj_weight", "k_proj_weight", "v_proj_weight"]


@pytest.mark.parametrize(("kind", "gates"), [(nn.LSTM, 4), (nn.GRU, 3), (nn.RNN, 1)])
def test_the_gates_of_recurrent_layers(kind, gates):
    layer = kind(3, 5, num_layers=2, bidirectional=True)
    maps = {each.part: each.weight for each in read(layer)}
    assert set(maps) == {f"weight_{a}_l{k}{r}" for a in ("ih", "hh") for k in (0, 1) for r in ("", "_reverse")}
    assert maps["weight_ih_l0"].shape == ((gates, 5, 3) if gates > 1 else (5, 3))
    assert torch.equal(maps["weight_hh_l1"].reshape(-1, 5), layer.weight_hh_l1)
    cell = {nn.LSTM: nn.LSTMCell, nn.GRU: nn.GRUCell, nn.RNN: nn.RNNCell}[kind](3, 5)
    assert {each.part for each in read(cell)} == {"weight_ih", "weight_hh"}
    projected = {each.part: each.weight.shape for each in read(nn.LSTM(3, 5, proj_size=2))}
    assert projected["weight_hr_l0"] == (2, 5) and projected["weight_hh_l0"] == (4, 5, 2)


def test_bilinear_layers_and_experts():
    layer = nn.Bilinear(2, 3, 4, bias=False)
    x, y = torch.randn(2), torch.randn(3)
    torch.testing.assert_close(layer(x, y), torch.stack([x @ one @ y for one in the_map(layer).weight]))

    class Experts(nn.Module):
        def __init__(self, transposed):
            super().__init__()
            self.gate_up_proj, self.down_proj = nn.Parameter(torch.randn(2, 6, 4)), nn.Parameter(torch.randn(2, 4, 3))
            self.is_transposed = transposed

    assert {each.part: each.weight.shape for each in read(Experts(False))}["down_proj"] == (2, 4, 3)
    assert {each.part: each.weight.shape for each in read(Experts(True))}["down_proj"] == (2, 3, 4)
    model = nn.ModuleDict({"experts": Experts(False), "router": nn.Linear(4, 2)})
    with pytest.warns(UserWarning, match="share a weight"):
        terms = EntropyGuidance(model, {"experts.down_proj": -1.0, "experts": -1.0}).terms()
    down, up = (dense_entropy_change(getattr(model["experts"], name)).sum() for name in ("down_proj", "gate_up_proj"))
    torch.testing.assert_close(terms["experts.down_proj"], down)
    torch.testing.assert_close(terms["experts"], down + up)


def test_a_layer_of_ones_own():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.matrix, self.scale = nn.Parameter(torch.randn(3, 3)), nn.Parameter(torch.tensor(2.0))

    with pytest.raises(ValueError, match=r"'0': .*Scaled is not supported. Layers that can be guided: 1"):
        EntropyGuidance(nn.Sequential(Scaled(), nn.Linear(2, 2)), {"0": 1.0})
    net = nn.Sequential(Scaled(), nn.Linear(2, 2))
    assert "register_layer" in profile(net).skipped_layers()["skipped"][0]
    register_layer(Scaled, lambda module: [Dense(module.matrix * module.scale)])
    try:
        guidance = EntropyGuidance(net, {"0": -1.0})
        torch.testing.assert_close(guidance(), dense_entropy_change(net[0].matrix * 2))
        guidance().backward()
        assert net[0].scale.grad.item() == pytest.approx(1.5)  # of 3 log(scale)
        assert profile(net).summary()["name"].tolist() == ["0", "1"]
    finally:
        layers._readers.pop(Scaled)
    assert reader_of(net[0]) is None


# Weights that are computed.


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated:FutureWarning")
@pytest.mark.parametrize(
    "wrap",
    [
        nn.utils.weight_norm,
        nn.utils.spectral_norm,
        parametrizations.weight_norm,
        parametrizations.spectral_norm,
        parametrizations.orthogonal,
        lambda layer: prune.l1_unstructured(layer, "weight", 0.2),
        lambda layer: prune.random_unstructured(prune.l1_unstructured(layer, "weight", 0.2), "weight", 0.2),
    ],
)
def test_computed_weights_are_read_without_a_trace_and_carry_a_gradient(wrap):
    torch.manual_seed(0)
    net = nn.Sequential(wrap(nn.Linear(4, 4)))
    before = copy.deepcopy(net.state_dict())
    guidance = EntropyGuidance(net, {"0": 1e-3}, form="reciprocal", epsilon=1e-2)
    profile(net)
    with torch.no_grad():
        net.eval()
        x = torch.eye(4)
        expected = (net(x) - net(torch.zeros(4))).T
        net.train()
    torch.testing.assert_close(the_map(net[0]).weight, expected)
    guidance().backward()
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert any(p.grad is not None and p.grad.any() for p in net.parameters())
    assert net.training and net[0].training


class Standardised(nn.Conv2d):
    def forward(self, x):
        return nn.functional.conv2d(x, self.weight / self.weight.std(), self.bias)


class Int8(nn.Linear):
    def __init__(self, source):
        super().__init__(source.in_features, source.out_features)
        self.scale = source.weight.detach().abs().amax() / 127
        self.weight = nn.Parameter((source.weight.detach() / self.scale).round().to(torch.int8), requires_grad=False)

    def forward(self, x):
        return nn.functional.linear(x, self.weight.to(x.dtype) * self.scale, self.bias)


def test_layers_whose_forward_transforms_the_weight():
    layer = Standardised(2, 3, 3)
    torch.testing.assert_close(the_map(layer).weight, layer.weight / layer.weight.std())
    guidance = EntropyGuidance(nn.Sequential(layer), {"0": 1e-2})
    before = guidance().item()
    layer.weight.data *= 10
    assert guidance().item() == pytest.approx(before, rel=1e-5)  # the same layer
    guidance().backward()
    assert layer.weight.grad.any()
    source = nn.Linear(8, 8)
    torch.testing.assert_close(the_map(Int8(source)).weight, source.weight, rtol=0, atol=0.01)


class Twice(nn.Linear):
    def forward(self, x):
        return nn.functional.linear(nn.functional.linear(x, self.weight), self.weight)


def test_a_forward_that_cannot_be_followed():
    with pytest.raises(Unreadable, match=r"layer 'it' .*Twice.: its own forward.. applies 2 weights .*register_layer"):
        read(Twice(2, 2), "it")


def test_sharing_is_told_by_parameters_and_not_by_temporaries():
    net = nn.Sequential(*(parametrizations.weight_norm(nn.Linear(8, 8)) for _ in range(12)))
    EntropyGuidance(net, {str(k): 1e-3 for k in range(12)})  # a warning would be an error here
    assert len(profile(net).summary()) == 12
    tied = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    tied[1].weight = tied[0].weight
    tied.requires_grad_(False)
    with pytest.warns(UserWarning) as caught:
        EntropyGuidance(tied, {"0": 1.0, "1": 1.0})
    messages = [str(warning.message) for warning in caught]
    assert [("share a weight" in m, "is frozen" in m) for m in messages] == [
        (False, True),
        (True, False),
        (False, True),
    ]


def test_a_weight_without_a_gradient_though_its_parameters_have_one():
    class Detached(nn.Linear):
        def forward(self, x):
            return nn.functional.linear(x, self.weight.detach().tanh())

    with pytest.warns(UserWarning, match="carries no gradient to its parameters, though they are trained"):
        EntropyGuidance(nn.Sequential(Detached(3, 3)), {"0": 1.0})


# What cannot be read.


class Packed(torch.Tensor):
    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        if func is torch.ops.aten.detach.default:
            return torch.Tensor._make_wrapper_subclass(cls, args[0].shape)
        raise NotImplementedError(func)


def packed():
    layer = nn.Linear(2, 2)
    layer.weight = nn.Parameter(torch.Tensor._make_wrapper_subclass(Packed, (2, 2)), requires_grad=False)
    return layer


def with_weight(weight):
    layer = nn.Linear(2, 2)
    layer.weight = nn.Parameter(weight, requires_grad=False)
    return layer


UNREADABLE = [
    (
        with_weight(torch.ones(2, 2, dtype=torch.int8)),
        r"its weight holds torch.int8, numbers that only the layer's",
    ),
    (with_weight(torch.eye(2).to_sparse()), r"its weight is stored as torch.sparse_coo: make it dense, with .to_dense"),
    (with_weight(torch.eye(2, dtype=torch.cfloat)), "it has complex weights"),
    (packed(), r"its weight is a .*test_layers.Packed, whose numbers only that package can read"),
]


@pytest.mark.parametrize(("layer", "reason"), UNREADABLE)
def test_what_cannot_be_read_is_refused_by_guidance_and_listed_by_the_profile(layer, reason):
    net = nn.ModuleDict({"fc": layer})
    with pytest.raises(ValueError, match=rf"layer 'fc' .torch.nn.modules.linear.Linear.: {reason}"):
        EntropyGuidance(net, {"fc": 1.0})
    (row,) = profile(net).skipped_layers().to_dict("records")
    assert row["name"] == "fc" and row["skipped"].startswith(reason[:9])


def freed():
    layer = nn.Linear(4, 4)
    layer.weight.untyped_storage().resize_(0)
    return layer


def partitioned():
    layer = with_weight(torch.empty(0))
    layer.weight.ds_id = 3
    return layer


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (nn.LazyLinear(2), "it has no weights yet: run the model once"),
        (freed(), r"its memory is freed, as FSDP frees it .*fully_shard.*summon_full_params"),
        (with_weight(torch.ones(4)), r"its weight has the shape .4,., as FSDP1 leaves it"),
        (partitioned(), r"ZeRO-3 has partitioned its weight: gather it first, .*GatheredParameters"),
    ],
)
def test_what_is_not_there_is_refused_by_both(layer, reason):
    net = nn.ModuleDict({"fc": layer})
    for look in (lambda: EntropyGuidance(net, {"fc": 1.0}), lambda: profile(net)):
        with pytest.raises(NotThere, match=rf"layer 'fc' .*: {reason}"):
            look()


def test_float8_is_read_in_float32():
    layer = with_weight(torch.diag(torch.tensor([2.0, 0.5])).to(torch.float8_e4m3fn))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it is frozen
        assert EntropyGuidance(nn.Sequential(layer), {"0": 1.0})().item() == pytest.approx(0.0)
    assert profile(layer)["entropy_change"][0] == pytest.approx(0.0)


def test_one_and_three_dimensional_convolutions_are_guided():
    net = nn.Sequential(nn.Conv1d(2, 3, 3), nn.Conv3d(2, 2, 2), nn.ConvTranspose2d(2, 3, 2))
    terms = EntropyGuidance(net, {"0": 1.0, "1": 1.0, "2": 1.0}, floor=0).terms()
    for k, dimensions in ((0, 1), (1, 3), (2, 2)):
        expected = -conv_entropy_change(net[k].weight, dimensions=dimensions).sum()
        torch.testing.assert_close(terms[str(k)], expected)
