"""What a profile does not tell: other weights of the same function (H7), and what is left relative to each output."""

from collections.abc import Callable

import pandas as pd

from replication.core.verdict import Measure
from replication.profiles.record import SAME_FUNCTION
from replication.profiles.statistics.claims import LAST_LAYERS, at_the_ends, before_skips

EQUAL = 1e-5  # outputs may differ by so much of the largest one
FOLDED = "platelet-unet-folded"
MOVED = 0.5  # H7: by which share of itself a difference changes
Contrast = Callable[[pd.DataFrame, str], float]


def _layer_1(layers: pd.DataFrame, column: str) -> float:
    return float(layers[column].iloc[0])


def _fall(layers: pd.DataFrame, column: str) -> float:
    return float(layers[column].iloc[0] - layers[column].iloc[-LAST_LAYERS:].mean())


def _skips(layers: pd.DataFrame, column: str) -> float:
    high, low = before_skips(layers, column)
    return high - low


def _ends(layers: pd.DataFrame, column: str) -> float:
    high, low = at_the_ends(layers, column)
    return high - low


def _first_quarter(layers: pd.DataFrame, column: str) -> float:
    quarter = len(layers) // 4
    return float(layers[column][:quarter].mean() - layers[column][quarter:-quarter].mean())


def _last_quarter(layers: pd.DataFrame, column: str) -> float:
    quarter = len(layers) // 4
    return float(layers[column][-quarter:].mean() - layers[column][quarter:-quarter].mean())


FALL = ("layer 1 less the last three", _fall)
SKIPS = ("pre-skip less the others", _skips)
FIRST, LAST = ("first quarter less middle half", _first_quarter), ("last quarter less middle half", _last_quarter)
CONTRASTS: dict[str, tuple[tuple[str, Contrast], ...]] = {  # what a change moves
    "imagenet-rescaled": (FALL,),
    "imagenet-pixels": (("layer 1", _layer_1),),
    "open-nsfw-rescaled": (SKIPS,),
    "open-nsfw-pixels": (("layer 1", _layer_1),),
    "platelet-unet-rescaled": (FIRST, LAST),
    FOLDED: (FIRST, LAST),
}
OF_NETWORK = {  # the published contrast of each network
    "vgg16": FALL,
    "resnet50": SKIPS,
    "open-nsfw": SKIPS,
    "unet": ("ends less middle half", _ends),
    "platelet-unet": ("ends less middle half", _ends),
}


def table(everything: pd.DataFrame) -> pd.DataFrame:
    """One row a change and contrast, in nats.

    Columns: network, change, contrast, before, after, relative_before, relative_after (of the profiles relative to each
    output's own weights), outputs_differ (largest difference in shares of the largest output).
    """
    rows = []
    plain = everything[~everything["transposed"]]
    for kind, contrasts in CONTRASTS.items():
        changed = plain[plain["weights"] == kind].reset_index(drop=True)
        before = plain[plain["weights"] == _of(kind)].reset_index(drop=True)
        if changed.empty or before.empty:
            continue
        for name, contrast in contrasts:
            values = [contrast(layers, column) for column in ("mean", "relative") for layers in (before, changed)]
            network, change = changed["network"].iloc[0], kind.rpartition("-")[2]
            rows.append((network, change, name, *values, changed["differs"].iloc[0]))
    columns = ["network", "change", "contrast", "before", "after", "relative_before", "relative_after"]
    return pd.DataFrame(rows, columns=[*columns, "outputs_differ"])


def means(everything: pd.DataFrame) -> pd.DataFrame:
    """Layer means of networks of which other weights are recorded, for the figure. Columns: weights, layer, mean,
    relative.
    """
    kinds = {kind for change in CONTRASTS for kind in (change, _of(change))}
    there = set(everything["weights"])
    shown = {kind for kind in kinds if any(change in there and kind in (change, _of(change)) for change in CONTRASTS)}
    chosen = everything[~everything["transposed"] & everything["weights"].isin(shown)]
    return chosen[["weights", "layer", "mean", "relative"]].reset_index(drop=True)


def _of(kind: str) -> str:
    """The kind of weights that compute the same."""
    (ending,) = (ending for ending in SAME_FUNCTION if kind.endswith(ending))
    return kind.removesuffix(ending)


def h7(found: pd.DataFrame) -> tuple[tuple[str, str], Measure | None]:
    """Verdict, evidence, and the difference that moves most, of the table above."""
    folded = found[(found["change"] == "folded") & (found["network"] == "platelet-unet")]
    if folded.empty:
        return ("undecided", "no profile of the folded network"), None
    differ = folded["outputs_differ"].iloc[0]
    moved = ((folded["after"] - folded["before"]) / folded["before"]).abs()
    said = [f"{row.contrast}: {row.before:+.2f} nats become {row.after:+.2f}" for row in folded.itertuples()]
    relative = [f"{row.relative_before:+.3f} stay {row.relative_after:+.3f}" for row in folded.itertuples()]
    evidence = f"{'; '.join(said)}; relative to each output's own weights {', '.join(relative)}"
    evidence += f"; outputs differ by {differ:.1g} of the largest"
    word = "undecided" if not differ <= EQUAL else "supported" if (moved > MOVED).any() else "refuted"
    row = folded.loc[moved.idxmax()]
    words = f"{row['contrast']}: {row['before']:+.2f} nats become {row['after']:+.2f}"
    measure = Measure(words, float(row["after"] - row["before"]), unit="nats", n=1, counted="network", architectures=1)
    return (word, evidence), measure


def relative_table(everything: pd.DataFrame) -> pd.DataFrame:
    """What is left of a profile relative to each output's own weights, one row a network and kind of weights.

    Columns: network, weights, layers, mean (of the layers' means; -0.635 for normal weights, -0.451 for uniform ones),
    lowest, highest, contrast, value (of it), with_scale (of the profile itself), in nats.
    """
    rows = []
    for (network, weights), layers in everything.groupby(["network", "weights"], sort=False):
        if layers["relative"].isna().any() or network not in OF_NETWORK:
            continue
        name, contrast = OF_NETWORK[str(network)]
        left = layers["relative"]
        own = layers.reset_index(drop=True)
        values = (left.mean(), left.min(), left.max(), name, contrast(own, "relative"), contrast(own, "mean"))
        rows.append((network, weights, len(layers), *values))
    columns = ["network", "weights", "layers", "mean", "lowest", "highest", "contrast", "value", "with_scale"]
    return pd.DataFrame(rows, columns=columns)


def transposed_table(everything: pd.DataFrame) -> pd.DataFrame:
    """The transposed convolutions, which stand beside. Columns: network, weights, name, shape, n, mean, log_sigma,
    relative.
    """
    chosen = everything[everything["transposed"] & ~everything["weights"].str.endswith(SAME_FUNCTION)]
    found = chosen[["network", "weights", "name", "shape", "n", "mean", "log_sigma", "relative"]]
    return found.assign(shape=found["shape"].map(lambda shape: " x ".join(map(str, shape)))).reset_index(drop=True)
