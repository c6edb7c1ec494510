"""Unguided small CNNs beside the base columns of Table 1: which settings and number of epochs are the nearest."""

import math
from collections.abc import Iterable

import pandas as pd

from replication.core.published import table as published_table
from replication.core.runs import Record
from replication.small_cnn.grid import ARCHITECTURE, REPLICATES
from replication.small_cnn.settings import CANDIDATE, CnnSettings
from replication.statistics.power import implied_sd


def implied_noise(table: pd.DataFrame) -> tuple[float, float]:
    """Replicate standard deviations that Table 1's gains and p-values imply: (train, validation), medians over rows."""
    noise = []
    for name in ("train", "validation"):
        rows = table[[f"delta_{name}_accuracy", f"delta_{name}_p"]].dropna()
        noise.append(pd.Series([implied_sd(gain, p, REPLICATES) for gain, p in rows.itertuples(index=False)]))
    return float(noise[0].median()), float(noise[1].median())


def baseline_table(records: Iterable[Record], lengths: Iterable[int], published: pd.DataFrame) -> pd.DataFrame:
    """Unguided runs beside the published baselines, a row for each architecture, setting and number of epochs.

    Columns: batch_size, padding, negative_slope, epochs, blocks, width, n (runs), train_accuracy and
    validation_accuracy (means), the latter at each run's best epoch too (best_validation_accuracy), published_train and
    published_validation, distance: root mean square of the first two differences in units of the published replicate
    noise. Empty if no run is of a published architecture.
    """
    train_noise, validation_noise = implied_noise(published)
    base = published.set_index(ARCHITECTURE)
    lengths = tuple(lengths)
    rows = []
    for record in records:
        run, history = record["run"], record["history"]
        if (run["blocks"], run["width"]) not in base.index:
            continue
        printed = base.loc[(run["blocks"], run["width"])]
        for length in lengths:
            if length <= run["epochs"]:
                rows.append(
                    {
                        **{name: run[name] for name in (*CANDIDATE, *ARCHITECTURE)},
                        "epochs": length,
                        "train_accuracy": history["train_accuracy"][length - 1],
                        "validation_accuracy": history["validation_accuracy"][length - 1],
                        "best_validation_accuracy": max(history["validation_accuracy"][:length]),
                        "published_train": printed["base_train_accuracy"],
                        "published_validation": printed["base_validation_accuracy"],
                    }
                )
    if not rows:
        return pd.DataFrame()
    groups = pd.DataFrame(rows).groupby([*CANDIDATE, "epochs", *ARCHITECTURE])
    table = groups.mean()
    table.insert(0, "n", groups.size())
    train = (table["train_accuracy"] - table["published_train"]) / train_noise
    validation = (table["validation_accuracy"] - table["published_validation"]) / validation_noise
    table["distance"] = ((train**2 + validation**2) / 2).map(math.sqrt)
    return table.reset_index()


def calibration_table(records: Iterable[Record], lengths: Iterable[int], published: pd.DataFrame) -> pd.DataFrame:
    """Baselines by setting and number of epochs: those compared in most architectures first, among these the nearest
    to the published ones.

    Columns: batch_size, padding, negative_slope, epochs, architectures (how many of the nine are compared), n (runs),
    then as in baseline_table, means over the architectures; distance is their root mean square.
    """
    cells = baseline_table(records, lengths, published)  # all architectures count the same, whatever their n
    if cells.empty:
        return cells
    names = ("train_accuracy", "validation_accuracy", "published_train", "published_validation")
    table = cells.groupby([*CANDIDATE, "epochs"]).agg(
        architectures=("width", "size"),
        n=("n", "sum"),
        **{name: (name, "mean") for name in names},
        distance=("distance", lambda distances: math.sqrt((distances**2).mean())),
    )
    return table.sort_values(["architectures", "distance"], ascending=[False, True]).reset_index()


def beside_published(settings: CnnSettings, records: Iterable[Record]) -> pd.DataFrame:
    """`calibration_table` at the numbers of epochs that params.yaml names, beside Table 1."""
    return calibration_table(records, settings.calibration.lengths, published_table(1))
