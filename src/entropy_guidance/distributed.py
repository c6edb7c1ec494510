"""Guidance beside `DistributedDataParallel(find_unused_parameters=True)`.

DDP then takes a parameter that its forward pass did not use for done before backward begins, and fails when the
gradient of a penalty reaches it after all. Penalties' gradients, which are the same on every rank, are therefore added
once DDP is through.
"""

import gc
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function, Variable
from torch.nn.parallel import DistributedDataParallel


def looks_for_unused(model: nn.Module) -> bool:
    """Whether a DDP around the model, or the model itself, looks for parameters that a forward pass does not use."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return False
    around = [model] if isinstance(model, DistributedDataParallel) else _owners(model)
    return any(isinstance(each, DistributedDataParallel) and each.find_unused_parameters for each in around)


def after_backward(weight: Tensor) -> Tensor:
    """The same numbers; their gradient is added to the parameter's at the end of backward. Of parameters alone."""
    if not isinstance(weight, nn.Parameter) or not weight.requires_grad:
        return weight
    late: Tensor = _Late.apply(weight.detach().requires_grad_(), [weight])  # type: ignore[no-untyped-call]
    return late


class _Late(Function):
    @staticmethod
    def forward(ctx: Any, numbers: Tensor, owner: list[nn.Parameter]) -> Tensor:
        ctx.owner = owner  # in a list, autograd does not see it
        return numbers.view_as(numbers)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, None]:
        (parameter,) = ctx.owner
        value = gradient.clone()

        def add() -> None:
            with torch.no_grad():
                parameter.grad = value if parameter.grad is None else parameter.grad.add_(value)

        # What a callback queues runs after all that was queued before it, and so after DDP.
        engine: Any = Variable._execution_engine
        engine.queue_callback(lambda: engine.queue_callback(add))
        return None, None


def _owners(model: nn.Module) -> list[Any]:
    """Modules that hold the model as a part of theirs."""
    holding = [each for each in gc.get_referrers(model) if isinstance(each, dict) and each.get("module") is model]
    states = [state for each in holding for state in gc.get_referrers(each) if isinstance(state, dict)]
    direct = [owner for each in holding + states for owner in gc.get_referrers(each) if isinstance(owner, nn.Module)]
    return direct
