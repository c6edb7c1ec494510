"""Matrix-based entropies against numpy's eigenvalues, frequencies, closed forms."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from entropy_guidance import renyi
from entropy_guidance.renyi import (
    InformationPlane,
    Width,
    delta_gram,
    entropy,
    gram,
    joint_entropy,
    map_grams,
    mutual_information,
    redundancy_minus_synergy,
    total_correlation,
    unique_plus_synergy,
)

ALPHAS = [0.5, 1.0, 1.01, 2.0, 5.0]


def double(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def numpys_entropy(matrix, alpha):
    """The definition, by numpy's eigenvalues of a general matrix."""
    matrix = np.asarray(matrix, dtype=float)
    roots = np.sqrt(np.diag(matrix))
    eigenvalues = np.linalg.eigvals(matrix / np.outer(roots, roots) / len(matrix)).real
    eigenvalues = eigenvalues[eigenvalues > 1e-15]
    if alpha == 1:
        return float(-(eigenvalues * np.log2(eigenvalues)).sum())
    return float(np.log2((eigenvalues**alpha).sum()) / (1 - alpha))


def frequencies_entropy(labels, alpha):
    p = np.unique(np.asarray(labels), return_counts=True)[1] / len(labels)
    return float(-(p * np.log2(p)).sum() if alpha == 1 else np.log2((p**alpha).sum()) / (1 - alpha))


# Entropy


@pytest.mark.parametrize("alpha", ALPHAS)
def test_of_labels_it_is_the_renyi_entropy_of_their_frequencies(alpha):
    labels = np.random.default_rng(0).integers(0, 10, 200)
    assert entropy(delta_gram(torch.tensor(labels)), alpha).item() == pytest.approx(
        frequencies_entropy(labels, alpha), abs=1e-12
    )


def test_of_200_labels_to_ten_digits():
    labels = torch.tensor(np.random.default_rng(0).integers(0, 10, 200))
    assert entropy(delta_gram(labels)).item() == pytest.approx(3.290673587, abs=1e-9)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_copies_have_0_and_the_identity_log_n(alpha):
    assert entropy(gram(torch.ones(12, 3)), alpha).item() == pytest.approx(0, abs=1e-12)
    assert entropy(torch.eye(12), alpha).item() == pytest.approx(math.log2(12), abs=1e-12)


@pytest.mark.parametrize("alpha", [1.0, 1.01, 2.0, 5.0])
@pytest.mark.parametrize("n", [1, 2, 3, 40])
def test_torch_and_numpy_agree(n, alpha):
    matrix = gram(double(n, 4), Width("fixed", 2.0))
    assert entropy(matrix, alpha).item() == pytest.approx(numpys_entropy(matrix, alpha), abs=1e-10)


@pytest.mark.parametrize("alpha", [0.01, 0.4, 0.6, 1.4, 1.6, 5.0, 100.0])
def test_every_order_of_equal_shares_is_log_n(alpha):
    # At 100 the sum of the powers is 1e-297: what is left of it next to 1 would be nothing.
    assert entropy(torch.eye(1000), alpha).item() == pytest.approx(math.log2(1000), abs=1e-9)
    assert entropy(delta_gram([0, 0, 0, 1]), alpha).item() == pytest.approx(
        math.log2(0.75**alpha + 0.25**alpha) / (1 - alpha), abs=1e-9
    )


def test_an_unequal_diagonal_is_divided_out():
    factor = double(9, 9)
    matrix = factor @ factor.T + torch.eye(9)
    assert matrix.diagonal().std() > 1
    assert entropy(matrix).item() == pytest.approx(numpys_entropy(matrix, 1.01), abs=1e-10)
    scale = torch.arange(1.0, 10).double()
    assert entropy(scale[:, None] * matrix * scale).item() == pytest.approx(entropy(matrix).item(), abs=1e-11)


def test_alpha_2_needs_no_eigenvalues():
    matrix = gram(double(20, 4), Width("fixed", 2.0))
    assert entropy(matrix, 2).item() == pytest.approx(-math.log2(((matrix / 20) ** 2).sum().item()), abs=1e-14)
    assert entropy(matrix, 2).item() == pytest.approx(entropy(matrix, 2 + 1e-9).item(), abs=1e-8)


def test_alpha_tends_to_shannon():
    matrix = gram(double(30, 4), Width("fixed", 2.0))
    shannon = numpys_entropy(matrix, 1)
    assert entropy(matrix, 1).item() == pytest.approx(shannon, abs=1e-12)
    assert abs(entropy(matrix, 1.0001).item() - shannon) < 1e-3
    assert abs(entropy(matrix, 1 + 1e-12).item() - shannon) < 1e-9


def test_scale_and_order_of_images_do_not_matter():
    matrix, order = gram(double(20, 4)), torch.randperm(20, generator=torch.Generator().manual_seed(0))
    expected = pytest.approx(entropy(matrix).item(), abs=1e-11)
    assert entropy(7e5 * matrix).item() == expected and entropy(matrix[order][:, order]).item() == expected


def test_two_tight_clusters_far_apart_have_one_bit():
    x = torch.cat((torch.zeros(8, 2), 100 + torch.zeros(8, 2))) + 1e-4 * double(16, 2)
    for alpha in ALPHAS[1:]:
        assert entropy(gram(x, Width("fixed", 1.0)), alpha).item() == pytest.approx(1, abs=1e-5)


def test_gradient_in_float64():
    x = double(6, 3).requires_grad_()
    for alpha in (1.0, 1.01, 2.0, 3.0):
        assert torch.autograd.gradcheck(lambda x, a=alpha: entropy(gram(x, Width("fixed", 1.5)), a), (x,))


def test_gradients_of_duplicates_are_finite():
    x = double(3, 3).repeat(2, 1).requires_grad_()
    for alpha in (0.5, 1.0, 1.01):
        gradient = torch.autograd.grad(entropy(gram(x, Width("fixed", 1.5)), alpha), x)[0]
        assert gradient.isfinite().all()


# Joint entropy and information


@pytest.mark.parametrize("alpha", ALPHAS)
def test_joint_entropy_is_at_least_each_marginal(alpha):
    for seed in range(60):
        n = 3 + seed % 22
        a, b = (gram(double(n, 2, seed=seed + k), Width("fixed", 0.3 + 0.1 * (seed % 30))) for k in (0, 1000))
        joint = joint_entropy(a, b, alpha=alpha).item()
        assert joint >= max(entropy(a, alpha).item(), entropy(b, alpha).item()) - 1e-10


def test_information_is_not_negative_at_alpha_1():
    for seed in range(100):
        n = 3 + seed % 22
        a, b = (gram(double(n, 2, seed=seed + k), Width("fixed", 0.3 + 0.1 * (seed % 30))) for k in (0, 1000))
        assert mutual_information(a, b, alpha=1).item() >= -1e-12


@pytest.mark.parametrize(("alpha", "bits"), [(2, -0.0269), (5, -0.0224), (1.01, 0.0148), (1, 0.0161)])
def test_information_can_be_negative_at_other_alpha(alpha, bits):
    pairs = [(0, 0)] * 80 + [(0, 1)] * 10 + [(1, 0)] * 10
    a, b = (delta_gram(torch.tensor(column)) for column in zip(*pairs, strict=True))
    assert mutual_information(a, b, alpha=alpha).item() == pytest.approx(bits, abs=5e-5)


def test_information_of_labels_is_that_of_their_table():
    labels = torch.randint(0, 4, (60,)), torch.randint(0, 3, (60,))
    a, b = labels
    together = 3 * a + b
    expected = sum(frequencies_entropy(x, 1) for x in labels) - frequencies_entropy(together, 1)
    assert mutual_information(delta_gram(a), delta_gram(b), alpha=1).item() == pytest.approx(expected, abs=1e-11)


def test_information_with_itself_is_the_entropy_of_a_kernel_of_zeros_and_ones_alone():
    labels, x = delta_gram(torch.arange(20) % 3), double(20, 2)
    assert mutual_information(labels, labels).item() == pytest.approx(entropy(labels).item(), abs=1e-12)
    kernel, narrow = gram(x, Width("fixed", 2.0)), gram(x, Width("fixed", math.sqrt(2)))
    assert joint_entropy(kernel, kernel).item() == pytest.approx(entropy(narrow).item(), abs=1e-12)
    assert mutual_information(kernel, kernel).item() == pytest.approx(
        2 * entropy(kernel).item() - entropy(narrow).item()
    )
    assert mutual_information(kernel, kernel).item() < entropy(kernel).item() - 0.1


def test_many_independent_maps_saturate():
    grams = map_grams(double(16, 200, 3, 3), Width("median"))
    few, many = entropy(grams[:2].prod(0)).item(), entropy(grams.prod(0)).item()
    assert few < 3.9 and many == pytest.approx(4, abs=1e-9)
    x = gram(double(16, 5, seed=1))
    assert mutual_information(x, grams.prod(0)).item() == pytest.approx(entropy(x).item(), abs=1e-8)


def test_rotations_do_not_matter_and_scales_do():
    x, rotation = double(20, 6), torch.linalg.qr(double(6, 6, seed=1))[0]
    for rule in ("power", "neighbours", "median", "standardised", "silverman"):
        turned = gram((x - x.mean()) @ rotation + 3, Width(rule))
        if rule not in ("standardised", "silverman"):  # whose deviation is of all values together, about their mean
            assert torch.allclose(turned, gram(x, Width(rule)), atol=1e-9)
        scaled = entropy(gram(10 * x, Width(rule))).item()
        assert (scaled == pytest.approx(entropy(gram(x, Width(rule))).item(), abs=1e-9)) == (rule != "power")


def test_information_rises_with_the_correlation_of_a_gaussian_pair():
    x, noise = double(100, 1), double(100, 1, seed=1)
    correlations = [0.0, 0.3, 0.6, 0.8, 0.95, 0.999]
    found = [mutual_information(gram(x), gram(r * x + math.sqrt(1 - r * r) * noise)).item() for r in correlations]
    assert spearmanr(correlations, found).statistic == 1


def test_total_correlation_of_two_is_their_information():
    a, b, c = (gram(double(12, 2, seed=seed)) for seed in range(3))
    assert total_correlation(a, b).item() == pytest.approx(mutual_information(a, b).item(), abs=1e-12)
    expected = sum(entropy(x).item() for x in (a, b, c)) - joint_entropy(a, b, c).item()
    assert total_correlation(a, b, c).item() == pytest.approx(expected, abs=1e-12)


def test_a_stack_of_models_gives_what_each_alone_gives():
    x, y = double(3, 15, 4), double(3, 15, 2, seed=1)
    for rule in ("power", "neighbours", "median", "standardised", "silverman"):
        width = Width(rule)
        stack = mutual_information(gram(x, width), gram(y, width))
        single = [mutual_information(gram(a, width), gram(b, width)).item() for a, b in zip(x, y, strict=True)]
        assert stack.tolist() == pytest.approx(single, abs=1e-10)


# Redundancy and synergy

BITS = list(itertools.product((0, 1), repeat=2))


def table(rows):
    """Grams of target, first and second source from equally likely rows (x, a, b)."""
    return [delta_gram(torch.tensor(column)) for column in zip(*rows, strict=True)]


TABLES = {
    "exclusive or": ([(a ^ b, a, b) for a, b in BITS], -1, 2),
    "copy": ([(a, a, a) for a in (0, 1)], 1, 0),
    "both, independent": ([(2 * a + b, a, b) for a, b in BITS], 0, 2),
    "one alone": ([(a, a, b) for a, b in BITS], 0, 1),
}


@pytest.mark.parametrize("name", TABLES)
def test_algebra_of_exact_tables(name):
    rows, difference, rest = TABLES[name]
    assert redundancy_minus_synergy(*table(rows), alpha=1).item() == pytest.approx(difference, abs=1e-12)
    assert unique_plus_synergy(*table(rows), alpha=1).item() == pytest.approx(rest, abs=1e-12)


def test_pairs_of_maps_are_the_pairs_one_by_one():
    x, maps = gram(double(14, 3)), map_grams(double(14, 5, 2, 2, seed=1))
    found = renyi.pairs_of_maps(x, maps)
    pairs = list(itertools.combinations(range(5), 2))
    assert found.pairs == 10
    for name in ("redundancy_minus_synergy", "unique_plus_synergy"):
        each = [getattr(renyi, name)(x, maps[i], maps[j]).item() for i, j in pairs]
        assert getattr(found, name) == pytest.approx(np.mean(each), abs=1e-10)
    assert found.information == pytest.approx(mutual_information(x, maps.prod(0)).item(), abs=1e-10)
    assert found.shares()[0] == found.redundancy_minus_synergy / found.information
    assert renyi.pairs_of_maps(x, maps, most=4, generator=torch.Generator().manual_seed(0)).pairs == 4
    with pytest.raises(ValueError, match="two maps"):
        renyi.pairs_of_maps(x, maps[:1])


# Widths


def loops(x, width):
    """Each rule by loops, as its definition says."""
    x = np.asarray(x)
    n, d = x.shape
    squares = np.array([[((a - b) ** 2).sum() for b in x] for a in x])
    shrinking, deviation = n ** (-1 / (4 + d)), x.std()
    s = {
        "power": width.h * shrinking,
        "neighbours": width.h * np.mean([np.sort(np.sqrt(row))[:10].mean() for row in squares]) / np.sqrt(2),
        "median": width.h * np.sqrt(np.median([squares[i, j] for i in range(n) for j in range(i)]) / 2),
        "standardised": width.h * np.sqrt(d) * shrinking * deviation,
        "silverman": width.h * deviation * (4 / (3 * n)) ** 0.2 / np.sqrt(2),
        "fixed": width.h,
    }[width.rule]
    return np.exp(-squares / (2 * s * s))


@pytest.mark.parametrize("factor", [None, 0.7])
@pytest.mark.parametrize("rule", ["power", "neighbours", "median", "standardised", "silverman", "fixed"])
@pytest.mark.parametrize("n", [5, 24])
def test_kernels_are_those_of_the_rules(rule, factor, n):
    width = Width(rule, factor or (2.0 if rule == "fixed" else None))
    x = 3 + double(n, 7)
    assert np.abs(gram(x, width).numpy() - loops(x, width)).max() < 1e-10


def test_a_width_has_a_name():
    assert [str(Width("power")), str(Width("median")), str(Width("fixed", 0.5))] == ["power 5", "median 1", "fixed 0.5"]
    assert Width("power").of(torch.zeros(100, 784), torch.zeros(100, 100)).item() == pytest.approx(4.97, abs=0.005)


@pytest.mark.parametrize("rule", ["power", "neighbours", "median", "standardised", "silverman"])
def test_constant_maps_know_nothing(rule):
    still = map_grams(torch.full((20, 2, 3, 3), 0.1), Width(rule))
    assert torch.equal(still, torch.ones(2, 20, 20).double())
    assert entropy(still).tolist() == pytest.approx([0, 0], abs=1e-12)
    assert mutual_information(gram(double(20, 3)), still[0]).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("rule", ["power", "neighbours", "median", "standardised"])
def test_duplicates_count_as_one_image_each(rule):
    x = double(4, 5).repeat(10, 1)
    found = gram(x, Width(rule))
    assert torch.allclose(found, found[:4, :4].repeat(10, 10), atol=1e-12)
    assert entropy(found).item() == pytest.approx(entropy(found[:4, :4]).item(), abs=1e-9)


@pytest.mark.parametrize("rule", ["power", "neighbours", "median", "standardised"])
@pytest.mark.parametrize("n", [1, 2])
def test_one_and_two_images(rule, n):
    bits = entropy(gram(double(n, 3), Width(rule))).item()
    assert bits == 0 if n == 1 else 0 < bits <= 1


def test_bad_widths():
    for arguments, message in (
        (("h",), "unknown rule"),
        (("median", 0), "factor"),
        (("fixed",), "needs its factor"),
        (("fixed", math.nan), "factor"),
    ):
        with pytest.raises(ValueError, match=message):
            Width(*arguments)


# Bad input


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (torch.zeros(2, 3), r"n, n"),
        (torch.zeros(0, 0), r"n, n"),
        (torch.diag(torch.tensor([1.0, 0.0])), "diagonal above 0"),
        (torch.diag(torch.tensor([1.0, -1.0])), "diagonal above 0"),
        (torch.tensor([[1.0, 0.5], [0.1, 1.0]]), "symmetric"),
        (torch.tensor([[1.0, 2.0], [2.0, 1.0]]), "positive semidefinite"),
        (torch.tensor([[1.0, math.nan], [math.nan, 1.0]]), "finite"),
    ],
)
def test_matrices_that_are_no_kernels(matrix, message):
    with pytest.raises(ValueError, match=message):
        entropy(matrix)


def test_other_bad_input():
    for alpha in (0, -1, math.inf, math.nan):
        with pytest.raises(ValueError, match="alpha"):
            entropy(torch.eye(3), alpha)
    with pytest.raises(ValueError, match="one size"):
        joint_entropy(torch.eye(3), torch.eye(4))
    with pytest.raises(ValueError, match="finite"):
        gram(torch.tensor([[1.0], [math.nan]]))
    for values in (torch.zeros(0, 3), torch.zeros(3, 0), torch.zeros(3)):
        with pytest.raises(ValueError, match="images, values"):
            gram(values)
    with pytest.raises(ValueError, match="real numbers"):
        entropy(torch.eye(3) + 0j)
    for labels in (torch.zeros(0), torch.tensor([1.0, math.nan])):
        with pytest.raises(ValueError, match="labels"):
            delta_gram(labels)


# The information plane


def network():
    torch.manual_seed(0)
    layers = [nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Dropout(), nn.Linear(48, 4)]
    return nn.Sequential(*layers)


def test_the_plane_records_what_the_functions_say():
    model, images, labels = network(), torch.rand(20, 2, 6, 6), torch.arange(20) % 4
    plane = InformationPlane(model, ["2", "5"], Width("neighbours"), alpha=1.01)
    rows = plane.record(images, labels, epoch=3)
    model.eval()
    with torch.no_grad():
        t, logits = model[:3](images), model(images)
    width = Width("neighbours")
    x, y = gram(images[:, 0].flatten(1), width) * gram(images[:, 1].flatten(1), width), delta_gram(labels)
    layers = gram(t[:, 0].flatten(1), width) * gram(t[:, 1].flatten(1), width) * gram(t[:, 2].flatten(1), width)
    for row, kernel, name in zip(rows, (layers, gram(logits, width)), "25", strict=True):
        assert (row["layer"], row["epoch"], row["width"], row["n"]) == (name, 3, "neighbours 1", 20)
        assert row["entropy"] == pytest.approx(entropy(kernel).item(), abs=1e-6)
        assert row["about_input"] == pytest.approx(mutual_information(x, kernel).item(), abs=1e-6)
        assert row["about_labels"] == pytest.approx(mutual_information(kernel, y).item(), abs=1e-6)
        assert row["input_entropy"] == pytest.approx(entropy(x).item(), abs=1e-6)
        assert row["label_entropy"] == pytest.approx(2, abs=1e-9)
        assert row["about_input_share"] == row["about_input"] / math.log2(20)
    assert plane.rows == rows


def test_the_plane_leaves_the_model_as_it_was():
    model = network().train()
    model[1].eval()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    before = torch.get_rng_state()
    InformationPlane(model, ["0"]).record(torch.rand(8, 2, 6, 6), torch.zeros(8), epoch=0)
    assert [module.training for module in model] == [True, False, True, True, True, True]
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert not model[0]._forward_hooks and not torch.equal(before, torch.get_rng_state())  # the images' draw alone
    assert all(parameter.grad is None for parameter in model.parameters())


def test_the_plane_has_a_figure():
    pytest.importorskip("matplotlib").use("agg")
    model, images, labels = network(), torch.rand(20, 2, 6, 6), torch.arange(20) % 4
    plane = InformationPlane(model, ["2", "5"])
    for epoch in (0, 1):
        plane.record(images, labels, epoch)
        nn.init.normal_(model[5].weight)
    axes = plane.plot()
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["2", "5"]
    drawn = axes.collections[1].get_offsets()
    expected = [[row["about_input"], row["about_labels"]] for row in plane.rows if row["layer"] == "5"]
    assert np.allclose(drawn, expected) and "I(X; T)" in axes.get_xlabel()


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.unused, self.pair = nn.Linear(3, 3), nn.Linear(3, 3), nn.LSTM(3, 2)

    def forward(self, x):
        self.pair(x)
        return self.layer(self.layer(x))


@pytest.mark.parametrize(
    ("layer", "message"), [("layer", "ran 2 times"), ("unused", "ran 0 times"), ("pair", "gives no tensor")]
)
def test_layers_that_cannot_be_read(layer, message):
    with pytest.raises(ValueError, match=message):
        InformationPlane(Twice(), [layer]).record(torch.rand(5, 3), torch.zeros(5), epoch=0)


def test_other_bad_planes():
    with pytest.raises(ValueError, match="no layers '7'; it has"):
        InformationPlane(network(), ["0", "7"])
    with pytest.raises(ValueError, match="at least one"):
        InformationPlane(network(), [])
    with pytest.raises(ValueError, match="nothing was recorded"):
        InformationPlane(network(), ["0"]).plot()
    plane = InformationPlane(network(), ["0"])
    for images, labels in ((torch.rand(1, 2, 6, 6), torch.zeros(1)), (torch.rand(4, 2, 6, 6), torch.zeros(3))):
        with pytest.raises(ValueError, match="two images"):
            plane.record(images, labels, epoch=0)
    with pytest.raises(ValueError, match="finite"):
        plane.record(torch.full((4, 2, 6, 6), math.nan), torch.zeros(4), epoch=0)
