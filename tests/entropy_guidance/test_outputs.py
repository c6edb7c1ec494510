"""Entropy of predictions: closed forms, finite differences, descent on free logits and sums by hand."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from entropy_guidance import outputs
from entropy_guidance.outputs import ConfidencePenalty, OutputMonitor, matched_smoothing, output_entropy


def double(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


# Entropy of the outputs


def test_entropy_of_uniform_is_log_classes():
    assert output_entropy(torch.full((2, 10), 3.0).double()).tolist() == pytest.approx([math.log(10)] * 2, rel=1e-15)


def test_entropy_of_one_hot_is_0_without_nan():
    z = torch.tensor([0.0, 1000.0, 0.0], requires_grad=True)
    entropy = output_entropy(z)
    entropy.backward()
    assert entropy == 0 and z.grad.tolist() == [0, 0, 0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_logits_of_plus_and_minus_100(dtype):
    z = torch.tensor([[100.0, -100.0], [100.0, 100.0]], dtype=dtype)
    assert output_entropy(z).tolist() == pytest.approx([200 * math.exp(-200), math.log(2)], rel=1e-6, abs=1e-40)


def test_a_class_that_is_ruled_out_adds_nothing():
    z = torch.tensor([0.0, -math.inf, 0.0], dtype=torch.float64, requires_grad=True)
    entropy = output_entropy(z)
    entropy.backward()
    assert entropy.item() == pytest.approx(math.log(2)) and z.grad.isfinite().all()


def test_of_one_class_the_entropy_is_0():
    assert output_entropy(torch.tensor([[2.0], [3.0]])).tolist() == [0, 0]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_logits_that_are_no_numbers(bad):
    with pytest.raises(ValueError, match="finite"):
        output_entropy(torch.tensor([[0.0, bad]]))


# The penalty


@pytest.mark.parametrize("threshold", [None, 1.5])
def test_gradient_in_float64(threshold):
    labels = torch.tensor([0, 1, 3, 2])
    loss = ConfidencePenalty(0.3, threshold)
    assert torch.autograd.gradcheck(lambda z: loss(z, labels), double(4, 5).requires_grad_())


def test_gradient_is_the_closed_form():
    z, labels = double(1, 6).requires_grad_(), torch.tensor([2])
    ConfidencePenalty(0.7)(z, labels).backward()
    q = z.detach().softmax(-1)
    entropy = -(q * q.log()).sum()
    expected = q - F.one_hot(labels, 6) + 0.7 * q * (q.log() + entropy)
    assert torch.allclose(z.grad, expected, rtol=1e-12) and abs(z.grad.sum().item()) < 1e-15


def descend(loss, classes=10):
    """The optimum of one example with label 0 over its logits, which are free."""
    z = torch.zeros(1, classes, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [z], max_iter=500, tolerance_grad=1e-13, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def closure():
        optimizer.zero_grad()
        value = loss(z, torch.tensor([0]))
        value.backward()
        return value

    optimizer.step(closure)
    return z.detach()[0]


@pytest.mark.parametrize(("lambda_", "right"), [(0.1, 0.99959), (0.3, 0.849), (1.0, 0.476), (2.0, 0.333)])
def test_optimum_by_descent_is_the_closed_form(lambda_, right):
    z = descend(ConfidencePenalty(lambda_))
    q = z.softmax(0)
    assert q[0].item() == pytest.approx(right, abs=6e-4)
    assert (z[0] - z[1:]).tolist() == pytest.approx([1 / (lambda_ * q[0].item())] * 9, rel=1e-5)
    assert q[1].item() == pytest.approx(math.exp(-1 / lambda_ - output_entropy(z).item()), rel=1e-5)


def test_lambda_0_is_the_cross_entropy_bit_for_bit():
    z, labels = torch.randn(32, 10, requires_grad=True), torch.randint(10, (32,))
    loss, plain = ConfidencePenalty(0)(z, labels), F.cross_entropy(z, labels)
    assert torch.equal(loss, plain)
    assert torch.equal(*(torch.autograd.grad(value, z)[0] for value in (loss, plain)))


def test_small_lambda_tends_to_the_cross_entropy():
    z, labels = double(32, 10), torch.arange(32) % 10
    distance = [abs(ConfidencePenalty(x)(z, labels) - F.cross_entropy(z, labels)).item() for x in (1e-2, 1e-4)]
    assert distance[1] == pytest.approx(distance[0] / 100, rel=1e-6)


def test_predictions_below_the_threshold_of_confidence_cost_nothing():
    z, labels = double(16, 4), torch.arange(16) % 4
    assert torch.equal(ConfidencePenalty(0.5, threshold=0.0)(z, labels), F.cross_entropy(z, labels))
    above = ConfidencePenalty(0.5, threshold=math.log(4))(z, labels) - ConfidencePenalty(0.5)(z, labels)
    assert above.item() == pytest.approx(0.5 * math.log(4), rel=1e-12)


@pytest.mark.parametrize(("smoothing", "lambda_"), [(0.05, 0.199), (0.1, 0.244), (0.2, 0.328)])
def test_the_matching_lambda_of_a_smoothing(smoothing, lambda_):
    right = 1 - smoothing * 9 / 10
    matching = 1 / (right * math.log(10 * (1 - smoothing) / smoothing + 1))
    assert matching == pytest.approx(lambda_, abs=5e-4)
    assert matched_smoothing(matching) == pytest.approx(smoothing, rel=1e-12)


@pytest.mark.parametrize("classes", [2, 10, 1000])
@pytest.mark.parametrize("lambda_", [0.15, 0.3, 1.0, 5.0])
def test_matched_smoothing_has_the_same_optimum(lambda_, classes):
    smoothing = matched_smoothing(lambda_, classes)
    right = 1 - smoothing * (classes - 1) / classes  # where label smoothing is least
    margin = math.log(right / (smoothing / classes))
    assert margin == pytest.approx(1 / (lambda_ * right), rel=1e-10)


def test_matched_smoothing_by_descent():
    smoothed = torch.nn.CrossEntropyLoss(label_smoothing=matched_smoothing(0.5))
    assert torch.allclose(descend(smoothed).softmax(0), descend(ConfidencePenalty(0.5)).softmax(0), atol=1e-7)


def test_limits_of_matched_smoothing():
    assert matched_smoothing(0) == 0 and matched_smoothing(1e-4) == 0
    assert matched_smoothing(1e8) == pytest.approx(1, abs=1e-7)
    for lambda_, classes in ((-0.1, 10), (math.nan, 10), (0.1, 1)):
        with pytest.raises(ValueError, match=r"lambda|classes, two at least"):
            matched_smoothing(lambda_, classes)


@pytest.mark.parametrize("label", [10, -1, -100])
def test_labels_outside_of_the_classes(label):
    labels = torch.tensor([0, label])
    q = torch.full((2, 10), 0.1)
    for use in (
        lambda: ConfidencePenalty(0.1)(torch.zeros(2, 10), labels),
        lambda: ConfidencePenalty(0)(torch.zeros(2, 10), labels),
        lambda: outputs.expected_calibration_error(q, labels),
        lambda: outputs.brier_score(q, labels),
        lambda: OutputMonitor().add(torch.zeros(2, 10), labels),
    ):
        with pytest.raises(ValueError, match=r"0 to 9, for 10 classes; found"):
            use()


def test_other_bad_input():
    loss = ConfidencePenalty(0.1)
    with pytest.raises(ValueError, match="at least one"):
        loss(torch.zeros(0, 10), torch.zeros(0, dtype=torch.long))
    with pytest.raises(ValueError, match="integers"):
        loss(torch.zeros(2, 10), torch.zeros(2))
    with pytest.raises(ValueError, match="rows, classes"):
        loss(torch.zeros(10), torch.tensor([1]))
    for lambda_ in (-1, math.inf, "0.1"):
        with pytest.raises(ValueError, match="lambda"):
            ConfidencePenalty(lambda_)


def test_one_class_and_a_batch_of_one():
    assert ConfidencePenalty(0.5)(torch.tensor([[3.0]]), torch.tensor([0])) == 0
    assert ConfidencePenalty(0.5)(torch.zeros(1, 2), torch.tensor([1])).item() == pytest.approx(0.5 * math.log(2))


# Calibration


def test_ece_by_hand_on_four_points():
    q = torch.tensor([[0.55, 0.45], [0.45, 0.55], [0.9, 0.1], [1.0, 0.0]], dtype=torch.float64)
    labels = torch.tensor([0, 0, 0, 1])  # right, wrong, right, wrong
    # Of two bins the upper one has all: accuracy 0.5, confidence 0.75. Of ten: (0.55, 0.55), 0.9, 1.0 closed with it.
    assert outputs.expected_calibration_error(q, labels, bins=2).item() == pytest.approx(0.25)
    assert outputs.expected_calibration_error(q, labels, bins=10).item() == pytest.approx(
        (2 * abs(0.5 - 0.55) + 2 * abs(0.5 - 0.95)) / 4
    )
    table = outputs.reliability(q, labels, bins=10)
    assert table.rows.tolist() == [0, 0, 0, 0, 0, 2, 0, 0, 0, 2]
    assert table.confidence.isnan().sum() == 8


def test_a_confidence_of_1_lies_in_the_last_of_15_bins():
    table = outputs.reliability(torch.eye(3), torch.arange(3))
    assert len(table.rows) == 15 and table.rows[-1] == 3
    assert table.expected_calibration_error() == 0


def test_ece_of_a_calibrated_draw_is_0():
    q = (2 * double(100_000, 4)).softmax(1)
    labels = torch.multinomial(q, 1, generator=torch.Generator().manual_seed(1))[:, 0]
    assert outputs.expected_calibration_error(q, labels) < 0.01


def overconfident(n=5000, classes=5):
    z = 2 * double(n, classes)
    labels = torch.multinomial((z / 2).softmax(1), 1, generator=torch.Generator().manual_seed(1))[:, 0]
    return z.softmax(1), labels


def test_brier_and_nll_by_loops():
    q, labels = overconfident(50)
    brier = sum(sum((q[i, k] - (labels[i] == k).double()) ** 2 for k in range(5)) for i in range(50)) / 50
    nll = -sum(math.log(q[i, labels[i]]) for i in range(50)) / 50
    assert outputs.brier_score(q, labels).item() == pytest.approx(brier.item(), rel=1e-12)
    assert outputs.negative_log_likelihood(q, labels).item() == pytest.approx(nll, rel=1e-12)


@pytest.mark.parametrize("rows", [[[2.0, -1.0]], [[0.5, 0.2]], [[math.nan, 1.0]], [[3, 4]]])
def test_rows_that_are_no_probabilities(rows):
    with pytest.raises(ValueError, match="probabilities must be"):
        outputs.expected_calibration_error(torch.tensor(rows), torch.tensor([0]))


@pytest.mark.parametrize("bins", [0, -1, 2.5])
def test_bins_that_do_not_exist(bins):
    with pytest.raises(ValueError, match="bins"):
        outputs.expected_calibration_error(torch.tensor([[1.0, 0.0]]), torch.tensor([0]), bins)


# Ensembles


def entropy(q):
    return float(-sum(x * math.log(x) for x in q if x > 0))


def test_an_ensembles_entropy_exceeds_the_mean_of_its_members():
    q = (2 * double(3, 40, 5)).softmax(-1)
    mean, gap = outputs.mean_prediction(q), outputs.disagreement(q)
    expected = [entropy(mean[i]) - sum(entropy(q[m, i]) for m in range(3)) / 3 for i in range(40)]
    assert gap.tolist() == pytest.approx(expected, abs=1e-14)
    assert gap.min() > 0 and gap.max() < math.log(3)


def test_equal_members_do_not_disagree():
    q = (2 * double(1, 40, 5)).softmax(-1).expand(4, -1, -1)
    assert outputs.disagreement(q).max() < 1e-15


def test_an_ensembles_entropy_need_not_exceed_every_members():
    q = torch.tensor([[0.5, 0.5], [1.0, 0.0]], dtype=torch.float64)
    together = entropy(outputs.mean_prediction(q)) / math.log(2)
    assert together == pytest.approx(0.811278, abs=1e-6) and together < 1
    assert outputs.disagreement(q).item() / math.log(2) == pytest.approx(together - 0.5)


def test_members_that_never_agree_differ_by_log_members():
    assert outputs.disagreement(torch.eye(3)).item() == pytest.approx(math.log(3))


def test_no_members():
    with pytest.raises(ValueError, match="members"):
        outputs.mean_prediction(torch.zeros(0, 4, 3))


# Maximum entropy


def test_a_fair_die_has_the_mean_3_5():
    assert outputs.maximum_entropy(3.5, range(1, 7)).tolist() == pytest.approx([1 / 6] * 6, rel=1e-14)


@pytest.mark.parametrize("mean", [1.01, 2.0, 4.5, 5.999])
def test_maximum_entropy_has_the_mean_and_the_form(mean):
    p = outputs.maximum_entropy(mean, range(1, 7))
    assert p.sum().item() == pytest.approx(1) and (p @ torch.arange(1.0, 7.0).double()).item() == pytest.approx(mean)
    ratios = p[1:] / p[:-1]  # exp(t), of every two neighbours
    assert ratios.tolist() == pytest.approx([ratios[0].item()] * 5, rel=1e-9)


def test_at_an_end_all_probability_lies_there():
    assert outputs.maximum_entropy(6, [1, 6, 3, 6]).tolist() == [0, 0.5, 0, 0.5]
    for mean, support in ((7, [1, 6]), (1, []), (math.nan, [1, 6]), (1, [1, math.inf])):
        with pytest.raises(ValueError, match=r"support|mean"):
            outputs.maximum_entropy(mean, support)


# The monitor


def test_the_monitor_says_of_batches_what_holds_of_all():
    z, labels = 2 * double(50, 5), torch.arange(50) % 5
    monitor = OutputMonitor(bins=10)
    for first, last in ((0, 7), (7, 8), (8, 50)):
        monitor.add(z[first:last].requires_grad_(), labels[first:last])
    q = z.softmax(1)
    expected = {
        "n": 50,
        "entropy": np.mean([entropy(row) for row in q]),
        "confidence": q.amax(1).mean().item(),
        "accuracy": (q.argmax(1) == labels).double().mean().item(),
        "nll": F.cross_entropy(z, labels).item(),
        "brier": outputs.brier_score(q, labels).item(),
        "ece": outputs.expected_calibration_error(q, labels, 10).item(),
    }
    assert monitor.end_epoch() == pytest.approx(expected, rel=1e-12)


def test_the_monitor_keeps_a_row_an_epoch():
    monitor = OutputMonitor()
    for scale in (1.0, 10.0):
        monitor.add(scale * double(20, 3), torch.zeros(20, dtype=torch.long))
        monitor.end_epoch()
    assert len(monitor.epochs) == 2 and monitor.epochs[0]["entropy"] > monitor.epochs[1]["entropy"]
    assert [row["n"] for row in monitor.epochs] == [20, 20]
    with pytest.raises(ValueError, match="no batch"):
        monitor.end_epoch()
