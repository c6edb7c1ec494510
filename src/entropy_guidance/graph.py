"""How a model's layers are joined: its forward pass as a graph of the operations that ran.

The pass is made with fake tensors: shapes and types without numbers. Each call of a layer is one node; so is every
other operation on data. Views of a tensor (slices, crops, reshapes, detached parts) are the same node as the tensor,
and an operation in place gives all of them a new one.
"""

import dataclasses
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from entropy_guidance.findings import arguments
from entropy_guidance.layers import reader_of
from entropy_guidance.untouched import untouched


class NotFollowed(ValueError):
    """A model whose forward pass cannot be followed."""


@dataclasses.dataclass(eq=False)
class Node:
    """An operation, or a call of a layer."""

    operation: str  # aten's name, without "aten::" and a trailing "_"; "input" for what the model is given
    inputs: list["Node"]
    layer: str = ""
    numel: int = 0  # of what it puts out


def trace(model: nn.Module, example: Any) -> list[Node]:
    """The nodes that the outputs of a model depend on, in the order in which they ran.

    Args:
        example: a tensor, a tuple of positional or a dictionary of keyword arguments; only shapes and types matter.

    Raises:
        NotFollowed: the model does not run on fake tensors, or applies the weights of some layers outside of them.
    """
    args, kwargs = arguments(example)
    if not any(isinstance(value, Tensor) for value in _tensors((args, kwargs))):
        raise NotFollowed(
            "example must be a tensor, a tuple of positional or a dictionary of keyword arguments that the model "
            f"accepts, got {type(example).__name__}"
        )
    model = getattr(model, "_orig_mod", model)
    recorder = _Recorder()
    try:
        with ExitStack() as stack:
            stack.enter_context(untouched(model))
            stack.enter_context(torch.enable_grad())  # without it attention takes paths that call no layers
            stack.enter_context(torch.compiler.set_stance("force_eager"))
            stack.enter_context(FakeTensorMode(allow_non_fake_inputs=True))
            device = next((p.device for p in model.parameters() if not p.is_meta), torch.device("cpu"))
            fakes = {name: _fake(tensor, device) for name, tensor in model.named_parameters()}
            fakes |= {name: _fake(tensor, device) for name, tensor in model.named_buffers()}
            recorder.watch(model, fakes)
            args, kwargs = _mapped((args, kwargs), lambda tensor: recorder.given(_fake_input(tensor, device)))
            for handle in recorder.hooks(model):
                stack.callback(handle.remove)
            with recorder:
                output = torch.func.functional_call(model, fakes, args, kwargs)
    except Exception as error:
        raise NotFollowed(
            f"the model cannot be followed without numbers ({type(error).__name__}: {error}). Pass the plain module "
            "and an example that it accepts, or select by name"
        ) from error
    if recorder.outside:
        names = ", ".join(sorted(recorder.outside)[:5])
        raise NotFollowed(
            f"the model applies the weights of some layers outside of them ({names}): what role they play cannot be "
            "told. Select by name"
        )
    return recorder.needed_for(output)


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.nodes: list[Node] = []
        self.outside: set[str] = set()  # layers whose weights are applied by others
        self._of: dict[int, Node] = {}  # storage -> the node that wrote it last
        self._weights: dict[int, set[str]] = {}  # storage without data -> the layers whose parameters are in it
        self._alive: list[Tensor] = []  # storages are told apart by their address
        self._depth = 0  # of calls of layers

    def watch(self, model: nn.Module, fakes: dict[str, Tensor]) -> None:
        layers = {name for name, module in model.named_modules() if reader_of(module)}
        for name, tensor in fakes.items():
            owner = next((name[:end] for end in _ends(name) if name[:end] in layers), None)
            if owner is not None and tensor.ndim > 1:
                self._weights.setdefault(self._key(tensor), set()).add(owner)

    def given(self, tensor: Tensor) -> Tensor:
        self._write([tensor], Node("input", [], numel=tensor.numel()))
        return tensor

    def hooks(self, model: nn.Module) -> Iterator[Any]:
        for name, module in model.named_modules():
            if reader_of(module) is not None:
                shown = f"{name}.out_proj".lstrip(".") if isinstance(module, nn.MultiheadAttention) else name
                yield module.register_forward_pre_hook(self._enter, prepend=True)
                yield module.register_forward_hook(partial(self._leave, shown), with_kwargs=True, always_call=True)

    def _enter(self, *_: Any) -> None:
        self._depth += 1

    def _leave(self, name: str, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:  # noqa: ARG002
        self._depth -= 1
        if self._depth == 0:
            self._write(list(_tensors(output)), Node("layer", self._read((args, kwargs)), name), always=True)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        if self._depth:
            return output
        operands = list(_tensors((args, kwargs)))
        results = list(_tensors(output))
        inputs = self._read(operands)
        weights = set().union(*(self._weights.get(self._key(tensor), set()) for tensor in operands))
        if not inputs:
            for tensor in results:
                self._weights.setdefault(self._key(tensor), set()).update(weights)
            return output
        name = func._schema.name.removeprefix("aten::")
        self.outside |= weights
        written = [
            operand
            for operand, argument in zip(args, func._schema.arguments, strict=False)
            if isinstance(operand, Tensor) and argument.alias_info is not None and argument.alias_info.is_write
        ]
        if written:
            self._write(written, Node(name.removesuffix("_"), inputs), always=True)
        else:
            self._write(results, Node(name, inputs))
        return output

    def needed_for(self, output: Any) -> list[Node]:
        """What an output depends on; all nodes where there is none to be seen."""
        stack = [node for tensor in _tensors(output) if (node := self._of.get(self._key(tensor)))]
        if not stack:
            return self.nodes
        needed: set[Node] = set()
        while stack:
            node = stack.pop()
            if node not in needed:
                needed.add(node)
                stack += node.inputs
        return [node for node in self.nodes if node in needed]

    def _read(self, values: Any) -> list[Node]:
        found = [self._of[key] for tensor in _tensors(values) if (key := self._key(tensor)) in self._of]
        return list(dict.fromkeys(found)) if len(found) != 2 else found  # x + x has two operands

    def _write(self, tensors: list[Tensor], node: Node, *, always: bool = False) -> None:
        """A result that is a view of an operand is no new node, unless it is written to."""
        fresh = [tensor for tensor in tensors if always or self._key(tensor) not in self._of]
        if not fresh:
            return
        node.numel = max(tensor.numel() for tensor in fresh)
        self.nodes.append(node)
        for tensor in fresh:
            self._of[self._key(tensor)] = node

    def _key(self, tensor: Tensor) -> int:
        self._alive.append(tensor)
        address: int = tensor.untyped_storage()._cdata
        return address


def _ends(name: str) -> Iterator[int]:
    """Where the names of the modules around a parameter end, the innermost first."""
    end = len(name)
    while (end := name.rfind(".", 0, end)) > 0:
        yield end
    yield 0


def _fake(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor without numbers; of a class of its own it is a plain one."""
    plain = torch.empty(tuple(tensor.shape), dtype=tensor.dtype, device=device)
    return plain.requires_grad_() if tensor.requires_grad and plain.is_floating_point() else plain


def _fake_input(tensor: Tensor, device: torch.device) -> Tensor:
    """With a gradient, which checkpoints ask for, and no leaf, which no model may write to."""
    fake = _fake(tensor, device)
    return fake.requires_grad_().clone() if fake.is_floating_point() else fake


def _mapped(value: Any, change: Any) -> Any:
    """Tuples, lists and dictionaries with their tensors changed."""
    if isinstance(value, Tensor):
        return change(value)
    if type(value) in (tuple, list):
        return type(value)(_mapped(each, change) for each in value)
    return {key: _mapped(each, change) for key, each in value.items()} if type(value) is dict else value


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors in whatever a model takes or returns: containers and data classes."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _tensors(each)
    elif isinstance(value, list | tuple | set):
        for each in value:
            yield from _tensors(each)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from _tensors(getattr(value, field.name))
