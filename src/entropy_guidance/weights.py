"""A weight as a module applies it: computed anew where it is computed, without a trace in the module, or refused.

A weight may be parametrised, pruned, normalised by a hook, standardised in forward(), sharded, quantised, on its way to
another device. What is returned is a plain, whole tensor of floating-point numbers that carries a gradient to the
parameters behind it.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrize
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm
from torch.overrides import TorchFunctionMode

from entropy_guidance.untouched import untouched

PLAIN = (Tensor, nn.Parameter, nn.Buffer, FakeTensor)
PRODUCTS = {torch.conv1d, torch.conv2d, torch.conv3d, nn.functional.linear}
PRODUCTS |= {torch.conv_transpose1d, torch.conv_transpose2d, torch.conv_transpose3d}


class Unreadable(ValueError):
    """A weight that cannot be read: why, and what to do instead."""


class NotThere(Unreadable):
    """A weight that is not there at the moment."""


def stored(module: nn.Module, name: str = "weight") -> Tensor:
    """The weight that a module holds under a name, as parametrisations, pruning and norms make it of its parameters.

    Raises:
        Unreadable: see `readable`.
    """
    if parametrize.is_parametrized(module, name):
        chain: Any = module.parametrizations
        with untouched(chain[name]):
            return readable(getattr(module, name))
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, WeightNorm) and hook.name == name:
            return readable(hook.compute_weight(module))
        if isinstance(hook, SpectralNorm) and hook.name == name:
            return readable(hook.compute_weight(module, do_power_iteration=False))
        if isinstance(hook, BasePruningMethod) and hook._tensor_name == name:
            return readable(hook.apply_mask(module))  # type: ignore[no-untyped-call]
    return readable(getattr(module, name, None))


def applied(module: nn.Module, inputs: tuple[int, ...]) -> Tensor:
    """The weight that a module's own forward() hands to torch's product or convolution.

    It is not always the one that the module stores: weight-standardised layers transform it, others scale stored
    integers. Found by running forward() on zeros and listening.

    Args:
        inputs: shape of an input that is large enough.

    Raises:
        Unreadable: forward() uses several weights, or none that torch applies.
    """
    weight = getattr(module, "weight", None)
    refuse_absent(weight)
    assert isinstance(weight, Tensor)
    zeros = torch.zeros(inputs, dtype=weight.dtype if weight.dtype.itemsize > 1 else None, device=weight.device)
    with untouched(module), _Listening() as heard:
        try:
            type(module).forward(module, zeros)
        except Exception as error:
            failure = f" ({type(error).__name__}: {error})"
        else:
            failure = ""
    if len(heard.weights) != 1:
        raise Unreadable(
            f"its own forward() applies {len(heard.weights) or 'no'} weights that could be followed{failure}: tell how "
            "to read it with entropy_guidance.register_layer"
        )
    return readable(heard.weights[0])


class _Listening(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.weights: list[Any] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in PRODUCTS:
            self.weights.append(kwargs["weight"] if "weight" in kwargs else args[1])
        return func(*args, **kwargs)


def readable(weight: Any) -> Tensor:
    """A plain, whole, dense tensor of floating-point numbers; half precision and float8 stay what they are.

    Raises:
        NotThere: not made yet, freed, or in shards that torch alone cannot put together.
        Unreadable: integers, complex numbers, packed or sparse weights, a foreign tensor class.
    """
    if torch.compiler.is_compiling():
        plain: Tensor = weight
        return plain
    refuse_absent(weight)
    if (whole := getattr(weight, "full_tensor", None)) is not None:  # a DTensor: FSDP2, tensor parallelism
        gathered: Tensor = whole()
        return readable(gathered)
    if not isinstance(weight, Tensor):
        raise Unreadable("its weights are packed: look at the network before it is quantised")
    foreign = type(weight) not in PLAIN and (
        type(weight).__torch_dispatch__ is not torch._C._disabled_torch_dispatch_impl
        or type(weight).__torch_function__ is not torch._C._disabled_torch_function_impl
    )
    if foreign and not isinstance(weight, FakeTensor):
        raise Unreadable(
            f"its weight is a {class_path(weight)}, whose numbers only that package can read: look at the network "
            "before it is converted, or tell how to read it with entropy_guidance.register_layer"
        )
    if weight.layout != torch.strided:
        raise Unreadable(f"its weight is stored as {weight.layout}: make it dense, with .to_dense()")
    if weight.is_complex():
        raise Unreadable("it has complex weights, which the paper's formulas do not know")
    if weight.is_quantized or not weight.is_floating_point():
        raise Unreadable(
            f"its weight holds {weight.dtype}, numbers that only the layer's own scale gives a meaning: look at the "
            "network before it is quantised, or tell how to read it with entropy_guidance.register_layer"
        )
    return weight


def refuse_absent(weight: Any) -> None:
    """Refuse what holds no numbers at the moment.

    Raises:
        NotThere: why not, and how to get them.
    """
    if weight is not None and is_lazy(weight):
        raise NotThere("it has no weights yet: run the model once")
    if isinstance(weight, Tensor) and hasattr(weight, "ds_id") and not weight.numel():
        raise NotThere("ZeRO-3 has partitioned its weight: gather it first, with deepspeed.zero.GatheredParameters")
    if not isinstance(weight, Tensor) or weight.is_meta or isinstance(weight, FakeTensor) or not weight.numel():
        return
    if torch._C._are_functorch_transforms_active():
        return
    if type(weight) in PLAIN and weight.layout == torch.strided and not weight.untyped_storage().nbytes():
        raise NotThere(
            "its memory is freed, as FSDP frees it between passes: shard with fully_shard (FSDP2), or gather it first, "
            "with FullyShardedDataParallel.summon_full_params"
        )


def parameters_behind(weight: Tensor, module: nn.Module) -> frozenset[int]:
    """Identities of the parameters that a weight is made of: what two layers share when they share a weight."""
    if isinstance(weight, nn.Parameter) or weight.grad_fn is None:
        own = weight if isinstance(weight, nn.Parameter) else None
        return frozenset({id(own)} if own is not None else (id(p) for p in module.parameters() if p.ndim > 1))
    found, seen, stack = set(), set(), [weight.grad_fn]
    while stack:
        node: Any = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            found.add(id(node.variable))
        stack += [source for source, _ in node.next_functions]
    return frozenset(found)


def class_path(thing: object) -> str:
    """The class of a thing with its module: `torch.nn.modules.linear.Linear`."""
    return f"{type(thing).__module__}.{type(thing).__qualname__}"
