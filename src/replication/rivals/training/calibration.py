"""Calibration of a network's predictions on the validation images: reliability, and one temperature."""

import torch
from torch import Tensor
from torch.nn import functional as F

from entropy_guidance import outputs

BINS = 15
HOTTEST = 20.0
STEPS = 60  # of the search: each leaves 0.62 of the interval


def held_out(logits_VK: Tensor, labels_V: Tensor) -> dict[str, float]:
    """Temperature scaling (Guo et al., 2017): fitted on the first half of the images, scored on the second.

    Returns: temperature, and of the second half NLL (nats) and ECE without it and with it: held_loss, held_ece,
        scaled_loss, scaled_ece.
    """
    logits_VK = logits_VK.double()
    half = len(labels_V) // 2
    temperature = fitted_temperature(logits_VK[:half], labels_V[:half])
    found = {"temperature": temperature}
    for name, divisor in (("held", 1.0), ("scaled", temperature)):
        scores, labels = logits_VK[half:] / divisor, labels_V[half:]
        found[f"{name}_loss"] = F.cross_entropy(scores, labels).item()
        found[f"{name}_ece"] = outputs.expected_calibration_error(scores.softmax(1), labels, BINS).item()
    return found


def fitted_temperature(logits_VK: Tensor, labels_V: Tensor) -> float:
    """The T that minimises the NLL of logits / T, which has one minimum in 1 / T: golden-section search over log T."""
    shrink = (5**0.5 - 1) / 2
    low, high = -torch.tensor(HOTTEST).log().item(), torch.tensor(HOTTEST).log().item()

    def loss(at: float) -> float:
        return F.cross_entropy(logits_VK * torch.tensor(-at, dtype=torch.float64).exp(), labels_V).item()

    left, right = high - shrink * (high - low), low + shrink * (high - low)
    at_left, at_right = loss(left), loss(right)
    for _ in range(STEPS):
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - shrink * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + shrink * (high - low)
            at_right = loss(right)
    return float(torch.tensor((low + high) / 2, dtype=torch.float64).exp())
