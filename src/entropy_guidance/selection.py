"""Which layers to guide: by the order of convolutions, by name, or by their role in the network.

Convolutions count from 1 in the order in which the model registers its 2-D ones, as the paper counts them. In
torchvision's ResNet that puts a block's downsample convolution after the block's last one (layer 5 of ResNet-50 is
the first downsample convolution); Keras registers it before.
"""

from collections import Counter
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Literal, get_args

from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrize

from entropy_guidance.empirical_layers import empirical as empirical  # noqa: PLC0414  # public as selection.empirical
from entropy_guidance.extras import extra
from entropy_guidance.graph import Node, trace
from entropy_guidance.layers import reader_of
from entropy_guidance.weights import stored

if TYPE_CHECKING:
    import pandas as pd

Role = Literal["first", "pre-skip", "skip-feeding"]
ROLES: tuple[Role, ...] = get_args(Role)
GATES = frozenset({"sigmoid", "hardsigmoid", "tanh", "_softmax"})


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
    """Names of the layers that can be guided and fit a shell pattern such as `encoder.*`.

    Raises:
        ValueError: none does.
    """
    names = guidable(model)
    found = [name for name in names if fnmatchcase(name, pattern)]
    if not found:
        raise ValueError(f"no layer fits {pattern!r}. Layers: {', '.join(names) or 'none'}")
    return found


def by_role(model: nn.Module, role: Role, example: Any) -> list[str]:
    """Names of the convolutions, linear and other guidable layers that play a role in the network, in its order.

    - `first`: the first convolution; of a model without convolutions the first layer.
    - `pre-skip`: its output is carried forward by an additive skip connection (ResNet: the stem, the last convolution
      of each block but the last, the downsample convolutions; transformers: the last linear layer of each attention and
      each feed-forward part). What only scales channels or numbers, as a squeeze-and-excitation gate does, is none.
    - `skip-feeding`: its output goes on and also enters a later concatenation, be it cropped, padded, resized,
      normalised or activated on its way (U-Net: the last convolution of each encoder level).

    Found in the operations of one forward pass in evaluation mode without numbers. The model stays as it is.

    Args:
        example: an input that the model accepts: a tensor, a tuple of positional or a dictionary of keyword arguments;
            only shapes and types matter.

    Raises:
        ValueError: unknown role, a model that cannot be followed in this way, or one that applies a layer's weights
            outside of the layer.
    """
    if role not in ROLES:
        raise ValueError(f"unknown role {role!r}: choose one of {', '.join(ROLES)}")
    return _first(model) if role == "first" else _roles(model, example)[role]


def describe(model: nn.Module, example: Any = None) -> "pd.DataFrame":
    """A table of every layer that can be guided: number (of 2-D convolutions), name, type, shape, roles.

    Args:
        example: as `by_role` takes it; without one, only the role `first` is known.
    """
    with extra("profile", "selection.describe"):
        import pandas as pd
    known = {"first": _first(model)} | ({} if example is None else _roles(model, example))
    numbers = {name: number for number, name in enumerate(convolutions(model), 1)}
    modules = dict(model.named_modules())
    rows = [
        (
            numbers.get(name),
            name,
            type(modules[name]).__name__,
            _shape(modules[name]),
            ", ".join(role for role in ROLES if name in known.get(role, ())),
        )
        for name in guidable(model)
    ]
    table = pd.DataFrame(rows, columns=["number", "name", "type", "shape", "roles"])
    return table.astype({"number": "Int64"})


def guidable(model: nn.Module) -> list[str]:
    """Names of the layers that can be guided, in the model's order; what is read with another is not among them."""
    names: list[str] = []
    inside: set[int] = set()
    for name, module in model.named_modules():
        if id(module) not in inside and reader_of(module) is not None:
            names.append(name)
            if not isinstance(module, nn.MultiheadAttention):  # its output projection is a layer of its own
                inside.update(id(child) for child in module.modules())
    return names


def _first(model: nn.Module) -> list[str]:
    return (convolutions(model) or guidable(model))[:1]


def _roles(model: nn.Module, example: Any) -> dict[str, list[str]]:
    nodes = trace(model, example)
    found = {"pre-skip": _pre_skip(nodes), "skip-feeding": _skip_feeding(nodes)}
    return {role: [name for name in guidable(model) if name in names] for role, names in found.items()}


def _shape(module: nn.Module) -> tuple[int, ...]:
    """Of a layer's weight; () where it has none of its own or not yet."""
    weight = getattr(module, "_parameters", {}).get("weight")
    if weight is None and parametrize.is_parametrized(module, "weight"):
        return tuple(stored(module).shape)
    weight = getattr(module, "weight", None) if weight is None else weight
    return () if not isinstance(weight, Tensor) or is_lazy(weight) else tuple(weight.shape)


def _pre_skip(nodes: list[Node]) -> set[str]:
    found: set[str] = set()
    order = {node: place for place, node in enumerate(nodes)}
    for node in nodes:
        if node.operation != "add" or len(node.inputs) != 2:
            continue
        left, right = (_ancestors(operand) for operand in node.inputs)
        if not (common := left & right):
            continue
        fork = max(common, key=lambda each: order[each])  # where the skip leaves the main path
        paths = [{n for n in side - common if fork in _ancestors(n)} for side in (left, right)]
        if not any(n.layer for path in paths for n in path):
            continue  # it leads past no layer: a part of an activation, say
        skip = min(paths, key=lambda path: sum(bool(n.layer) for n in path))
        found |= {n.layer for n in skip if n.layer} | _feeding(fork)
    return found


def _skip_feeding(nodes: list[Node]) -> set[str]:
    users = Counter(operand for node in nodes for operand in set(node.inputs))
    found: set[str] = set()
    for node in nodes:
        if node.operation == "cat":
            for operand in node.inputs:
                here = operand
                while users[here] < 2 and not here.layer and len(set(here.inputs)) == 1:
                    here = here.inputs[0]
                if users[here] > 1:
                    found |= _feeding(here)
    return found


def _feeding(node: Node) -> set[str]:
    """The nearest layers behind a node; gates are passed by."""
    found, seen, stack = set(), set(), [node]
    while stack:
        here = stack.pop()
        if here.layer:
            found.add(here.layer)
        elif here not in seen:
            seen.add(here)
            stack += _carried(here)
    return found


def _carried(node: Node) -> list[Node]:
    """The inputs of a node whose content it carries on.

    Not what is spread over the other operand: a gate that scales channels, an embedding of time that is added to them.
    Of a product of equals not the one that a squashing function made.
    """
    if node.operation not in ("add", "mul") or len(node.inputs) != 2:
        return node.inputs
    aside = [operand for operand in node.inputs if operand.numel < node.numel]
    if node.operation == "mul" and not aside:
        aside = [operand for operand in node.inputs if operand.operation in GATES]
    return [operand for operand in node.inputs if operand not in aside] if len(aside) == 1 else node.inputs


def _ancestors(node: Node) -> set[Node]:
    """The node and everything that it is computed from."""
    seen, stack = {node}, [node]
    while stack:
        for source in stack.pop().inputs:
            if source not in seen:
                seen.add(source)
                stack.append(source)
    return seen
