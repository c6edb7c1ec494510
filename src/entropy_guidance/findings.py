"""What a check of a guidance finds: said, not raised."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from entropy_guidance.untouched import untouched

Blocks = Mapping[str, tuple[nn.Module, list[int] | None]]  # name -> module, inputs that its guided block reads


@dataclass(frozen=True)
class Finding:
    """Something about one guided layer.

    problem: `unusable` (the guidance would be refused), `shared`, `frozen`, `no gradient`, `infinite`, `constant`, and,
    where a batch was looked at, `still inputs`, `not run`, `batch` (the model does not accept it).
    """

    layer: str
    problem: str
    message: str
    inputs: tuple[int, ...] = ()  # of `still inputs`

    def __str__(self) -> str:
        return self.message


def still_inputs(model: nn.Module, blocks: Blocks, batch: Any) -> list[Finding]:
    """Which inputs of guided blocks are the same throughout a batch; the model is run once and stays as it is."""
    extremes: dict[str, tuple[Tensor, Tensor]] = {}
    args, kwargs = arguments(batch)
    with untouched(model), torch.no_grad():
        handles = [
            module.register_forward_pre_hook(partial(_note, extremes, name), with_kwargs=True)
            for name, (module, _) in blocks.items()
        ]
        try:
            model(*args, **kwargs)
        except Exception as error:
            return [Finding("", "batch", f"the model does not run on the batch ({type(error).__name__}: {error})")]
        finally:
            for handle in handles:
                handle.remove()
    findings = []
    for name, (_, columns) in blocks.items():
        if name not in extremes:
            message = f"layer {name!r} did not run: its penalty is the only thing that trains it"
            findings.append(Finding(name, "not run", message))
            continue
        low, high = extremes[name]
        still = (low == high).nonzero().flatten().tolist()
        wanted = set(range(len(low)) if columns is None else columns)
        if found := tuple(index for index in still if index in wanted):
            listed = ", ".join(map(str, found[:8])) + (", ..." if len(found) > 8 else "")
            message = f"layer {name!r}: {len(found)} of the {len(wanted)} inputs of its block never vary: {listed}"
            findings.append(Finding(name, "still inputs", message, found))
    return findings


def arguments(example: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What a model is called with: a tuple holds positional arguments, a dictionary keyword ones."""
    if isinstance(example, dict):
        return (), example
    return (example if isinstance(example, tuple) else (example,)), {}


def _note(
    extremes: dict[str, tuple[Tensor, Tensor]], name: str, module: nn.Module, args: Any, kwargs: dict[str, Any]
) -> None:
    """Smallest and largest number of each input: of channels for a convolution, else of the last dimension."""
    tensors = [value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)]
    if not tensors:
        return
    inputs = tensors[0].detach()
    dimensions = len(getattr(module, "kernel_size", ()))
    if inputs.ndim <= dimensions:
        return  # the layer itself will refuse it
    rows = inputs.movedim(-1 - dimensions, -1).reshape(-1, inputs.shape[-1 - dimensions])
    low, high = rows.amin(dim=0), rows.amax(dim=0)
    if name in extremes:
        low, high = torch.minimum(low, extremes[name][0]), torch.maximum(high, extremes[name][1])
    extremes[name] = low, high
