"""Entropy profile of a network: the entropy change of every filter and dense layer, from the weights alone.

Needs no data. Units are nats; convolutions count per filter and per pixel, as in the paper's Figures 1 and 7 to 9.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn.parameter import is_lazy

from entropy_guidance.changes.conv import Anchor, conv_entropy_change
from entropy_guidance.changes.dense import dense_entropy_change
from entropy_guidance.plots import box_plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SUMMARY_COLUMNS = ["layer", "name", "n", "mean", "std", "q1", "median", "q3", "outliers_low", "outliers_high"]
SKIPPED = {
    nn.ConvTranspose2d: "transposed convolution: the paper gives no formula",
    nn.Conv1d: "one-dimensional convolution: the paper gives no formula",
    nn.Conv3d: "three-dimensional convolution: the paper gives no formula",
    nn.Embedding: "embedding: a look-up, not a linear map of its input",
    nn.MultiheadAttention: "attention: its packed projections are not one linear map",
}


NO_CHANGE = {"output": np.array([-1]), "input": np.array([-1]), "entropy_change": np.array([np.nan])}


class Profile(pd.DataFrame):  # type: ignore[misc]  # pandas comes without types
    """One row a filter slice (output channel, input channel of its group) or dense layer, in the model's order.

    Columns: layer (counted from 1 over the layers that have a profile), name, type, shape, output, input (channels;
    -1 for a dense layer), entropy_change (nats; -inf for a zero weight), skipped (why a layer has no profile; such a
    layer has one row, with layer 0 and no entropy change).
    """

    @property
    def _constructor(self) -> type["Profile"]:
        return Profile

    def summary(self) -> pd.DataFrame:
        """One row a layer that has a profile.

        Columns: layer, name, n, mean, std, q1, median, q3, outliers_low, outliers_high (counts by Tukey's rule: beyond
        1.5 interquartile ranges from the quartiles), and zeros (weights that are exactly 0, not in n), min,
        whisker_low, whisker_high, max. A dense layer has one value: n = 1 and no standard deviation.
        """
        rows = []
        profiled = self[self["layer"] > 0]
        for (layer, name), values in profiled.groupby(["layer", "name"], observed=True)["entropy_change"]:
            rows.append({"layer": layer, "name": name} | _tukey(values.to_numpy()))
        return pd.DataFrame(rows, columns=[*SUMMARY_COLUMNS, "zeros", "min", "whisker_low", "whisker_high", "max"])

    def skipped_layers(self) -> pd.DataFrame:
        """The layers without a profile. Columns: name, type, shape, skipped (the reason)."""
        rows = pd.DataFrame(self.loc[self["layer"] == 0, ["name", "type", "shape", "skipped"]])
        return rows.reset_index(drop=True)

    # pandas' own plot accessor has no use here: a profile has one plot.
    def plot(self, axes: "Axes | None" = None) -> "Axes":
        """Box plot of each layer, as in the paper's Figure 1; dotted lines reach to the farthest outliers."""
        return box_plot(self.summary(), axes)


def profile(model: nn.Module, *, anchor: Anchor = "corner") -> Profile:
    """Entropy change of every filter of the model's 2-D convolutions and of its linear layers.

    A layer whose weight is shared with an earlier one is skipped, as is every other layer with a weight matrix; the
    reason stands in the row. Normalisation layers and biases are left out: the paper's formulas do not know them.

    Args:
        anchor: the weight that stands for c11, see `conv_entropy_change`; a 1 x 1 filter has only one.

    Raises:
        ValueError: a weight that is not there yet (a lazy layer, the meta device), that is complex or not finite, or
            that is a stack of matrices.
    """
    parts: list[dict[str, Any]] = []
    seen: dict[int, Any] = {}  # kept: a parametrised weight is made anew at every look, and ids are re-used
    layer = 0
    for name, module in model.named_modules():
        weight = getattr(module, "weight", None)
        shape = str(tuple(weight.shape)) if isinstance(weight, torch.Tensor) and not is_lazy(weight) else ""
        part: dict[str, Any] = {"name": name, "type": type(module).__name__, "shape": shape, "layer": 0}
        if isinstance(module, nn.Conv2d | nn.Linear) and id(weight) not in seen:
            seen[id(weight)] = weight
            layer += 1
            parts.append(part | {"layer": layer, "skipped": ""} | _changes(name, module, anchor))
        elif isinstance(module, nn.Conv2d | nn.Linear):
            parts.append(part | NO_CHANGE | {"skipped": "shares its weight with an earlier layer"})
        elif reason := next((why for kind, why in SKIPPED.items() if isinstance(module, kind)), None):
            parts.append(part | NO_CHANGE | {"skipped": reason})
        elif _has_matrix(module):
            parts.append(part | NO_CHANGE | {"skipped": "the paper gives no formula for a layer of this kind"})
    sizes = [len(part["entropy_change"]) for part in parts]
    columns: dict[str, Any] = {"layer": np.repeat(np.array([part["layer"] for part in parts], dtype=np.int16), sizes)}
    for column in ("name", "type", "shape"):
        columns[column] = _repeated([part[column] for part in parts], sizes)
    for column, kind in (("output", np.int32), ("input", np.int32), ("entropy_change", np.float64)):
        columns[column] = np.concatenate([part[column] for part in parts] or [np.empty(0)]).astype(kind)
    columns["skipped"] = _repeated([part["skipped"] for part in parts], sizes)
    return Profile(columns)


def compare(a: Profile, b: Profile) -> pd.DataFrame:
    """Two profiles of one architecture, layer by layer.

    Columns: layer, name, mean_a, mean_b, difference (a - b), std_a, std_b, outliers_a, outliers_b (shares of n).

    Raises:
        ValueError: these are no profiles, or not of the same layers.
    """
    if not (isinstance(a, Profile) and isinstance(b, Profile)):
        raise ValueError("compare() wants two profiles: compare(profile(a), profile(b))")
    left, right = a.summary(), b.summary()
    layers = [_layers(a), _layers(b)]
    if layers[0] != layers[1]:
        different = sorted({name for name, *_ in set(layers[0]) ^ set(layers[1])}) or ["their order"]
        raise ValueError(f"the profiles are of different architectures; they differ in {', '.join(different[:5])}")
    table = left[["layer", "name"]].copy()
    table["mean_a"], table["mean_b"] = left["mean"], right["mean"]
    table["difference"] = left["mean"] - right["mean"]
    table["std_a"], table["std_b"] = left["std"], right["std"]
    for column, side in (("outliers_a", left), ("outliers_b", right)):
        table[column] = (side["outliers_low"] + side["outliers_high"]) / side["n"]
    return table


def _layers(found: Profile) -> list[tuple[str, ...]]:
    """Name, type and shape of the layers that have a profile."""
    kinds = pd.DataFrame(found.loc[found["layer"] > 0, ["name", "type", "shape"]]).drop_duplicates()
    return [tuple(row) for row in kinds.astype(str).to_numpy()]


def _has_matrix(module: nn.Module) -> bool:
    """Whether a module that is no normalisation owns a weight matrix, or several (as recurrent layers do)."""
    if isinstance(module, nn.LayerNorm | nn.utils.parametrize.ParametrizationList):
        return False
    own = module.named_parameters(recurse=False)
    return any(name.startswith("weight") and not is_lazy(weight) and weight.ndim > 1 for name, weight in own)


def _changes(name: str, module: nn.Conv2d | nn.Linear, anchor: Anchor) -> dict[str, Any]:
    if is_lazy(module.weight) or module.weight.is_meta:
        raise ValueError(f"layer {name!r} has no weights yet: run the model once, on a real device")
    weight = module.weight.detach().cpu()
    if weight.is_complex():
        raise ValueError(f"layer {name!r} has complex weights, which the paper's formulas do not know")
    if wrong := int((~weight.isfinite()).sum()):
        raise ValueError(f"layer {name!r} has {wrong} weights that are not finite numbers")
    if isinstance(module, nn.Linear) and weight.ndim > 2:
        raise ValueError(f"layer {name!r} is a stack of matrices, shape {tuple(weight.shape)}: profile one model")
    if isinstance(module, nn.Linear):
        return NO_CHANGE | {"entropy_change": np.array([dense_entropy_change(weight.double()).item()])}
    change = conv_entropy_change(weight.float(), anchor=anchor if max(weight.shape[2:]) > 1 else "corner").numpy()
    output, input_ = np.indices(change.shape, dtype=np.int32)
    return {"output": output.ravel(), "input": input_.ravel(), "entropy_change": change.ravel()}


def _repeated(values: list[str], sizes: list[int]) -> pd.Categorical:
    """Each text as often as its layer has rows, stored once."""
    codes, categories = pd.factorize(np.array(values, dtype=object))
    return pd.Categorical.from_codes(np.repeat(codes, sizes), categories)


def _tukey(values: Any) -> dict[str, float | int]:
    finite = values[np.isfinite(values)].astype(np.float64)
    zeros = int(np.isneginf(values).sum())
    if not len(finite):
        return {"n": 0, "zeros": zeros, "outliers_low": 0, "outliers_high": 0}
    q1, median, q3 = np.percentile(finite, [25, 50, 75])
    low, high = q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1)
    inside = finite[(finite >= low) & (finite <= high)]
    return {
        "n": len(finite),
        "mean": float(finite.mean()),
        "std": float(finite.std(ddof=1)) if len(finite) > 1 else np.nan,
        "q1": float(q1),
        "median": float(median),
        "q3": float(q3),
        "outliers_low": int((finite < low).sum()),
        "outliers_high": int((finite > high).sum()),
        "zeros": zeros,
        "min": float(finite.min()),
        "whisker_low": float(inside.min()),
        "whisker_high": float(inside.max()),
        "max": float(finite.max()),
    }
