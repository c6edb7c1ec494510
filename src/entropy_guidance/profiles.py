"""Entropy profile of a network: the entropy change of every filter and matrix, from the weights alone.

Needs no data. Units are nats; convolutions count per filter and per pixel, as in the paper's Figures 1 and 7 to 9.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from entropy_guidance.changes.conv import at_position
from entropy_guidance.changes.dense import dense_entropy_change
from entropy_guidance.changes.sizes import Anchor, position
from entropy_guidance.layers import Convolution, Map, behind, read, reader_of, unread
from entropy_guidance.plots import box_plot
from entropy_guidance.weights import NotThere, Unreadable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SUMMARY_COLUMNS = ["layer", "name", "n", "mean", "std", "q1", "median", "q3", "outliers_low", "outliers_high"]
MORE_COLUMNS = ["zeros", "min", "whisker_low", "whisker_high", "max", "part", "kind"]


@dataclass(frozen=True)
class _Layer:
    """A map of a module with its entropy changes, or a module without."""

    name: str
    part: str
    type: str
    shape: str
    kind: str  # "filters" or "matrices"
    changes: np.ndarray  # (O, I) or (matrices,), float32 for filters
    skipped: str = ""


class Profile:
    """The entropy changes of a network's layers: a summary of them, and on demand the table of all filters.

    `summary()` has a row a layer. `table` is a data frame with one row a filter slice (output channel, input channel of
    its group) or matrix, in the model's order; indexing and all methods of a data frame act on it. Of a large network
    it has tens of millions of rows.

    Its columns: layer (counted from 1 over the layers that have a profile), name, part (of a module with several maps:
    the parameter), type, shape, output, input (channels; of a stack of matrices output is the number of the matrix; -1
    where there is none), entropy_change (nats; -inf for a zero weight), skipped (why a layer has no profile; such a
    layer has one row, with layer 0 and no entropy change).
    """

    def __init__(self, layers: list[_Layer]) -> None:
        self._layers = layers

    def summary(self) -> pd.DataFrame:
        """One row a layer that has a profile.

        Columns: layer, name, n, mean, std, q1, median, q3, outliers_low, outliers_high (counts by Tukey's rule: beyond
        1.5 interquartile ranges from the quartiles), and zeros (weights that are exactly 0, not in n), min,
        whisker_low, whisker_high, max, part, kind (filters or matrices). A layer of one matrix has n = 1 and no
        standard deviation.
        """
        rows = [
            {"layer": number, "name": layer.name, "part": layer.part, "kind": layer.kind} | _tukey(layer.changes)
            for number, layer in enumerate(self._profiled, 1)
        ]
        return pd.DataFrame(rows, columns=[*SUMMARY_COLUMNS, *MORE_COLUMNS])

    def skipped_layers(self) -> pd.DataFrame:
        """The layers without a profile. Columns: name, type, shape, skipped (the reason)."""
        rows = [(layer.name, layer.type, layer.shape, layer.skipped) for layer in self._layers if layer.skipped]
        return pd.DataFrame(rows, columns=["name", "type", "shape", "skipped"])

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a filter slice or matrix; see the class."""
        numbers = {id(layer): number for number, layer in enumerate(self._profiled, 1)}
        sizes = [1 if layer.skipped else layer.changes.size for layer in self._layers]
        columns: dict[str, Any] = {
            "layer": np.repeat(np.array([numbers.get(id(layer), 0) for layer in self._layers], dtype=np.int16), sizes)
        }
        for column in ("name", "part", "type", "shape"):
            columns[column] = _repeated([getattr(layer, column) for layer in self._layers], sizes)
        places = [_places(layer) for layer in self._layers]
        for number, column in enumerate(("output", "input")):
            columns[column] = np.concatenate([pair[number] for pair in places] or [np.empty(0, np.int32)])
        changes = [np.array([np.nan]) if layer.skipped else layer.changes.ravel() for layer in self._layers]
        columns["entropy_change"] = np.concatenate(changes or [np.empty(0)]).astype(np.float64)
        columns["skipped"] = _repeated([layer.skipped for layer in self._layers], sizes)
        return pd.DataFrame(columns)

    def plot(self, axes: "Axes | None" = None) -> "Axes":
        """Box plot of each layer, as in the paper's Figure 1; dotted lines reach to the farthest outliers."""
        return box_plot(self.summary(), axes)

    @property
    def _profiled(self) -> list[_Layer]:
        return [layer for layer in self._layers if not layer.skipped]

    def __len__(self) -> int:
        return sum(1 if layer.skipped else layer.changes.size for layer in self._layers)

    def __getitem__(self, key: Any) -> Any:
        return self.table[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.table)

    def __contains__(self, column: object) -> bool:
        return column in self.table

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.table, name)

    def __repr__(self) -> str:
        skipped = len(self._layers) - len(self._profiled)
        return f"Profile of {len(self._profiled)} layers, {len(self)} entropy changes, {skipped} skipped: see summary()"


def profile(model: nn.Module, *, anchor: Anchor = "corner", relative: bool = False) -> Profile:
    """Entropy change of every filter of the model's convolutions and of every matrix that its layers apply.

    Which layers are known, and how to add your own, `layers.register_layer` tells. Every other module with a weight of
    two or more dimensions is listed as skipped, with the reason, and so is a layer whose weight is shared with an
    earlier one or cannot be read. Biases are left out: the paper's formulas do not know them. Nothing in the model
    changes.

    Args:
        anchor: the weight that stands for c11, see `conv_entropy_change`; a 1 x 1 filter has only one. Of a transposed
            convolution the corner is that of the kernel as torch stores it: its matrix is the transpose of the
            convolution's with this kernel, and transposing changes no determinant.
        relative: divide each output's weights by their root mean square first, filters (I, *filter) and rows of a
            matrix alike. What is left does not change with a factor a layer or a factor an output, as a folded batch
            norm is one; it does with a factor an input, which the layer before may undo. Normal weights of any scale
            have the mean -0.635 then, uniform ones -0.451.

    Raises:
        ValueError: a weight that is not there (a lazy layer, the meta device, memory that FSDP1 freed), or not finite.
    """
    layers: list[_Layer] = []
    seen: set[frozenset[int]] = set()
    owned: dict[int, str] = {}  # modules that another reads as its own
    for name, module in model.named_modules():
        if id(module) in owned:
            continue
        about = {"name": name, "type": type(module).__name__}
        if reader_of(module) is None:
            if reason := unread(module):
                layers.append(_Layer(**about, part="", shape=_shape(module), kind="", changes=_NONE, skipped=reason))
            continue
        try:
            with torch.enable_grad():
                maps = read(module, name)
        except NotThere:
            raise
        except Unreadable as error:
            reason = str(error).partition("): ")[2] or str(error)
            layers.append(_Layer(**about, part="", shape=_shape(module), kind="", changes=_NONE, skipped=reason))
            continue
        owned |= {id(child): name for child in _own_children(module)}
        for each in maps:
            sources = behind(each, module)
            shared = sources in seen and not each.part
            seen.add(sources)
            reason = "shares its weight with an earlier layer" if shared else ""
            layers.append(
                _Layer(
                    **about,
                    part=each.part,
                    shape=str(tuple(each.weight.shape)),
                    kind="filters" if isinstance(each, Convolution) else "matrices",
                    changes=_NONE if shared else _changes(name, each, anchor, relative),
                    skipped=reason,
                )
            )
    return Profile(layers)


def compare(a: Profile, b: Profile) -> pd.DataFrame:
    """Two profiles of one architecture, layer by layer.

    Columns: layer, name, mean_a, mean_b, difference (a - b), std_a, std_b, outliers_a, outliers_b (shares of n).

    Raises:
        ValueError: these are no profiles, or not of the same layers.
    """
    if not (isinstance(a, Profile) and isinstance(b, Profile)):
        raise ValueError("compare() wants two profiles: compare(profile(a), profile(b))")
    layers = [[(each.name, each.part, each.type, each.shape) for each in side._profiled] for side in (a, b)]
    if layers[0] != layers[1]:
        different = sorted({name for name, *_ in set(layers[0]) ^ set(layers[1])}) or ["their order"]
        raise ValueError(f"the profiles are of different architectures; they differ in {', '.join(different[:5])}")
    left, right = a.summary(), b.summary()
    table = left[["layer", "name"]].copy()
    table["mean_a"], table["mean_b"] = left["mean"], right["mean"]
    table["difference"] = left["mean"] - right["mean"]
    table["std_a"], table["std_b"] = left["std"], right["std"]
    for column, side in (("outliers_a", left), ("outliers_b", right)):
        table[column] = (side["outliers_low"] + side["outliers_high"]) / side["n"]
    return table


_NONE = np.empty(0)


def _own_children(module: nn.Module) -> Iterator[nn.Module]:
    """Modules inside of a layer that are read with it: parametrisations, what LoRA wraps and adds."""
    whole = not isinstance(module, nn.MultiheadAttention)  # its output projection is a layer of its own
    return (child for child in module.modules() if child is not module and whole)


def _shape(module: nn.Module) -> str:
    weight = getattr(module, "weight", None)
    own = [weight] if isinstance(weight, torch.Tensor) else [p for _, p in module.named_parameters(recurse=False)]
    return ", ".join(str(tuple(tensor.shape)) for tensor in own if tensor.ndim > 1)


def _changes(name: str, each: Map, anchor: Anchor, relative: bool) -> np.ndarray:
    if each.weight.is_meta:
        raise NotThere(f"layer {name!r} has no weights yet: run the model once, on a real device")
    weight = each.weight.detach()
    if not math.isfinite(weight.sum(dtype=torch.float32 if weight.itemsize < 8 else None).item()):
        wrong = int((~weight.float().isfinite()).sum())
        if wrong:  # else the sum alone is too large
            raise ValueError(f"layer {name!r} has {wrong} weights that are not finite numbers")
    if not isinstance(each, Convolution):
        matrix = weight.double()
        return dense_entropy_change(matrix / _size(matrix) if relative else matrix).reshape(-1).cpu().numpy()
    # log|c11|, as conv_entropy_change has it beside a gradient
    at = position("corner" if max(weight.shape[2:]) == 1 else anchor, weight.shape[2:])
    changes = at_position(weight, at).float().abs().log_()
    if relative:
        changes -= _size(weight.flatten(1)).log()
    return changes.cpu().numpy()


def _size(weight: torch.Tensor) -> torch.Tensor:
    """Root mean square of each row (..., O, I) -> (..., O, 1), at least in float32; 1 where all weights are 0."""
    dtype = torch.promote_types(weight.dtype, torch.float32)
    size: torch.Tensor = torch.linalg.vector_norm(weight, dim=-1, keepdim=True, dtype=dtype) / math.sqrt(
        weight.shape[-1]
    )
    return size.masked_fill(size == 0, 1)


def _places(layer: _Layer) -> tuple[np.ndarray, np.ndarray]:
    """Output and input of each entropy change."""
    if layer.skipped:
        return np.array([-1], dtype=np.int32), np.array([-1], dtype=np.int32)
    if layer.changes.ndim == 2:
        output, input_ = np.indices(layer.changes.shape, dtype=np.int32)
        return output.ravel(), input_.ravel()
    count = layer.changes.size
    numbers = np.arange(count, dtype=np.int32) if count > 1 else np.array([-1], dtype=np.int32)
    return numbers, np.full(count, -1, dtype=np.int32)


def _repeated(values: list[str], sizes: list[int]) -> pd.Categorical:
    """Each text as often as its layer has rows, stored once."""
    codes, categories = pd.factorize(np.array(values, dtype=object))
    return pd.Categorical.from_codes(np.repeat(codes, sizes), categories)


def _tukey(changes: np.ndarray) -> dict[str, float | int]:
    values = changes.ravel()
    zeros = int(np.isneginf(values).sum()) if len(values) and np.isneginf(values.min()) else 0
    finite = values[np.isfinite(values)] if zeros else values
    if not len(finite):
        return {"n": 0, "zeros": zeros, "outliers_low": 0, "outliers_high": 0}
    ranks = [(len(finite) - 1) * share for share in (0.25, 0.5, 0.75)]
    places = {int(rank) + step for rank in ranks for step in (0, 1) if int(rank) + step < len(finite)}
    ordered = np.partition(finite, sorted(places))
    q1, median, q3 = (_interpolated(ordered, rank) for rank in ranks)
    low, high = q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1)
    # Numbers beyond the quartiles' ranks lie beyond the quartiles.
    below, above = ordered[: int(ranks[0]) + 1], ordered[int(ranks[2]) :]
    inside_low, inside_high = below >= _as_stored(finite, low, np.inf), above <= _as_stored(finite, high, -np.inf)
    return {
        "n": len(finite),
        "mean": float(finite.mean(dtype=np.float64)),
        "std": float(finite.std(ddof=1, dtype=np.float64)) if len(finite) > 1 else np.nan,
        "q1": q1,
        "median": median,
        "q3": q3,
        "outliers_low": int(len(below) - inside_low.sum()),
        "outliers_high": int(len(above) - inside_high.sum()),
        "zeros": zeros,
        "min": float(below.min()),
        "whisker_low": float(below.min(where=inside_low, initial=np.inf)),
        "whisker_high": float(above.max(where=inside_high, initial=-np.inf)),
        "max": float(above.max()),
    }


def _interpolated(ordered: np.ndarray, rank: float) -> float:
    """As np.percentile has it of float64 numbers, without making these."""
    below, above = float(ordered[int(rank)]), float(ordered[min(int(rank) + 1, len(ordered) - 1)])
    return below + (rank - int(rank)) * (above - below)


def _as_stored(values: np.ndarray, border: float, towards: float) -> Any:
    """A border as float32 numbers can be compared with it: the nearest that does not lie on its other side."""
    nearest = values.dtype.type(border)
    beyond = nearest < border if towards > 0 else nearest > border
    return np.nextafter(nearest, values.dtype.type(towards)) if beyond else nearest
