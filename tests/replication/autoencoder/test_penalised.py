"""What the forms penalise."""

import math

import pytest
import torch

from entropy_guidance import dense_entropy_change, exact_dense_entropy_change
from replication.autoencoder.training.penalised import penalised_change, scale_change


def test_each_form_has_its_change():
    weights = torch.randn(2, 4, 9, generator=torch.Generator().manual_seed(0))
    expected = {"reciprocal": dense_entropy_change, "log": dense_entropy_change, "exact": exact_dense_entropy_change}
    for form, change in (expected | {"scale": scale_change}).items():
        assert torch.equal(penalised_change(form, weights), change(weights))


def test_the_scale_is_the_most_that_a_norm_allows():
    """Equal to the exact change where all singular values are equal, above it elsewhere; its gradient turns nothing."""
    weights = torch.randn(3, 4, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    assert (scale_change(weights) > exact_dense_entropy_change(weights) + 0.1).all()
    equal = 2.5 * torch.linalg.qr(weights.mT)[0].mT
    assert scale_change(equal).tolist() == pytest.approx(exact_dense_entropy_change(equal).tolist())
    assert scale_change(equal).tolist() == pytest.approx([4 * math.log(2.5)] * 3)
    [slope] = torch.autograd.grad(scale_change(weights).sum(), weights)
    expected = 4 * weights / weights.square().sum((1, 2), keepdim=True)
    torch.testing.assert_close(slope, expected)
