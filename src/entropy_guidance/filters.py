"""The penalty of many convolutions in few operations: its sums over filters, and its gradient written out.

A network has dozens of guided convolutions, and a chain of small operations for each costs more than the numbers in it.
Here the guided weights of all layers stand side by side, in rows that belong to one layer each.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd import Function

from entropy_guidance.changes.conv import at_position
from entropy_guidance.constants import made_once

ROW = 512  # numbers; the last row of a layer is filled up


@dataclass(frozen=True)
class Sums:
    """What is summed over the guided weight c of each filter: log(|c| + offset), or 1 / (|c| + offset)."""

    form: Literal["log", "reciprocal"]
    offset: float
    positions: tuple[tuple[int, ...], ...]  # of c in the filters of each layer

    def __call__(self, weights: Sequence[Tensor]) -> Tensor:
        """Sums of layers with weights (O, I, *filter) of one type and device, (layers,); c = 0 has no gradient."""
        sums, _ = _FilterSums.apply(self, any(w.requires_grad for w in weights) and torch.is_grad_enabled(), *weights)  # type: ignore[no-untyped-call]
        result: Tensor = sums
        return result

    def slope(self, weight: Tensor, at: tuple[int, ...]) -> Tensor:
        """Of each filter's summand with respect to c, (O, I)."""
        c = at_position(weight, at)
        distance = c.abs() + self.offset
        slope = c.sign() / (distance if self.form == "log" else -distance.square())
        return torch.where(c == 0, 0, slope)


class _FilterSums(Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(sums: Sums, with_slope: bool, *weights: Tensor) -> tuple[Tensor, Tensor]:
        rows, fills = _layout(tuple(w.shape[0] * w.shape[1] for w in weights), weights[0].device)
        # log(1) and 1 / inf add nothing
        fill = weights[0].new_full((ROW,), 1 - sums.offset if sums.form == "log" else math.inf)
        parts = [
            part
            for weight, at, missing in zip(weights, sums.positions, fills, strict=True)
            for part in (_guided(weight, at), fill[:missing])
        ]
        c = torch.cat(parts).view(-1, ROW)
        distance = c.abs().add_(sums.offset)
        values = distance.log() if sums.form == "log" else distance.reciprocal()
        totals = torch.zeros(len(weights), dtype=torch.float64, device=c.device)
        totals.index_add_(0, rows, values.sum(dim=1).double())
        if not with_slope:
            return totals.to(c.dtype), c.new_empty(0)
        slope = c.sign_()
        slope = slope.div_(distance) if sums.form == "log" else slope.mul_(values.square_().neg_())
        if sums.offset == 0:
            slope = slope.nan_to_num_(0.0)  # 0 / 0
        return totals.to(c.dtype), slope

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        ctx.sums, _, *weights = inputs
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(output[1], *weights)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Any, ...]:
        slope, *weights = ctx.saved_tensors
        if torch.is_grad_enabled():  # to be differentiated again
            pairs = zip(weights, ctx.sums.positions, gradient.unbind(), strict=True)
            return (None, None, *(_placed(own * ctx.sums.slope(weight, at), weight, at) for weight, at, own in pairs))
        rows, fills = _layout(tuple(w.shape[0] * w.shape[1] for w in weights), slope.device)
        flat = (slope * gradient.index_select(0, rows)[:, None]).view(-1)
        sizes = [size for w, fill in zip(weights, fills, strict=True) for size in (w.shape[0] * w.shape[1], fill)]
        own = list(flat.split_with_sizes(sizes)[::2])
        # Where a filter has one weight that is all; around other guided weights there are zeros.
        wide = [number for number, weight in enumerate(weights) if weight.shape[2:].numel() > 1]
        around = slope.new_zeros(sum(weights[number].numel() for number in wide))
        wholes = around.split_with_sizes([weights[number].numel() for number in wide]) if wide else ()
        gradients = [
            part.view(weight.shape) if number not in wide else part
            for number, (part, weight) in enumerate(zip(own, weights, strict=True))
        ]
        places = []
        for number, whole in zip(wide, wholes, strict=True):
            gradients[number] = whole.view(weights[number].shape)
            places.append(at_position(gradients[number], ctx.sums.positions[number]))
        if wide:
            torch._foreach_copy_(places, [own[number].view(weights[number].shape[:2]) for number in wide])
        return (None, None, *gradients)


def _guided(weight: Tensor, at: tuple[int, ...]) -> Tensor:
    """(O, I, *filter) -> (O I,), a view where memory allows."""
    return (weight if weight.shape[2:].numel() == 1 else at_position(weight, at)).flatten()


def _placed(values: Tensor, weight: Tensor, at: tuple[int, ...]) -> Tensor:
    """(O, I) at one position of filters that are zero elsewhere."""
    mask = weight.new_zeros(weight.shape[2:])
    mask[at] = 1
    return values.reshape(*values.shape, *(1,) * mask.ndim) * mask


@made_once
def _layout(sizes: tuple[int, ...], device: torch.device) -> tuple[Tensor, tuple[int, ...]]:
    """The layer of each row, and how many numbers the last row of each layer lacks."""
    counts = torch.tensor([-(-size // ROW) for size in sizes])
    rows = torch.arange(len(sizes)).repeat_interleave(counts)
    return rows.to(device), tuple(-size % ROW for size in sizes)
