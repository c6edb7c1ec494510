"""The penalty of many convolutions in few operations: its sums over filters, and its gradient written out.

A network has dozens of guided convolutions, and a chain of small operations for each costs more than the numbers in it.
Here the guided weights of all layers stand side by side, in rows that belong to one layer each.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function

from entropy_guidance.changes.conv import at_position
from entropy_guidance.constants import made_once

ROW = 512  # numbers; the last row of a layer is filled up


Kind = Literal["log", "reciprocal"]
Positions = tuple[tuple[int, ...], ...]


def filter_sums(weights: Sequence[Tensor], positions: Positions, kind: Kind, offset: float) -> Tensor:
    """Sums over the guided weight c of each filter of log(|c| + offset), or of -1 / (|c| + offset), (layers,).

    Both grow with |c|: a penalty is -lambda times the sum. A c of 0 has no gradient.

    Args:
        weights: of the layers, (O, I, *filter), of one type and device.
        positions: of c in the filters of each layer.
    """
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():
        pairs = zip(weights, positions, strict=True)
        return torch.stack([_summands(at_position(weight, at), kind, offset).sum() for weight, at in pairs])
    with_slope = torch.is_grad_enabled() and any(weight.requires_grad for weight in weights)
    sums: Tensor = _FilterSums.apply(positions, kind, offset, with_slope, *weights)[0]  # type: ignore[no-untyped-call]
    return sums


def _summands(c: Tensor, kind: Kind, offset: float) -> Tensor:
    """One by one, as compilers and functional transforms like them; they put operations together themselves."""
    zero = c == 0
    distance = torch.where(zero, 1.0, c).abs() + offset
    values = distance.log() if kind == "log" else -distance.reciprocal()
    at_zero = (math.log(offset) if offset else -math.inf) if kind == "log" else -1 / offset
    return torch.where(zero, at_zero, values)


def _slope(c: Tensor, kind: Kind, offset: float) -> Tensor:
    """Of each summand."""
    distance = c.abs() + offset
    slope = c.sign() / (distance if kind == "log" else distance.square())
    return torch.where(c == 0, 0, slope)


class _FilterSums(Function):
    """Rows of guided weights, each of one layer; their slopes are kept, and become the layers' gradients at the end."""

    @staticmethod
    def forward(
        positions: Positions, kind: Kind, offset: float, with_slope: bool, *weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        layout = _layout(*_arrangement(weights), kind, offset)
        triples = zip(weights, positions, layout.fills, strict=True)
        parts = [part for weight, at, fill in triples for part in (_guided(weight, at), fill) if part.numel()]
        c = torch.cat(parts).view(-1, ROW)
        # In place wherever it goes: fresh memory costs as much as the numbers in it.
        values, slope = c.abs().add_(offset), c
        if kind == "log":
            slope = c.sign_().div_(values) if with_slope else slope
            values.log_()
        else:
            values.reciprocal_()
            slope = c.sign_().mul_(values).mul_(values) if with_slope else slope
        if offset == 0:
            slope.nan_to_num_(0.0)  # 0 / 0 is no slope
        exact = c.dtype if c.device.type == "mps" else torch.float64
        totals = torch.zeros(len(weights), dtype=exact, device=c.device)
        sign = 1 if kind == "log" else -1
        totals = totals.index_add_(0, layout.rows, values.sum(dim=1).to(exact), alpha=sign).to(c.dtype)
        return totals, slope

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        ctx.positions, ctx.kind, ctx.offset, _, *weights = inputs
        ctx.mark_non_differentiable(output[1])
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(output[1], *weights)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor | None, _: None) -> tuple[Any, ...]:
        slope, *weights = ctx.saved_tensors
        gradients: Sequence[Any]
        if gradient is None:
            gradients = (None,) * len(weights)
        elif torch.is_grad_enabled():  # to be differentiated again
            triples = zip(weights, ctx.positions, gradient.unbind(), strict=True)
            gradients = [
                _placed(own * _slope(at_position(weight, at), ctx.kind, ctx.offset), weight, at)
                for weight, at, own in triples
            ]
        else:
            layout = _layout(*_arrangement(weights), ctx.kind, ctx.offset)
            parts = (slope * gradient.take(layout.column)).split_with_sizes(layout.counts)
            gradients = _spread(parts, weights, ctx.positions)
        return (None, None, None, None, *gradients)


def _spread(slopes: Sequence[Tensor], weights: Sequence[Tensor], positions: Positions) -> list[Tensor]:
    """Rows of slopes as gradients of layers; around the guided weights, where a filter has more, there are zeros."""
    wide = [number for number, weight in enumerate(weights) if weight.shape[2:].numel() > 1]
    sizes = [weights[number].numel() for number in wide]
    zeros = iter(slopes[0].new_zeros(sum(sizes)).split_with_sizes(sizes) if wide else ())
    gradients = [
        (next(zeros) if number in wide else slope).as_strided(weight.shape, _strides(weight.shape))
        for number, (slope, weight) in enumerate(zip(slopes, weights, strict=True))
    ]
    if wide:
        places = [at_position(gradients[number], positions[number]) for number in wide]
        shapes = [weights[number].shape[:2] for number in wide]
        values = [slopes[number].as_strided(shape, (shape[1], 1)) for number, shape in zip(wide, shapes, strict=True)]
        torch._foreach_copy_(places, values)
    return gradients


def _strides(shape: Sequence[int]) -> list[int]:
    """Of a contiguous tensor."""
    return [math.prod(shape[dim + 1 :]) for dim in range(len(shape))]


def _guided(weight: Tensor, at: tuple[int, ...]) -> Tensor:
    """(O, I, *filter) -> (O I,), a view where memory allows."""
    return (weight if weight.shape[2:].numel() == 1 else at_position(weight, at)).flatten()


def _placed(values: Tensor, weight: Tensor, at: tuple[int, ...]) -> Tensor:
    """(O, I) at one position of filters that are zero elsewhere."""
    mask = weight.new_zeros(weight.shape[2:])
    mask[at] = 1
    return values.reshape(*values.shape, *(1,) * mask.ndim) * mask


def _arrangement(weights: Sequence[Tensor]) -> tuple[tuple[int, ...], torch.dtype, torch.device]:
    return tuple(weight.shape[0] * weight.shape[1] for weight in weights), weights[0].dtype, weights[0].device


class _Layout(NamedTuple):
    rows: Tensor  # the layer of each row, (rows,)
    column: Tensor  # the same, (rows, 1)
    counts: list[int]  # rows of each layer
    fills: list[Tensor]  # what fills up a layer's last row, and adds nothing


@made_once
def _layout(sizes: tuple[int, ...], dtype: torch.dtype, device: torch.device, kind: Kind, offset: float) -> _Layout:
    counts = [-(-size // ROW) for size in sizes]
    rows = torch.arange(len(sizes)).repeat_interleave(torch.tensor(counts), output_size=sum(counts)).to(device)
    nothing = 1 - offset if kind == "log" else math.inf  # log(1) and 1 / inf
    fills = [torch.full((-size % ROW,), nothing, dtype=dtype, device=device) for size in sizes]
    return _Layout(rows, rows[:, None], counts, fills)
