"""Small CNN classifiers, paper section 5.3: the grids behind Table 1, its MNIST control, the placebos and H4.

In a network of one block "all layers" are the first layer: such runs exist once, as `first`.
"""

import math
from collections.abc import Iterable
from typing import Any

import pandas as pd

from replication.core import describe
from replication.core.runs import Record, Run, unique
from replication.core.settings import CnnGrid, Settings

REPLICATES = 10  # behind each published mean
ARCHITECTURE = ["blocks", "width"]
PLACEMENTS = ("first", "all")  # of the guidance: which convolutions
CANDIDATE = ("batch_size", "padding", "negative_slope")  # the settings that calibration compares
METRICS = ("validation_accuracy", "train_accuracy", "best_validation_accuracy", "best_epoch", "anchor_weight")
Architecture = tuple[int, int]  # blocks, width
SETTINGS = ("blocks", "width", "lambda", "replicate", "form", "placement", "anchor")  # what the report tells apart


def make_run(
    settings: Settings, family: str, architecture: Architecture, lambda_: float, replicate: int, **changes: Any
) -> Run:
    """One classifier."""
    grid, (blocks, width) = settings.cnn_grids[family], architecture
    described = {
        "dataset": grid.dataset,
        "blocks": blocks,
        "width": width,
        "lambda": lambda_,
        "replicate": replicate,
        "placement": "first",
        **vars(settings.cnn),
        "epochs": grid.epochs,
        **changes,
    }
    if blocks == 1:
        described |= {"placement": "first"}
    if described["form"] in ("exact", "decay"):
        described |= {"anchor": "none"}
    return Run(family, describe.blanked(described, placement="none", anchor="none"))


def grid(settings: Settings, family: str) -> list[Run]:
    """Every run of a family: the paper's grid at each placement, the variants, and weaker guidance."""
    runs = [run for placement in PLACEMENTS for run in paper_grid(settings, family, placement)]
    for variant in variants(settings, family).values():
        runs += variant
    return unique(runs + weaker(settings, family))


def paper_grid(settings: Settings, family: str, placement: str) -> list[Run]:
    """The paper's grid for one placement of the guidance, and the unguided runs. More of the smallest architecture."""
    chosen = settings.cnn_grids[family]
    return [
        make_run(settings, family, (blocks, width), lambda_, replicate, placement=placement)
        for blocks in chosen.blocks
        for width in chosen.widths
        for lambda_ in settings.lambdas_of(chosen)
        for replicate in range(_replicates(chosen, (blocks, width)))
    ]


def variants(settings: Settings, family: str) -> dict[str, list[Run]]:
    """The guided runs of each variant of the smallest architecture, at those of its lambda that the grid has too."""
    chosen = settings.cnn_grids[family]
    lambdas = settings.lambdas_of(chosen)
    named = {name: settings.cnn_variants[name] for name in chosen.variants or ()}
    return {
        name: [
            make_run(settings, family, smallest(chosen), lambda_, replicate, **variant.changes)
            for lambda_ in variant.lambdas
            if lambda_ in lambdas
            for replicate in range(chosen.smallest_replicates)
        ]
        for name, variant in named.items()
    }


def weaker(settings: Settings, family: str) -> list[Run]:
    """Guided runs of the smallest architecture below the paper's lambda, first layer (H6). None if lambda is given."""
    chosen = settings.cnn_grids[family]
    lambdas = (chosen.weaker_lambdas or ()) if settings.lambda_override is None else ()
    return [
        make_run(settings, family, smallest(chosen), lambda_, replicate)
        for lambda_ in lambdas
        for replicate in range(chosen.replicates)
    ]


def smallest(chosen: CnnGrid) -> Architecture:
    """The architecture that has more replicates, and the variants."""
    return chosen.blocks[0], chosen.widths[0]


def _replicates(chosen: CnnGrid, architecture: Architecture) -> int:
    return chosen.smallest_replicates if architecture == smallest(chosen) else chosen.replicates


def frame(records: Iterable[Record]) -> pd.DataFrame:
    """One row a run: see `describe.frame`."""
    return describe.frame(records, [*SETTINGS, *METRICS, "seconds"])


def calibration_grid(settings: Settings, family: str) -> list[Run]:
    """Unguided runs of each candidate. Their histories tell what fewer epochs would have given."""
    wanted = settings.cnn_calibration
    return unique(
        make_run(settings, family, (blocks, width), 0.0, replicate, **changes, epochs=wanted.epochs)
        for changes in wanted.candidates.values()
        for blocks in wanted.blocks
        for width in wanted.widths
        for replicate in range(wanted.replicates)
    )


def implied_noise(table: pd.DataFrame) -> tuple[float, float]:
    """Replicate standard deviations that Table 1's gains and p-values imply: (train, validation), medians over rows."""
    from replication.statistics.power import implied_sd  # statsmodels takes seconds to import

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
