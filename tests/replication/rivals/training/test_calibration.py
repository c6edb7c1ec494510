"""Temperature scaling against a grid, and on predictions whose temperature is known."""

import pytest
import torch
from torch.nn import functional as F

from replication.rivals.training.calibration import fitted_temperature, held_out


@pytest.fixture
def drawn():
    """Logits that are 2.5 times too large for the labels drawn from them: (4000, 10), (4000,)."""
    generator = torch.Generator().manual_seed(0)
    honest = 1.5 * torch.randn(4000, 10, generator=generator, dtype=torch.float64)
    labels = torch.multinomial(honest.softmax(1), 1, generator=generator)[:, 0]
    return 2.5 * honest, labels


def test_the_temperature_of_a_draw_is_found(drawn):
    logits, labels = drawn
    temperature = fitted_temperature(logits, labels)
    assert temperature == pytest.approx(2.5, rel=0.06)
    best = F.cross_entropy(logits / temperature, labels)
    grid = [F.cross_entropy(logits / t, labels) for t in torch.linspace(1.5, 4, 251, dtype=torch.float64).tolist()]
    assert best <= min(grid) + 1e-12


def test_it_is_fitted_on_one_half_and_scored_on_the_other(drawn):
    logits, labels = drawn
    found = held_out(logits, labels)
    assert found["temperature"] == fitted_temperature(logits[:2000], labels[:2000])
    assert found["held_loss"] == pytest.approx(F.cross_entropy(logits[2000:], labels[2000:]).item(), rel=1e-12)
    scaled = F.cross_entropy(logits[2000:] / found["temperature"], labels[2000:]).item()
    assert found["scaled_loss"] == pytest.approx(scaled, rel=1e-12) and scaled < found["held_loss"]
    assert found["scaled_ece"] < 0.05 < found["held_ece"]


def test_one_temperature_for_predictions_that_need_none(drawn):
    logits, labels = drawn
    assert fitted_temperature(logits / 2.5, labels) == pytest.approx(1, rel=0.06)
