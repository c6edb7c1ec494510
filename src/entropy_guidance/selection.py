"""Which layers to guide: by the order of convolutions, by name, or by their role in the network.

Layers count from 1 in the order in which the model registers its convolutions, as the paper counts them. In
torchvision's ResNet that puts a block's downsample convolution after the block's last one (layer 5 of ResNet-50 is
the first downsample convolution); Keras registers it before.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from entropy_guidance.empirical_layers import empirical as empirical  # noqa: PLC0414  # public as selection.empirical
from entropy_guidance.extras import extra

if TYPE_CHECKING:
    import pandas as pd

Role = Literal["first", "pre-skip", "skip-feeding"]
ROLES: tuple[Role, ...] = get_args(Role)

GUIDABLE = (nn.Conv2d, nn.Linear)


def convolutions(model: nn.Module) -> list[str]:
    """Names of the model's 2-D convolutions in their order: number 1 is the first of the list."""
    return [name for name, module in model.named_modules() if isinstance(module, nn.Conv2d)]


def by_order(model: nn.Module, numbers: Sequence[int]) -> list[str]:
    """Names of the convolutions with these numbers, counted from 1.

    Raises:
        ValueError: a number that the model does not have.
    """
    names = convolutions(model)
    wrong = [number for number in numbers if not 1 <= number <= len(names)]
    if wrong:
        raise ValueError(f"no convolution number {wrong[0]}: the model has {len(names)}, counted from 1")
    return [names[number - 1] for number in numbers]


def by_name(model: nn.Module, pattern: str) -> list[str]:
    """Names of the convolutions and linear layers that fit a shell pattern such as `encoder.*`.

    Raises:
        ValueError: none does.
    """
    names = [name for name, module in model.named_modules() if isinstance(module, GUIDABLE)]
    found = [name for name in names if fnmatchcase(name, pattern)]
    if not found:
        raise ValueError(f"no layer fits {pattern!r}. Layers: {', '.join(names) or 'none'}")
    return found


def by_role(model: nn.Module, role: Role, example: Tensor) -> list[str]:
    """Names of the convolutions that play a role in the network, in their order.

    - `first`: the first convolution.
    - `pre-skip`: its output is carried forward by an additive skip connection (ResNet: the stem, the last convolution
      of each block but the last, the downsample convolutions).
    - `skip-feeding`: its output goes on and also enters a later concatenation (U-Net: the last convolution of each
      encoder level).

    Found in the graph that autograd records of one forward pass in evaluation mode, on the meta device: no numbers
    are computed, and the model stays as it is.

    Args:
        example: an input that the model accepts; only its shape and type matter.

    Raises:
        ValueError: unknown role, a model that cannot be followed in this way, or a convolution whose weight is not
            one layer's own.
    """
    if role not in ROLES:
        raise ValueError(f"unknown role {role!r}: choose one of {', '.join(ROLES)}")
    names = convolutions(model)
    if role == "first":
        return names[:1]
    graph = _Graph.of(model, example)
    found = graph.pre_skip() if role == "pre-skip" else graph.skip_feeding()
    return [name for name in names if name in found]


def describe(model: nn.Module, example: Tensor | None = None) -> "pd.DataFrame":
    """A table of every layer that can be guided: number (of convolutions), name, type, shape, roles.

    Args:
        example: an input that the model accepts; without one, only the role `first` is known.
    """
    with extra("profile", "selection.describe"):
        import pandas as pd
    roles: defaultdict[str, list[str]] = defaultdict(list)
    if example is None:
        known = {"first": convolutions(model)[:1]}
    else:
        known = {role: by_role(model, role, example) for role in ROLES}
    for role, names in known.items():
        for name in names:
            roles[name].append(role)
    numbers = {name: number for number, name in enumerate(convolutions(model), 1)}
    rows = [
        (numbers.get(name), name, type(module).__name__, _shape(module.weight), ", ".join(roles[name]))
        for name, module in model.named_modules()
        if isinstance(module, GUIDABLE)
    ]
    table = pd.DataFrame(rows, columns=["number", "name", "type", "shape", "roles"])
    return table.astype({"number": "Int64"})


def _shape(weight: Tensor) -> tuple[int, ...]:
    return () if is_lazy(weight) else tuple(weight.shape)  # a lazy layer has none before its first run


@dataclass(frozen=True)
class _Graph:
    """The computation as autograd recorded it. Nodes are in topological order, from the input to the output."""

    inputs: dict[Any, list[Any]]  # node -> what it is computed from, without parameters
    names: dict[Any, str]  # convolution node -> name of its layer

    @classmethod
    def of(cls, model: nn.Module, example: Tensor) -> "_Graph":
        output, parameters = _followed(model, example)
        convs = set(convolutions(model))
        owners = {id(tensor): _owner(name, convs) for name, tensor in parameters.items()}
        inputs: dict[Any, list[Any]] = {}
        names: dict[Any, str] = {}
        stack = [(root, False) for root in _roots(output)]
        while stack:
            node, done = stack.pop()
            if node in inputs:
                continue
            convolution = _kind(node).startswith("ConvolutionBackward")
            sources = [source for source, _ in node.next_functions[: 1 if convolution else None]]
            data = [source for source in sources if source is not None and not hasattr(source, "variable")]
            if not done:
                stack.append((node, True))
                stack += [(source, False) for source in data if source not in inputs]
                continue
            inputs[node] = data
            if convolution:
                owned = {owners.get(id(variable), "") for variable in _parameters(node.next_functions[1][0])}
                names[node] = owned.pop() if len(owned) == 1 else ""
        named = set(names.values()) - {""}
        missing = sorted(convs - named)
        if missing and (not named or "" in names.values()):  # one that forward() never calls is no mistake
            raise ValueError(
                f"the graph of the model does not tell which convolution is which ({', '.join(missing[:5])}): it "
                "records no gradient, or a weight is not one layer's own. Select by name"
            )
        return cls(inputs, names)

    def pre_skip(self) -> set[str]:
        found: set[str] = set()
        order = {node: place for place, node in enumerate(self.inputs)}
        for node, operands in self.inputs.items():
            if not _kind(node).startswith("AddBackward") or len(operands) != 2:
                continue
            left, right = (self._ancestors(operand) for operand in operands)
            common = left & right
            if not common:
                continue
            fork = max(common, key=order.__getitem__)  # where the skip leaves the main path
            paths = [{n for n in side - common if fork in self._ancestors(n)} for side in (left, right)]
            skip = min(paths, key=lambda path: sum(n in self.names for n in path))
            found |= {self.names[n] for n in skip if n in self.names} | self._feeding(fork)
        return found

    def skip_feeding(self) -> set[str]:
        users: defaultdict[Any, int] = defaultdict(int)
        for operands in self.inputs.values():
            for operand in set(operands):
                users[operand] += 1
        found: set[str] = set()
        for node, operands in self.inputs.items():
            if _kind(node).startswith("CatBackward"):
                found |= {name for operand in operands if users[operand] > 1 for name in self._feeding(operand)}
        return found

    def _feeding(self, node: Any) -> set[str]:
        """The nearest convolutions behind a node."""
        found, seen, stack = set(), set(), [node]
        while stack:
            here = stack.pop()
            if here in self.names:
                found.add(self.names[here])
            elif here not in seen:
                seen.add(here)
                stack += self.inputs[here]
        return found

    def _ancestors(self, node: Any) -> set[Any]:
        """The node and everything that it is computed from."""
        seen, stack = {node}, [node]
        while stack:
            for source in self.inputs[stack.pop()]:
                if source not in seen:
                    seen.add(source)
                    stack.append(source)
        return seen


def _followed(model: nn.Module, example: Tensor) -> tuple[Any, dict[str, Tensor]]:
    """What the model makes of the example on the meta device, and the parameters that it was given there, by name."""
    if not isinstance(example, Tensor):
        raise ValueError(f"example must be a tensor that the model accepts, got {type(example).__name__}")
    # Modes, and what a forward pass leaves in a module: a weight computed before it, a cache.
    state = {module: dict(vars(module)) for module in model.modules()}
    try:
        model.eval()
        parameters = {name: _on_meta(tensor) for name, tensor in model.named_parameters()}
        buffers = {name: tensor.to("meta") for name, tensor in model.named_buffers()}
        with torch.enable_grad():
            output = torch.func.functional_call(model, parameters | buffers, (_on_meta(example),))
    except Exception as error:
        raise ValueError(
            f"the model cannot be followed on the meta device ({type(error).__name__}: {error}). Pass the plain "
            "module and an example that it accepts, or select by name"
        ) from error
    finally:
        for module, attributes in state.items():
            vars(module).clear()
            vars(module).update(attributes)
    return output, parameters


def _kind(node: Any) -> str:
    return type(node).__name__


def _owner(parameter: str, convs: set[str]) -> str:
    """The convolution that a parameter belongs to, be it its weight or what the weight is computed from; else ""."""
    parts = parameter.split(".")
    return next((name for end in range(len(parts), -1, -1) if (name := ".".join(parts[:end])) in convs), "")


def _parameters(node: Any) -> list[Tensor]:
    """All that a weight is computed from: itself, mostly."""
    found, seen, stack = [], set(), [node]
    while stack:
        here = stack.pop()
        if here is None or here in seen:
            continue
        seen.add(here)
        if hasattr(here, "variable"):
            found.append(here.variable)
        else:
            stack += [source for source, _ in here.next_functions]
    return found


def _on_meta(tensor: Tensor) -> Tensor:
    copy = torch.empty_like(tensor, device="meta")
    return copy.requires_grad_() if copy.is_floating_point() else copy


def _roots(output: Any) -> list[Any]:
    """Graph nodes of whatever a model returns: tensors, alone or in tuples, lists and mappings; else none."""
    if isinstance(output, Tensor):
        return [output.grad_fn] if output.grad_fn is not None else []
    values = output.values() if isinstance(output, dict) else output if isinstance(output, list | tuple) else []
    return [root for value in values for root in _roots(value)]
