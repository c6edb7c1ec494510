"""Values of dit, infomeasure, pyinform and netcal where they are right, and the places where such libraries are not."""

import itertools
import math

import numpy as np
import pytest
import torch

from entropy_guidance.outputs import expected_calibration_error
from entropy_guidance.renyi import (
    delta_gram,
    entropy,
    mutual_information,
    redundancy_minus_synergy,
    unique_plus_synergy,
)
from entropy_guidance.transfer_entropy import transfer_entropy


def package(name):
    return pytest.importorskip(name, reason=f"{name} is not installed: make test-peers")


BITS = list(itertools.product((0, 1), repeat=2))
TABLES = {  # equally likely rows of target, first and second source
    "exclusive or": [(a ^ b, a, b) for a, b in BITS],
    "and": [(a & b, a, b) for a, b in BITS],
    "copy": [(a, a, a) for a in (0, 1)],
    "both": [(2 * a + b, a, b) for a, b in BITS],
    "one alone": [(a, a, b) for a, b in BITS],
    "ten rows": [(0, 0, 0)] * 3 + [(1, 0, 1)] * 2 + [(1, 1, 0)] * 2 + [(0, 1, 1)] * 2 + [(2, 1, 1)],
}


@pytest.mark.parametrize("name", TABLES)
def test_dits_decomposition_has_the_same_sums(name):
    dit = package("dit")
    from dit.pid import PID_WB  # PID_BROJA is wrong for the last table: findings/dit-broja-negative-redundancy.sh

    rows = TABLES[name]
    kinds = sorted(set(rows))
    law = dit.Distribution([f"{a}{b}{x}" for x, a, b in kinds], [rows.count(row) / len(rows) for row in kinds])
    parts = PID_WB(law, [[0], [1]], [2])
    redundancy, first, second, synergy = (parts.get_pi(node) for node in (((0,), (1,)), ((0,),), ((1,),), ((0, 1),)))
    grams = [delta_gram(torch.tensor(column)) for column in zip(*rows, strict=True)]
    assert redundancy_minus_synergy(*grams, alpha=1).item() == pytest.approx(redundancy - synergy, abs=1e-9)
    assert unique_plus_synergy(*grams, alpha=1).item() == pytest.approx(first + second + 2 * synergy, abs=1e-9)


@pytest.mark.parametrize("alpha", [0.5, 1, 1.01, 2, 5])
def test_renyi_entropy_of_labels_is_dits(alpha):
    dit = package("dit")
    from dit.other import renyi_entropy

    theirs = renyi_entropy(dit.Distribution(["a", "b", "c"], [0.5, 0.3, 0.2]), alpha)
    ours = entropy(delta_gram(torch.tensor([0] * 5 + [1] * 3 + [2] * 2)), alpha).item()
    assert theirs > 1 and ours == pytest.approx(theirs, abs=1e-9)


def test_mutual_information_of_labels_is_dits_and_infomeasures_which_answers_in_nats():
    dit = package("dit")
    draw = np.random.default_rng(1)
    x = draw.integers(0, 3, 200)
    y = np.where(draw.random(200) < 0.7, x, draw.integers(0, 4, 200))
    ours = mutual_information(delta_gram(torch.tensor(x)), delta_gram(torch.tensor(y)), alpha=1).item()
    kinds, counts = np.unique(np.stack([x, y], 1), axis=0, return_counts=True)
    law = dit.Distribution([f"{a}{b}" for a, b in kinds], list(counts / len(x)))
    assert ours > 0.1 and ours == pytest.approx(dit.shannon.mutual_information(law, [0], [1]), abs=1e-9)
    theirs = package("infomeasure").mutual_information(x, y, approach="discrete")
    assert ours * math.log(2) == pytest.approx(theirs, abs=1e-9)


def series(n=300):
    draw = np.random.default_rng(0)
    source = (draw.random(n) < 0.4).astype(int)
    return source, np.roll(source, 1) ^ (draw.random(n) < 0.2)


def test_transfer_entropy_is_pyinforms():
    source, target = series()
    theirs = package("pyinform").transfer_entropy(source, target, k=1)
    assert theirs > 0.1 and transfer_entropy(torch.tensor(source), torch.tensor(target)).item() == pytest.approx(theirs)


def test_transfer_entropy_is_infomeasures_which_answers_in_nats():
    source, target = series()
    theirs = package("infomeasure").transfer_entropy(source, target, approach="discrete")
    ours = transfer_entropy(torch.tensor(source), torch.tensor(target)).item()
    assert theirs > 0.1 and ours * math.log(2) == pytest.approx(theirs, abs=1e-9)


def test_calibration_error_is_netcals():
    z = 2 * torch.randn(5000, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    labels = torch.multinomial((z / 2).softmax(1), 1, generator=torch.Generator().manual_seed(1))[:, 0]
    theirs = package("netcal.metrics").ECE(15).measure(z.softmax(1).numpy(), labels.numpy())
    assert theirs > 0.1 and expected_calibration_error(z.softmax(1), labels).item() == pytest.approx(theirs, rel=1e-9)


def test_netcal_refuses_labels_that_hold_two_of_three_classes():
    metrics = package("netcal.metrics")
    q, labels = np.array([[0.9, 0.05, 0.05], [0.2, 0.7, 0.1]]), np.array([0, 1])
    with pytest.raises(RuntimeError, match="binary"):
        metrics.ECE(15).measure(q, labels)
    assert expected_calibration_error(torch.tensor(q), torch.tensor(labels)).item() == pytest.approx(0.2)


def test_torchmetrics_puts_a_confidence_of_1_into_a_16th_bin():
    theirs = package("torchmetrics.functional.classification").multiclass_calibration_error
    q, labels = torch.tensor([[0.95, 0.05], [1.0, 0.0]], dtype=torch.float64), torch.tensor([0, 1])
    assert theirs(q, labels, num_classes=2, n_bins=15).item() == pytest.approx((0.05 + 1.0) / 2)
    assert expected_calibration_error(q, labels).item() == pytest.approx(abs(0.5 - 0.975))  # one bin has both


def test_netcal_and_torchmetrics_count_a_label_that_no_class_has_as_an_error():
    q, labels = np.array([[0.9, 0.05, 0.05], [0.2, 0.7, 0.1], [0.1, 0.1, 0.8]]), np.array([0, 1, 7])
    assert package("netcal.metrics").ECE(15).measure(q, labels) == pytest.approx((0.1 + 0.3 + 0.8) / 3)
    theirs = package("torchmetrics.functional.classification").multiclass_calibration_error
    found = theirs(torch.tensor(q), torch.tensor(labels), num_classes=3)
    assert found.item() == pytest.approx((0.1 + 0.3 + 0.8) / 3)
    with pytest.raises(ValueError, match="0 to 2"):
        expected_calibration_error(torch.tensor(q), torch.tensor(labels))


def test_torchmetrics_value_depends_on_how_logits_are_cut_into_batches():
    package("torchmetrics")
    from torchmetrics.classification import MulticlassCalibrationError

    logits, labels = torch.tensor([[0.9, 0.1, 0.0], [0.2, 0.7, 0.1], [3.0, 0.0, 0.0]]), torch.tensor([0, 1, 1])
    found = []
    for batches in ([3], [2, 1]):
        metric = MulticlassCalibrationError(3)
        for z, y in zip(logits.split(batches), labels.split(batches), strict=True):
            metric.update(z, y)
        found.append(metric.compute().item())
    ours = expected_calibration_error(logits.softmax(1), labels).item()
    assert found[0] == pytest.approx(ours) and abs(found[1] - ours) > 0.2
    with pytest.raises(ValueError, match="sum"):
        expected_calibration_error(logits, labels)
