"""The path of a GPU, on devices without values: nothing is read within a step, and nothing is on the wrong device."""

import pytest
import torch
from no_gpu import CUDA, META, device, fake_cuda, no_backward

from replication.autoencoder.training import train as trainer

GUIDED = [("none", 0.0), ("reciprocal", 0.01), ("log", 0.1), ("exact", 1e-3), ("scale", 0.01)]


def runs_of_all_kinds(make_run, **changes):
    return [
        make_run(lambda_, form=form, monitor=monitor, **changes)
        for form, lambda_ in GUIDED
        for monitor in ("base", "total", "keras")
    ]


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("changes", [{}, {"width": 24}, {"inputs": "1,3,4,10,15"}, {"adam": "keras"}])
def test_a_stack_trains_without_waiting_for_its_device(precision, changes, make_run, images, monkeypatch):
    """Models stop one after another, and the others go on in a smaller stack."""
    runs = runs_of_all_kinds(make_run, precision=precision, **changes)
    with device(monkeypatch, (trainer._Stack, "_step")) as watched:
        epochs = list(trainer.train(runs, images, META))
    assert epochs[0].training == len(runs) and sum(len(epoch.finished) for epoch in epochs) == len(runs)
    assert watched.steps == 4 * len(epochs)  # 50 images in batches of 16
    assert watched.captured == (0 if "adam" in changes else 3 * len(epochs)) and not watched.copies
    values = 5 if "inputs" in changes else 4  # of each model, read in one go at the end of an epoch
    assert watched.reads <= values * len(runs) * len(epochs)
    assert any(0 < epoch.training < len(runs) for epoch in epochs)


def test_fake_cuda_tensors(make_run, images, monkeypatch):
    """Forward pass, optimiser and validation; types as on a GPU, whose driver the backward pass needs."""
    runs = runs_of_all_kinds(make_run, precision="float32")
    with device(monkeypatch, (trainer._Stack, "_step")) as watched, fake_cuda(monkeypatch):
        stack = trainer._Stack(runs, images, CUDA)
        parameters = stack.models.tensors()
        no_backward(monkeypatch, parameters)
        stack.epoch(1)
    assert watched.captured == 3
    assert {(tensor.device.type, tensor.dtype) for tensor in parameters} == {("cuda", torch.float32)}
