"""Which linear maps a module applies: matrices and convolutions, in one layout, for guidance and profile alike.

`register_layer` teaches the package a layer of your own.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn
from torch.nn.utils import parametrize

from entropy_guidance.weights import NotThere, Unreadable, applied, class_path, parameters_behind, stored


@dataclass(frozen=True)
class Dense:
    """A matrix (..., O, I) by which a layer takes I numbers to O; leading dimensions are a stack: gates, experts."""

    weight: Tensor
    part: str = ""  # which of the module's maps; "" where it has one


@dataclass(frozen=True)
class Convolution:
    """Filters (O, I, *filter), I counted within a group; of a transposed convolution O is still what it puts out."""

    weight: Tensor
    part: str = ""
    stride: tuple[int, ...] = ()  # () stands for 1 in every dimension
    dilation: tuple[int, ...] = ()
    groups: int = 1
    transposed: bool = False


Map = Dense | Convolution
Reader = Callable[[Any], Iterable[Map]]

_readers: dict[type | str, Reader] = {}
_EXPERTS = ("gate_up_proj", "gate_proj", "up_proj", "down_proj")  # as transformers names fused experts
_WRAPPERS = frozenset({"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"})


def register_layer(kind: type[nn.Module] | str, reader: Reader) -> None:
    """Tell which linear maps modules of a class apply.

    Args:
        kind: a class, also for those derived from it, or its dotted name where the package need not be installed.
        reader: module -> its maps, each a `Dense` or a `Convolution`. Read weights with `weights.stored(module, name)`,
            which knows parametrisations, pruning and shards and refuses what holds no numbers.

    >>> import torch
    >>> class Scaled(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.matrix, self.scale = nn.Parameter(2 * torch.eye(3)), nn.Parameter(torch.tensor(0.5))
    >>> register_layer(Scaled, lambda module: [Dense(module.matrix * module.scale)])
    >>> [layer.weight.diagonal().tolist() for layer in read(Scaled())]
    [[1.0, 1.0, 1.0]]
    """
    _readers[kind] = reader


def reader_of(module: nn.Module) -> Reader | None:
    """How a module is read; None where nobody has told."""
    for kind in type(module).__mro__:
        for key in (kind, f"{kind.__module__}.{kind.__qualname__}"):
            if key in _readers:
                return _readers[key]
    if any(name in _EXPERTS and weight.ndim == 3 for name, weight in module.named_parameters(recurse=False)):
        return _experts
    return None


def read(module: nn.Module, name: str = "") -> list[Map]:
    """The maps that a module applies, with a gradient to its parameters.

    Args:
        name: of the module, for messages.

    Raises:
        Unreadable: a module of an unknown kind, or weights that cannot be read.
    """
    reader = reader_of(module)
    if reader is None:
        raise Unreadable(f"layer {name!r}: {class_path(module)} is not supported")
    try:
        maps = list(reader(module))
        for each in maps:
            if each.weight.ndim < (2 if isinstance(each, Dense) else 3):
                raise NotThere(
                    f"its weight has the shape {tuple(each.weight.shape)}, as FSDP1 leaves it: shard with fully_shard "
                    "(FSDP2), or gather it first, with FullyShardedDataParallel.summon_full_params"
                )
    except Unreadable as error:
        raise type(error)(f"layer {name!r} ({class_path(module)}): {error}") from None
    return maps


def behind(map_: Map, module: nn.Module) -> frozenset[int]:
    """Identities of the parameters that a map of a module is made of."""
    return parameters_behind(map_.weight, module)


def find(model: nn.Module, name: str) -> tuple[nn.Module, str]:
    """The module of a name and "", or a module and the part of it that the end of the name says.

    What `DataParallel`, `torch.compile` and their like put in front of a name may be there or not.

    Raises:
        ValueError: there is no such layer, or it is of an unknown kind.
    """
    try:
        module, part = model.get_submodule(name), ""
    except AttributeError:
        module, part = _find_otherwise(model, name)
    if reader_of(module) is None:
        raise ValueError(f"{name!r}: {class_path(module)} is not supported. {_known(model)}")
    return module, part


def _find_otherwise(model: nn.Module, name: str) -> tuple[nn.Module, str]:
    modules = dict(model.named_modules())
    plain = {_unwrapped(key): module for key, module in reversed(modules.items())}
    for wanted, found in ((name, modules), (_unwrapped(name), plain)):
        if wanted in found:
            return found[wanted], ""
        owner, _, part = wanted.rpartition(".")
        if owner in found and reader_of(found[owner]) and part in [each.part for each in read(found[owner], owner)]:
            return found[owner], part
    raise ValueError(f"{name!r}: no such layer. {_known(model)}")


def _known(model: nn.Module) -> str:
    names = [name for name, module in model.named_modules() if reader_of(module)]
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return f"Layers that can be guided: {', '.join(names[:20]) or 'none'}{more}"


def _unwrapped(name: str) -> str:
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)


def _linear(module: nn.Linear) -> Iterator[Map]:
    if type(module).forward is nn.Linear.forward:
        yield Dense(stored(module))
    else:
        yield Dense(applied(module, (1, module.in_features)))


def _convolution(module: Any) -> Iterator[Map]:
    plain = _plain_convolution(module)
    spread = [d * (size - 1) + 1 for d, size in zip(module.dilation, module.kernel_size, strict=True)]
    weight = stored(module) if plain else applied(module, (1, module.in_channels, *spread))
    if module.transposed and weight.ndim > 2:  # stored (I, O of a group, *filter)
        inputs, *filter_ = weight.shape[0] // module.groups, *weight.shape[2:]
        weight = weight.reshape(module.groups, inputs, -1, *filter_).transpose(1, 2).reshape(-1, inputs, *filter_)
    yield Convolution(
        weight,
        stride=tuple(module.stride),
        dilation=tuple(module.dilation),
        groups=module.groups,
        transposed=module.transposed,
    )


def _plain_convolution(module: Any) -> bool:
    kind = next(kind for kind in _CONVOLUTIONS if isinstance(module, kind))
    own = getattr(type(module), "_conv_forward", None)
    return type(module).forward is kind.forward and own is getattr(kind, "_conv_forward", None)


def _attention(module: nn.MultiheadAttention) -> Iterator[Map]:
    """The packed projections of queries, keys and values; the output's is a linear layer of its own."""
    if module.in_proj_weight is not None:
        yield Dense(stored(module, "in_proj_weight").reshape(3, module.embed_dim, -1), "in_proj_weight")
        return
    for name in ("q_proj_weight", "k_proj_weight", "v_proj_weight"):
        yield Dense(stored(module, name), name)


def _recurrent(module: Any) -> Iterator[Map]:
    """Of each layer and direction what acts on the input and on the state, a matrix a gate."""
    gates = {"LSTM": 4, "GRU": 3}.get(getattr(module, "mode", type(module).__name__.removesuffix("Cell")), 1)
    for name in getattr(module, "_flat_weights_names", ("weight_ih", "weight_hh")):
        if name.startswith("weight"):
            weight = stored(module, name)
            many = gates > 1 and not name.startswith("weight_hr")
            yield Dense(weight.reshape(gates, -1, weight.shape[-1]) if many else weight, name)


def _bilinear(module: nn.Bilinear) -> Iterator[Map]:
    yield Dense(stored(module))  # for each output the matrix between the two inputs


def _experts(module: nn.Module) -> Iterator[Map]:
    for name, weight in list(module.named_parameters(recurse=False)):
        if name in _EXPERTS and weight.ndim == 3:
            stack = stored(module, name)
            yield Dense(stack.mT if getattr(module, "is_transposed", False) else stack, name)


def _stored_transposed(module: nn.Module) -> Iterator[Map]:
    yield Dense(stored(module).mT)


def _lora(module: Any) -> Iterator[Map]:
    """The weight below and what the active adapters add to it."""
    if getattr(module, "use_dora", None) and any(module.use_dora.values()):
        raise Unreadable("DoRA scales its weight anew at each step: merge the adapter first")
    (base,) = read(module.get_base_layer(), "base_layer")
    weight = base.weight
    if not module.disable_adapters:
        for adapter in module.active_adapters:
            if adapter in module.lora_A and adapter not in module.merged_adapters:
                delta = module.get_delta_weight(adapter)
                delta = delta.mT if module.get_base_layer().__class__.__name__ == "Conv1D" else delta
                weight = weight + delta.to(weight.dtype)
    yield replace(base, weight=weight)


_CONVOLUTIONS = (
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
)
register_layer(nn.Linear, _linear)
for _kind in _CONVOLUTIONS:
    register_layer(_kind, _convolution)
register_layer(nn.MultiheadAttention, _attention)
register_layer(nn.RNNBase, _recurrent)
register_layer(nn.RNNCellBase, _recurrent)
register_layer(nn.Bilinear, _bilinear)
register_layer("transformers.pytorch_utils.Conv1D", _stored_transposed)
register_layer("peft.tuners.lora.layer.LoraLayer", _lora)


def unread(module: nn.Module) -> str:
    """Why a module that owns weights of two or more dimensions has no maps here; "" where it owns none."""
    if isinstance(module, nn.Embedding | nn.EmbeddingBag):
        return "embedding: a look-up, not a linear map of its input"
    own = [weight for _, weight in module.named_parameters(recurse=False)]
    packed = callable(getattr(module, "weight", None)) and not own
    if packed:
        return "its weights are packed: look at the network before it is quantised"
    if isinstance(module, parametrize.ParametrizationList) or not any(weight.ndim > 1 for weight in own):
        return ""
    if isinstance(module, nn.LayerNorm | nn.RMSNorm):
        return "normalisation: it scales each number alone"
    return "no formula is known for a layer of this kind: tell how to read it with entropy_guidance.register_layer"
