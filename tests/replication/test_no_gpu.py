"""The stand-ins for a GPU see what they are to see."""

import pytest
import torch
from no_gpu import CUDA, META, device, fake_cuda

from replication.training import graphs

HOST = torch.ones(3)


class Trainer:
    def __init__(self, fault):
        self.fault = fault
        self.weight = torch.zeros(3, device=META)

    def step(self):
        self.fault(self.weight)

    def captured_step(self):
        graphs.Replay()(self.step, before_capture=lambda: None)


FAULTS = {
    "reads a value": [
        lambda w: w.sum().item(),
        lambda w: w.tolist(),
        lambda w: w.cpu(),
        lambda w: float(w.sum()),
    ],
    "tensors on cpu and meta": [
        lambda w: w @ HOST,
        lambda w: w.add_(HOST),
        lambda w: w[torch.tensor([0, 1])],
        lambda w: w.index_select(0, torch.tensor([0])),
    ],
}


@pytest.mark.parametrize(("message", "fault"), [(text, each) for text, found in FAULTS.items() for each in found])
def test_a_step_that_waits_or_mixes_devices(message, fault, monkeypatch):
    with device(monkeypatch, (Trainer, "step")), pytest.raises(AssertionError, match=message):
        Trainer(fault).step()


def test_a_step_that_decides_by_a_value(monkeypatch):
    with device(monkeypatch, (Trainer, "step")), pytest.raises(RuntimeError, match="cannot be called on meta"):
        Trainer(lambda w: bool(w.sum() > 0)).step()


@pytest.mark.parametrize("fault", [lambda w: w.add_(HOST.to(META)), lambda w: w.copy_(HOST), lambda _: HOST * 2])
def test_a_captured_step_stays_on_its_device(fault, monkeypatch):
    with device(monkeypatch, (Trainer, "step")) as watched:
        Trainer(fault).step()  # as a step that is not captured it passes
        with pytest.raises(AssertionError, match="a captured step"):
            Trainer(fault).captured_step()
        Trainer(lambda w: w.mul_(2).add_(1)).captured_step()
    assert (watched.steps, watched.captured) == (2, 1)


def test_values_are_read_between_steps(monkeypatch):
    weight = torch.zeros(2, 3, device=META)
    with device(monkeypatch) as watched:
        assert [len(row) for row in weight.tolist()] == [3, 3] and 0 <= weight.sum().item() < 1
    assert watched.reads == 7


def test_fake_tensors_have_a_gpus_types(monkeypatch):
    with fake_cuda(monkeypatch):
        a = torch.ones(3, 3, device=CUDA)
        with torch.autocast("cuda", torch.bfloat16):
            assert (a @ a).dtype == torch.bfloat16
        with pytest.raises(RuntimeError):
            a @ torch.ones(3, 3)
        with pytest.raises(RuntimeError):
            torch.linalg.slogdet(a.bfloat16())
