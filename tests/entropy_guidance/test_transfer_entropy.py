"""Transfer entropy against loops over Python ints, closed forms and its null law."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

from entropy_guidance.transfer_entropy import (
    TransferCounter,
    TransferEntropyFeedback,
    null_probability,
    transfer_entropy,
)

XS, YS = [0, 1, 1, 1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 1, 1, 0, 0, 0]


def naive_counts(source, target, sources=(0, 1), targets=(0, 1)):
    """The plain reference: nested lists [next][present][source's present] of one pair of series."""
    counts = [[[0 for _ in sources] for _ in targets] for _ in targets]
    for time in range(len(target) - 1):
        counts[targets.index(target[time + 1])][targets.index(target[time])][sources.index(source[time])] += 1
    return counts


def naive_bits(counts):
    """T of counts as above: the sum of p(i', i, j) log2[p(i' | i, j) / p(i' | i)]."""
    targets, sources = range(len(counts)), range(len(counts[0][0]))
    total = sum(counts[a][b][c] for a in targets for b in targets for c in sources)
    bits = 0.0
    for next_, present, other in itertools.product(targets, targets, sources):
        n = counts[next_][present][other]
        if n:
            given_both = n / sum(counts[a][present][other] for a in targets)
            of_next = sum(counts[next_][present][c] for c in sources)
            given_own = of_next / sum(counts[a][present][c] for a in targets for c in sources)
            bits += n / total * math.log2(given_both / given_own)
    return bits


def coins(*shape, p=0.5, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) < p


def binary_entropy(p):
    return -p * math.log2(p) - (1 - p) * math.log2(1 - p)


# The estimator


def test_the_printed_example():
    assert transfer_entropy(XS, YS).item() == pytest.approx(0.811278124, abs=1e-9)
    assert transfer_entropy(YS, XS).item() == pytest.approx(0.122556249, abs=1e-9)


@pytest.mark.parametrize(("sources", "targets"), [(2, 2), (3, 2), (2, 4), (5, 3)])
def test_values_are_those_of_the_loop(sources, targets):
    generator = torch.Generator().manual_seed(sources * targets)
    x, y = (torch.randint(k, (200,), generator=generator) for k in (sources, targets))
    counts = naive_counts(x.tolist(), y.tolist(), tuple(range(sources)), tuple(range(targets)))
    assert transfer_entropy(x, y).item() == pytest.approx(naive_bits(counts), abs=1e-12)


@pytest.mark.parametrize("noise", [0.1, 0.3])
def test_a_noisy_copy_of_the_source(noise):
    n = 200_000
    x, flips = coins(n), coins(n, p=noise, seed=1)
    y = torch.cat((x[:1], (x ^ flips)[:-1]))
    assert transfer_entropy(x, y).item() == pytest.approx(1 - binary_entropy(noise), abs=0.005)
    assert transfer_entropy(y, x).item() < 1e-4


def test_exclusive_or_of_source_and_own_past():
    # I(X; Y') = 0, so a lagged mutual information would miss it.
    n, noise = 200_000, 0.1
    x, flips = coins(n).tolist(), coins(n, p=noise, seed=1).tolist()
    y = [0]
    for time in range(n - 1):
        y.append(x[time] ^ y[-1] ^ flips[time])
    joint = torch.bincount(2 * torch.tensor(x[:-1]) + torch.tensor(y[1:])).double() / (n - 1)
    product = joint.reshape(2, 2).sum(1)[:, None] * joint.reshape(2, 2).sum(0)
    assert (joint * (joint / product.flatten()).log2()).sum() < 1e-4
    assert transfer_entropy(x, y).item() == pytest.approx(1 - binary_entropy(noise), abs=0.005)


def test_a_lag_of_2_is_not_seen():
    x = coins(200_000)
    assert transfer_entropy(x[2:], x[:-2]).item() < 1e-4


def test_the_own_past_explains_a_copy():
    x = coins(1000)
    assert transfer_entropy(x, x) == 0


@pytest.mark.parametrize("constant", [0, 1])
def test_constant_series_give_exactly_0(constant):
    x, still = coins(1001).long(), torch.full((1001,), constant)
    assert transfer_entropy(x, still) == 0 and transfer_entropy(still, x) == 0 and transfer_entropy(still, still) == 0
    counter = TransferCounter()
    counter.add(torch.stack((x, still)).bool(), torch.stack((x, still)).bool())
    assert counter.bits().flatten().tolist() == [0, 0, 0, 0]


def test_which_symbols_they_are_does_not_matter():
    x, y = coins(300).long(), coins(300, seed=1).long()
    assert transfer_entropy(7 - 2 * x, 5 * y - 3) == pytest.approx(transfer_entropy(x, y).item(), abs=1e-15)


def test_two_images_have_one_transition_and_no_transfer():
    assert transfer_entropy([0, 1], [1, 0]) == 0


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ([0], [1], "two symbols"),
        ([], [], "integers or booleans|two symbols"),
        ([0, 1], [0, 1, 1], "equally long"),
        ([0.5, 1.0], [0, 1], "integers or booleans"),
        ([math.nan, 1.0], [0, 1], "integers or booleans"),
        ([[0, 1]], [[0, 1]], "series"),
    ],
)
def test_bad_series(source, target, message):
    with pytest.raises(ValueError, match=message):
        transfer_entropy(source, target)


def test_transfer_entropy_lies_between_0_and_the_targets_own_uncertainty():
    for seed in range(50):
        x, y = coins(20, p=0.3, seed=seed), coins(20, p=0.6, seed=1000 + seed)
        counts = torch.tensor(naive_counts(x.int().tolist(), y.int().tolist())).double().sum(-1)
        given = counts / counts.sum(0).clamp(min=1)
        own = -(counts / 19 * given.clamp(min=1e-300).log2()).sum().item()
        assert 0 <= transfer_entropy(x, y).item() <= own + 1e-12


# Its null law


def test_of_independent_series_2_n_nats_are_chi_square_with_two_degrees():
    n = 400
    x, y = coins(40, n + 1), coins(20, n + 1, seed=1)
    counter = TransferCounter()
    counter.add(x, y)
    statistic = (2 * n * math.log(2) * counter.bits()).flatten()  # 800 pairs
    assert statistic.mean().item() == pytest.approx(2, abs=0.2)
    assert statistic.var().item() == pytest.approx(4, abs=1.2)
    assert (null_probability(counter.bits(), n) < 0.05).double().mean().item() == pytest.approx(0.05, abs=0.025)


def test_probability_of_two_degrees_is_an_exponential():
    assert null_probability(torch.tensor(0.01), 512).item() == pytest.approx(math.exp(-512 * 0.01 * math.log(2)))
    assert null_probability(torch.tensor(0.0), 512) == 1
    with pytest.raises(ValueError, match="transitions"):
        null_probability(torch.tensor(0.1), 0)


@pytest.mark.parametrize(("sources", "targets", "freedom"), [(2, 2, 2), (3, 2, 4), (2, 3, 6), (4, 3, 18)])
def test_degrees_of_freedom(sources, targets, freedom):
    stats = pytest.importorskip("scipy.stats")
    found = null_probability(torch.tensor(0.02), 300, sources=sources, targets=targets)
    assert found.item() == pytest.approx(stats.chi2.sf(2 * 300 * math.log(2) * 0.02, freedom), rel=1e-6)


# Counts of batches


def test_counts_and_values_of_all_pairs_are_those_of_the_loop():
    x, y = coins(3, 60, p=0.4), coins(4, 60, p=0.7, seed=1)
    counter = TransferCounter()
    counter.add(x, y)
    expected = [[naive_counts(s, t) for t in y.int().tolist()] for s in x.int().tolist()]
    assert counter.counts.tolist() == expected
    bits = [[naive_bits(counts) for counts in row] for row in expected]
    assert np.abs(counter.bits().numpy() - np.array(bits)).max() < 1e-12


def test_rare_and_common_symbols_of_a_whole_window():
    x, y = coins(10, 512, p=0.05), coins(10, 512, p=0.95, seed=1)
    counter = TransferCounter()
    counter.add(x, y)
    expected = [[transfer_entropy(s, t) for t in y] for s in x]
    assert (counter.bits() - torch.tensor(expected)).abs().max() < 1e-12


def test_a_series_of_many_symbols():
    n = 100_000  # the own past tells all: each symbol comes once
    assert transfer_entropy(torch.arange(n), torch.arange(n)) == 0


@pytest.mark.parametrize("sizes", [[100], [1] * 100, [7, 1, 50, 42], [99, 1]])
def test_counts_over_batches_are_those_over_the_series(sizes):
    x, y = coins(3, 100), coins(4, 100, seed=1)
    whole, parts = TransferCounter(), TransferCounter()
    whole.add(x, y)
    for a, b in zip(x.split(sizes, -1), y.split(sizes, -1), strict=True):
        parts.add(a, b)
    assert torch.equal(whole.counts, parts.counts) and parts.images == 100


@pytest.mark.parametrize("sizes", [[100], [1] * 100, [7, 1, 50, 42], [99, 1], [32, 32, 36]])
@pytest.mark.parametrize("window", [2, 16, 99, 100])
def test_a_window_holds_its_last_images_alone(window, sizes):
    x, y = coins(3, 100), coins(4, 100, seed=1)
    sliding, fresh = TransferCounter(window), TransferCounter()
    for a, b in zip(x.split(sizes, -1), y.split(sizes, -1), strict=True):
        sliding.add(a, b)
    fresh.add(x[:, -window:], y[:, -window:])
    assert torch.equal(sliding.counts, fresh.counts) and sliding.images == window
    assert torch.equal(sliding.bits(), fresh.bits())


def test_a_stack_of_models_counts_as_each_alone():
    x, y = coins(2, 3, 50), coins(2, 4, 50, seed=1)
    stack = TransferCounter(32)
    stack.add(x, y)
    for model in range(2):
        single = TransferCounter(32)
        single.add(x[model], y[model])
        assert torch.equal(stack.counts[model], single.counts) and torch.equal(stack.bits()[model], single.bits())


def test_bad_counters():
    for window in (1, 0, 2.5):
        with pytest.raises(ValueError, match="window"):
            TransferCounter(window)
    with pytest.raises(ValueError, match="two images"):
        TransferCounter().bits()
    for source, target in ((torch.zeros(2, 5), coins(2, 5)), (coins(2, 5), coins(2, 6)), (coins(5), coins(5))):
        with pytest.raises(ValueError, match="booleans"):
            TransferCounter().add(source, target)


# The feedback


class Stack(nn.Module):
    """A stack of linear layers: (M, B, F) -> (M, B, K)."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight.clone())

    def forward(self, x):
        return x @ self.weight.mT


def features(*shape, seed=0):
    return 3 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def layer_of(k=5, f=8, seed=0):
    return Stack(features(k, f, seed=seed) / 6)


def expected_strength(logits, window):
    """V of the loop, at the window's end."""
    symbols = (logits.abs() >= 1).int().T.tolist(), (logits.softmax(-1) >= 0.9).int().T.tolist()
    source, target = ([series[-window:] for series in part] for part in symbols)
    return torch.tensor([[naive_bits(naive_counts(s, t)) for t in target] for s in source]).double()


def step(feedback, layer, x):
    out = layer(x)
    layer.weight.grad = None
    out.square().mean().backward()
    return out.detach(), feedback()


@pytest.mark.parametrize("target", ["weights", "gradient"])
def test_the_update_is_that_of_the_loop(target):
    layer, x = layer_of(), features(40, 8, seed=1)
    with TransferEntropyFeedback(layer, target, window=32) as feedback:
        before = layer.weight.detach().clone()
        layer(x).square().mean().backward()
        gradient = layer.weight.grad.clone()
        logits = layer(x).detach()
        feedback._logits.pop()  # the second pass
        strength = feedback()
    wanted = expected_strength(logits, 32)
    assert torch.allclose(strength, wanted, atol=1e-12) and strength.max() > 0
    change = (torch.eye(5) - wanted.float()).T
    if target == "weights":
        assert torch.allclose(layer.weight, change @ before, atol=1e-6) and torch.equal(layer.weight.grad, gradient)
    else:
        assert torch.equal(layer.weight, before) and torch.allclose(layer.weight.grad, change @ gradient, atol=1e-6)


def test_after_the_first_time_the_drop_acts():
    layer, batches = layer_of(), features(3, 32, 8, seed=1)
    seen = []
    with TransferEntropyFeedback(layer, window=64) as feedback:
        for x in batches:
            logits, strength = step(feedback, layer, x)
            seen.append((logits, strength))
    assert seen[0][1] is None
    first = expected_strength(torch.cat([seen[0][0], seen[1][0]]), 64)
    second = expected_strength(torch.cat([seen[1][0], seen[2][0]]), 64)
    assert torch.allclose(seen[1][1], first, atol=1e-12)
    assert torch.allclose(seen[2][1], (first - second).clamp(min=0), atol=1e-12)


def test_no_transfer_leaves_the_weights_bit_for_bit():
    layer = layer_of()
    before = layer.weight.detach().clone()
    with TransferEntropyFeedback(layer, window=8) as feedback:
        _, strength = step(feedback, layer, torch.zeros(8, 8))  # no logit is large, no prediction sure
    assert not strength.any() and torch.equal(layer.weight, before)


def test_a_multiple_of_the_identity_scales_the_weights(monkeypatch):
    layer = layer_of()
    before = layer.weight.detach().clone()
    monkeypatch.setattr(TransferCounter, "bits", lambda _: 0.25 * torch.eye(5).double())
    with TransferEntropyFeedback(layer, window=8) as feedback:
        step(feedback, layer, features(8, 8))
    assert torch.equal(layer.weight, 0.75 * before)


def test_a_stack_of_models_changes_as_each_alone():
    weights, x = features(2, 5, 8) / 6, features(2, 40, 8, seed=1)
    stack = Stack(weights)
    with TransferEntropyFeedback(stack, window=40) as feedback:
        step(feedback, stack, x)
    for model in range(2):
        single = Stack(weights[model])
        with TransferEntropyFeedback(single, window=40) as feedback:
            step(feedback, single, x[model])
        assert torch.allclose(stack.weight[model], single.weight, atol=1e-6)


def test_a_batch_may_go_through_the_model_in_parts():
    x = features(32, 8, seed=1)
    weights = []
    for parts in ([32], [8, 24]):
        layer = layer_of()
        with TransferEntropyFeedback(layer, window=32) as feedback:
            for part in x.split(parts):
                layer(part).sum().backward()
            feedback()
        weights.append(layer.weight.detach())
    assert torch.allclose(*weights, atol=1e-6)


def test_evaluation_is_not_counted():
    layer = layer_of()
    with TransferEntropyFeedback(layer, window=8) as feedback:
        step(feedback, layer, features(8, 8))
        layer.eval()(features(100, 8))
        with pytest.raises(ValueError, match="not run in training mode"):
            feedback()


def test_each_epoch_starts_with_an_empty_window():
    layer = layer_of()
    feedback = TransferEntropyFeedback(layer, window=16)
    for _ in range(2):
        with feedback:
            assert step(feedback, layer, features(8, 8))[1] is None
            assert step(feedback, layer, features(8, 8, seed=2))[1] is not None
    assert not layer._forward_hooks


def mean_change(placebo, seeds=60):
    changes = []
    for seed in range(seeds):
        layer = Stack(torch.eye(6))
        before = layer.weight.detach().clone()
        with TransferEntropyFeedback(layer, window=128, placebo=placebo, seed=seed) as feedback:
            step(feedback, layer, features(128, 6, seed=seed))
        changes.append((layer.weight - before).norm().item())
    return np.mean(changes), np.std(changes) / math.sqrt(seeds)


def test_of_independent_images_the_permuted_placebo_changes_as_much():
    (ours, error), (placebo, other) = mean_change(None), mean_change("permuted")
    assert abs(ours - placebo) < 4 * math.hypot(error, other)


def test_the_diagonal_placebo_has_the_mean_on_its_diagonal():
    strengths = []
    for placebo in (None, "diagonal"):
        layer = layer_of()
        with TransferEntropyFeedback(layer, window=40, placebo=placebo) as feedback:
            strengths.append(step(feedback, layer, features(40, 8, seed=1))[1])
    assert torch.allclose(strengths[1], strengths[0].mean() * torch.eye(5).double())


@pytest.mark.parametrize(("share", "pairs"), [(0.2, 5), (0.01, 1), (1.0, 25)])
def test_a_share_of_the_pairs_is_drawn_once(share, pairs):
    layer = layer_of()
    feedback = TransferEntropyFeedback(layer, window=8, pairs=share, seed=3)
    seen = torch.zeros(5, 5)
    for seed in range(40):
        with feedback:
            seen += step(feedback, layer, features(40, 8, seed=seed))[1] > 0
    assert (seen > 0).sum() <= pairs and (share < 1 or (seen > 0).sum() > 5)
    drawn = feedback._acting
    assert drawn is None if share == 1 else drawn.sum() == pairs


def test_bad_feedback():
    layer = layer_of()
    for arguments, message in (
        ({"layer": nn.ReLU()}, "no matrix"),
        ({"target": "bias"}, "unknown target"),
        ({"placebo": "none"}, "unknown placebo"),
        ({"window": 1}, "window"),
        ({"pairs": 0}, "pairs"),
        ({"pairs": 1.5}, "pairs"),
        ({"pairs": math.nan}, "pairs"),
    ):
        with pytest.raises(ValueError, match=message):
            TransferEntropyFeedback(**{"layer": layer} | arguments)


def test_a_window_longer_than_the_epoch():
    layer = layer_of()
    with (
        pytest.raises(ValueError, match="window of 64 images was never full: only 8 came"),
        TransferEntropyFeedback(layer, window=64) as feedback,
    ):
        step(feedback, layer, features(8, 8))
    assert not layer._forward_hooks


def test_bad_calls():
    layer = layer_of()
    with TransferEntropyFeedback(layer, window=2) as feedback:
        layer(torch.full((4, 8), math.nan))
        with pytest.raises(ValueError, match="finite"):
            feedback()
        feedback._logits.append(torch.zeros(4, 7))
        with pytest.raises(ValueError, match="do not fit"):
            feedback()
        step(feedback, layer, features(4, 8))
    with TransferEntropyFeedback(layer_of(), "gradient", window=2) as feedback:
        feedback.layer(features(4, 8))
        with pytest.raises(ValueError, match="no gradient"):
            feedback()
        feedback._seen = 2
