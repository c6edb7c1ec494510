"""Which layers a profile shows as preserving most entropy. Neither torch nor a model is needed: a table is enough."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def empirical(summary: "pd.DataFrame", deviations: float = 1.0) -> list[str]:
    """Names of the layers that a pretrained network's profile shows as preserving most entropy (paper, section 5.4).

    The paper picked them by eye. The rule here: the layer's mean entropy change lies more than `deviations` standard
    deviations above the mean of all layers' means; the highest layer alone where none does.

    Args:
        summary: `profile(model).summary()`; of its columns `name` and `mean` are needed. Where it has `n` or `kind`,
            matrices are left out: a determinant is no mean over filters.

    Raises:
        ValueError: no such table, or no layer of more than one value.
    """
    if "mean" not in summary:
        raise ValueError("empirical() wants a table with a column mean, such as profile(model).summary()")
    layers = summary[summary["n"] > 1] if "n" in summary else summary
    layers = layers[layers["kind"] == "filters"] if "kind" in layers else layers
    if layers.empty:
        raise ValueError("no layer of the table has more than one value")
    means = layers["mean"]
    chosen = means > means.mean() + deviations * means.std()
    if not chosen.any():
        chosen = means == means.max()
    return list(layers.loc[chosen, "name"])
