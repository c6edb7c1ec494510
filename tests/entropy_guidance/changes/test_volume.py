import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from entropy_guidance.changes import volume
from entropy_guidance.changes.volume import log_volume

SOURCES = Path(__file__).parents[3] / "src"
SHAPES = [(3, 3), (2, 4, 3), (2, 3, 5), (2, 2, 2, 2)]


def draw(*shape, dtype=torch.float64, seed=0):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize("shape", SHAPES)
def test_is_the_sum_of_log_singular_values(shape, dtype):
    matrix = draw(*shape, dtype=dtype)
    expected = np.log(np.linalg.svd(matrix.numpy(), compute_uv=False)).sum(axis=-1)
    np.testing.assert_allclose(log_volume(matrix), expected, rtol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize("shape", SHAPES)
def test_may_be_differentiated_twice(shape, dtype):
    matrix = draw(*shape, dtype=dtype).requires_grad_()
    assert gradcheck(log_volume, matrix) and gradgradcheck(log_volume, matrix)


@pytest.mark.parametrize("shape", [(3, 3), (4, 3), (3, 5)])
def test_functional_transforms(shape):
    stack = draw(4, *shape)
    gradient = torch.func.grad(log_volume)
    together = torch.func.vmap(gradient)(stack)
    torch.testing.assert_close(together, torch.stack([torch.linalg.pinv(one).mT for one in stack]))
    torch.testing.assert_close(torch.func.vmap(log_volume, in_dims=1)(stack.movedim(0, 1)), log_volume(stack))
    hessian = torch.func.jacrev(gradient)(stack[0])
    own = torch.autograd.functional.hessian(log_volume, stack[0])
    torch.testing.assert_close(hessian, own)


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize("size", [16, 17, 100, 129])
def test_the_blocked_inverse(size, dtype, monkeypatch):
    monkeypatch.setattr(volume, "BLOCKED_INVERSE", 16)
    matrix = draw(size, size, dtype=dtype).requires_grad_()
    value = log_volume(matrix)
    value.backward()
    assert value.item() == pytest.approx(torch.linalg.slogdet(matrix).logabsdet.item())
    torch.testing.assert_close(matrix.grad, torch.linalg.inv(matrix.detach()).mH, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("shape", [(2, 3, 3), (2, 4, 3), (2, 3, 4)])
def test_a_singular_matrix_has_no_gradient_and_leaves_the_others_theirs(shape):
    matrix = draw(*shape)
    matrix[0] = 0.0
    matrix.requires_grad_()
    value = log_volume(matrix)
    value.sum().backward()
    assert value[0] == -math.inf and not matrix.grad[0].any()
    torch.testing.assert_close(matrix.grad[1], torch.linalg.pinv(matrix.detach()[1]).mT)


def test_qr_where_the_condition_asks_for_it(monkeypatch):
    asked = []
    real = torch.linalg.qr
    monkeypatch.setattr(torch.linalg, "qr", lambda *args, **options: asked.append(1) or real(*args, **options))
    matrix = draw(80, 20).float()
    log_volume(matrix)
    assert not asked
    singular = torch.linalg.svd(matrix, full_matrices=False)
    close = singular.U * torch.logspace(0, -3, 20) @ singular.Vh
    log_volume(close)
    assert asked


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_batches_are_right_on_every_number_of_threads(threads):
    """In a process of its own: torch's batched LU is wrong with several threads, from 151 rows on."""
    code = """
import torch
from entropy_guidance import dense_entropy_change
torch.set_num_threads(THREADS)
stack = torch.randn(3, 160, 160, generator=torch.Generator().manual_seed(0), requires_grad=True)
together = dense_entropy_change(stack)
together.sum().backward()
with torch.no_grad():
    for number, one in enumerate(stack):
        expected = torch.linalg.slogdet(one.double()).logabsdet
        assert abs(together[number] - expected) < 1e-3, (together[number], expected)
        inverse = torch.linalg.inv(one.double()).mT
        assert ((stack.grad[number] - inverse).norm() / inverse.norm()) < 1e-2
"""
    environment = os.environ | {"PYTHONPATH": str(SOURCES)}
    command = [sys.executable, "-c", code.replace("THREADS", str(threads))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_float8_is_read_in_float32():
    matrix = draw(3, 3).to(torch.float8_e4m3fn)
    torch.testing.assert_close(log_volume(matrix), torch.linalg.slogdet(matrix.float()).logabsdet)
