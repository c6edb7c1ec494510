"""The path of a GPU, on devices without values: nothing is read within a step, and nothing is on the wrong device."""

import pytest
import torch
from no_gpu import CUDA, META, device, fake_cuda, no_backward

from replication.small_cnn.training import train as trainer
from replication.training import trainer as trainer_module

GUIDED = [
    {},
    {"lambda_": 0.01},
    {"lambda_": 0.1, "form": "log", "placement": "all"},
    {"lambda_": 0.1, "form": "log", "anchor": "center"},
    {"lambda_": 0.01, "form": "exact"},
    {"lambda_": 0.01, "form": "decay"},
]


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("changes", [{}, {"blocks": 2, "padding": "same"}])
def test_a_stack_trains_without_waiting_for_its_device(precision, changes, make_cnn_run, colours, monkeypatch):
    runs = [make_cnn_run(precision=precision, **changes, **guided) for guided in GUIDED]
    with device(monkeypatch, (trainer._Stack, "_step")) as watched:
        *_, last = trainer.train(runs, colours, META)
    assert len(last.finished) == len(runs)
    assert watched.steps == 4 * 3 and not watched.copies  # 70 images in batches of 24
    assert watched.reads == 4 * len(runs) * len(trainer.HISTORIES)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_a_stack_is_as_large_as_memory_allows(precision, make_cnn_run, colours, monkeypatch):
    """What a step keeps for the backward pass, counted, and Adam's numbers; half of the memory is for a stack."""
    run = make_cnn_run(blocks=2, padding="same", precision=precision)
    monkeypatch.setattr(trainer_module, "free_memory", lambda _: 1 << 30)
    size = trainer.stack_size(run, colours, META)
    kept = []
    stack = trainer._Stack([run], colours, torch.device("cpu"))
    stack.part = run["batch_size"]
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.nbytes) or t, lambda t: t):
        stack._step(torch.arange(run["batch_size"])[None])
    needed = sum(kept) + 4 * sum(tensor.nbytes for tensor in stack.models.tensors())
    assert size > 32 and needed < (1 << 29) / size < 2 * needed
    monkeypatch.setattr(trainer_module, "free_memory", lambda _: 1 << 60)
    assert trainer.stack_size(run, colours, META) * 24 * 5 * 13**2 < 2**31  # a batch's features after the first layer
    monkeypatch.setattr(trainer_module, "free_memory", lambda _: 0)
    assert trainer.stack_size(run, colours, META) == 1


def test_fake_cuda_tensors(make_cnn_run, colours, monkeypatch):
    """Forward pass, optimiser and validation; types as on a GPU, whose driver the backward pass needs."""
    runs = [make_cnn_run(precision="float32", **guided) for guided in GUIDED if guided.get("form") != "exact"]
    with device(monkeypatch, (trainer._Stack, "_step")), fake_cuda(monkeypatch):
        stack = trainer._Stack(runs, colours, CUDA)
        parameters = stack.models.tensors()
        no_backward(monkeypatch, parameters)
        stack.epoch(1)
    assert {(tensor.device.type, tensor.dtype) for tensor in parameters} == {("cuda", torch.float32)}
