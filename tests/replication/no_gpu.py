"""Stand-ins for a GPU: tensors without values on device `meta`, and fake ones on `cuda`.

Whole trainings run on them, in which a step that reads a value, mixes devices, or makes a tensor on the host where a
CUDA graph would be captured raises. What stays for a GPU alone is `replication.training.graphs`, numbers, and, on fake
CUDA tensors, the backward pass, which needs a driver.
"""

import random
from contextlib import contextmanager
from importlib import import_module

import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from entropy_guidance import constants
from replication.training import graphs, large_models

META, CUDA = torch.device("meta"), torch.device("cuda")
TO_DEVICE = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)

# What torch lacks for tensors without values: the fused SGD, which changes parameters and momenta in place.
# pytest looks for examples in docstrings and so imports this module once more, by another name.
_kernels = torch.library.Library("aten", "IMPL", "Meta")
if not torch._C._dispatch_has_kernel_for_dispatch_key("aten::_fused_sgd_", "Meta"):
    _kernels.impl("_fused_sgd_", lambda parameters, gradients, momenta, **_: _alike(parameters, gradients, momenta))


def _alike(*lists):
    for tensors in zip(*(each for each in lists if each), strict=True):
        assert len({(each.shape, each.dtype, each.device) for each in tensors}) == 1


class Device(TorchDispatchMode):
    """Watches what a trainer does with a device that has no values.

    Attributes:
        reads: values that were read outside of steps; they come from a generator.
        steps, captured: how many there were.
        copies: to the device, within steps.
    """

    def __init__(self):
        super().__init__()
        self.reads = self.steps = self.captured = self.copies = 0
        self.within = []
        self.numbers = random.Random(0)

    @contextmanager
    def step(self, kind="step"):
        self.within.append(kind)
        try:
            yield
        finally:
            self.within.pop()
        if kind == "captured":
            self.captured += 1
        else:
            self.steps += 1

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        read, moves = _tensors((args, kwargs)), operation in TO_DEVICE
        places = {each.device.type for each in read if each.ndim}
        assert moves or len(places) < 2, f"{operation} has tensors on {' and '.join(sorted(places))}"
        result = operation(*args, **(kwargs or {}))
        all_ = [*read, *_tensors(result)]
        if moves and self.within and len({each.device.type for each in all_}) > 1:
            self.copies += 1
            assert "captured" not in self.within, f"a captured step copies to the device: {operation}"
        if "captured" in self.within:
            host = [each for each in all_ if each.ndim and each.device.type == "cpu"]
            assert not host, f"a captured step works on the host: {operation}"
        return result

    def value(self, like):
        """One number of a tensor's type, for who may read it."""
        assert not self.within, "a step reads a value, which waits for the device"
        self.reads += 1
        return self.numbers.random() if like.is_floating_point() else self.numbers.randrange(1, 10)


class CalledReplay:
    """In the place of `graphs.Replay`: the step itself, as one that is captured."""

    device: Device

    def forget(self):
        pass

    def __call__(self, step, *, before_capture):
        before_capture()
        with self.device.step("captured"):
            step()


def _tensors(nested):
    return [each for each in tree_leaves(nested) if isinstance(each, torch.Tensor)]


def without_values(tensor):
    return tensor.is_meta or isinstance(tensor, FakeTensor)


def _nested(tensor, draw):
    return [_nested(part, draw) for part in tensor] if tensor.ndim else draw(tensor)


@contextmanager
def device(monkeypatch, *steps):
    """A `Device`. Args: steps, pairs of a class and the name of its method that makes one step."""
    found = Device()
    names = ("item", "__float__", "__int__", "tolist", "cpu")
    item, to_float, to_int, tolist, cpu = (getattr(torch.Tensor, name) for name in names)

    def drawn(tensor):
        found.value(tensor)
        numbers = torch.rand(tensor.shape, dtype=torch.float64)
        return numbers.to(tensor.dtype) if tensor.is_floating_point() else (10 * numbers).to(tensor.dtype)

    patches = {
        "item": lambda tensor: found.value(tensor) if without_values(tensor) else item(tensor),
        "__float__": lambda tensor: float(found.value(tensor)) if without_values(tensor) else to_float(tensor),
        "__int__": lambda tensor: int(found.value(tensor)) if without_values(tensor) else to_int(tensor),
        "tolist": lambda tensor: _nested(tensor, found.value) if without_values(tensor) else tolist(tensor),
        "cpu": lambda tensor: drawn(tensor) if without_values(tensor) else cpu(tensor),
    }
    for name, patch in patches.items():
        monkeypatch.setattr(torch.Tensor, name, patch)
    optimizer = import_module("torch.optim.optimizer")
    kinds = optimizer._get_fused_kernels_supported_devices
    monkeypatch.setattr(optimizer, "_get_fused_kernels_supported_devices", lambda: [*kinds(), "meta"])
    # Constants of the library are made once, as without a mode; among fake tensors they would leave the mode.
    monkeypatch.setattr(constants, "_transformed", lambda: torch._C._len_torch_dispatch_stack() > 1)
    monkeypatch.setattr(graphs, "Replay", type("Replay", (CalledReplay,), {"device": found}))
    for kind, name in steps:
        step = getattr(kind, name)

        def watched(*args, step=step, **options):
            with found.step():
                return step(*args, **options)

        monkeypatch.setattr(kind, name, watched)
    with found:
        yield found


@contextmanager
def fake_cuda(monkeypatch):
    """Tensors on `cuda` without a GPU: shapes and types alone. Autocast takes torch to have one."""
    common = import_module("torch.cuda.amp.common")
    monkeypatch.setattr(common, "amp_definitely_not_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *_: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "fake")
    with FakeTensorMode(allow_non_fake_inputs=True):
        yield


def built_with_values(monkeypatch, owner, name):
    """A function that makes a network gives a real one among fake tensors: torch moves no fake module to a device."""
    build = getattr(owner, name)

    def built(*args, **options):
        with unset_fake_temporarily():
            return build(*args, **options)

    monkeypatch.setattr(owner, name, built)


def no_backward(monkeypatch, parameters):
    """A backward pass leaves zeros: that of fake CUDA tensors needs a driver."""

    def backward(loss):
        assert loss.ndim == 0 and loss.requires_grad
        for parameter in parameters:
            parameter.grad = torch.zeros_like(parameter)

    monkeypatch.setattr(torch.Tensor, "backward", backward)


def large_model_on_fake_cuda(monkeypatch, task, run, data):
    """Forward pass, optimiser and validation of 11 images in batches of 4; types as on a GPU."""
    monkeypatch.setattr(large_models, "free_memory", lambda _: 1 << 40)
    built_with_values(monkeypatch, task, "build")
    seen = []
    with device(monkeypatch, (large_models._Training, "_step")) as watched, fake_cuda(monkeypatch):
        training = large_models._Training(run, data, CUDA, task)
        parameters = list(training.model.parameters())
        no_backward(monkeypatch, parameters)
        convolution = next(m for m in training.model.modules() if isinstance(m, torch.nn.Conv2d))
        convolution.register_forward_hook(lambda *called: seen.append(called[-1].dtype))
        training._train_epoch(1)
        training._validate()
        assert training._forward(torch.zeros(2, 3, 32, 32, device=CUDA)).dtype == torch.float32
    assert watched.steps == 3 and set(seen) == {getattr(torch, run["precision"])}
    assert {(tensor.device.type, tensor.dtype) for tensor in parameters} == {("cuda", torch.float32)}
