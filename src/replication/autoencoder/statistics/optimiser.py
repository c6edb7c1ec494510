"""Does the optimiser's rule for epsilon decide how long unguided training lasts (H11)?"""

from collections.abc import Sequence

import pandas as pd

from replication.autoencoder import grid
from replication.autoencoder.settings import AutoencoderSettings
from replication.autoencoder.statistics.claims import ABOVE
from replication.core.runs import Record
from replication.statistics.t_tests import t_interval

VARIANT = "adam-keras"
PUBLISHED_EPOCHS = 40  # on MNIST, unguided: "over 40"
ENOUGH = 5  # pairs at a width
COLUMNS = ["width", "n", "torch", "keras", "difference", "low", "high", "torch_mse", "keras_mse"]


def table(records: Sequence[Record], settings: AutoencoderSettings) -> pd.DataFrame:
    """One row a width: mean stopping epochs of unguided runs by both rules, and their paired difference.

    Columns: width; n pairs; torch, keras (epochs); difference, low and high (its 95 % t-interval, corrected over the
    widths that decide); torch_mse and keras_mse after the last epoch that both runs have.
    """
    by_key = {record["key"]: record for record in records}
    pairs = []
    for run in grid.variants(settings).get(VARIANT, []):
        beside = grid.make_run(settings, run["width"], 0.0, run["replicate"])
        if run.key in by_key and beside.key in by_key:
            torchs, kerass = (by_key[key]["history"]["validation_mse"] for key in (beside.key, run.key))
            common = min(len(torchs), len(kerass)) - 1
            pairs.append((run["width"], len(torchs), len(kerass), torchs[common], kerass[common]))
    found = pd.DataFrame(pairs, columns=["width", "torch", "keras", "torch_mse", "keras_mse"])
    deciding = max(found.loc[found["width"] > ABOVE, "width"].nunique(), 1)
    rows = []
    for width, cell in found.groupby("width"):
        difference = cell["keras"] - cell["torch"]
        means = cell[["torch", "keras"]].mean()
        interval = t_interval(difference, tests=deciding)
        mse = cell[["torch_mse", "keras_mse"]].mean()
        rows.append((width, len(cell), *means, difference.mean(), *interval, *mse))
    return pd.DataFrame(rows, columns=COLUMNS)


def h11(found: pd.DataFrame, settings: AutoencoderSettings) -> tuple[str, str]:
    """Verdict on H11 for MNIST, and its evidence.

    Args:
        found: see `table`.
    """
    wide = found[found["width"] > ABOVE]
    planned = {run["width"] for run in grid.variants(settings).get(VARIANT, [])}
    evidence = "; ".join(
        f"width {row.width}: {row.torch:.1f} epochs with torch's rule, {row.keras:.1f} with Keras's "
        f"({row.difference:+.1f}, {row.low:+.1f} to {row.high:+.1f}, n = {row.n})"
        for row in found.itertuples()
    )
    if {width for width in planned if width > ABOVE} - set(wide[wide["n"] >= ENOUGH]["width"]) or wide.empty:
        return "undecided", evidence or "no pair yet"
    if (wide["keras"] > PUBLISHED_EPOCHS).all() and not (wide["torch"] > PUBLISHED_EPOCHS).all():
        return "supported", evidence
    lacking = PUBLISHED_EPOCHS - wide["torch"]
    return ("refuted" if ((wide["high"] < lacking) | (lacking < 0)).all() else "undecided"), evidence
