"""Table 2 as the report prints it: the published cells and ours, what choice makes of them, and every run."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from replication.imagenette.grid import ROW
from replication.published_tables import audit
from replication.statistics.selection_effects import binomial_se

COLUMNS = {
    "network": "network",
    "training": "training",
    "row": "guided layers",
    "lambda": "lambda",
    "replicate": "seed",
    "best_accuracy": "best accuracy",
    "best_epoch": "at epoch",
    "accuracy": "last accuracy",
    "stopping_epoch": "epochs",
    "stopped_early": "stopped early",
    "train_loss": "training loss",
    "penalty": "penalty",
    "seconds_per_epoch": "seconds per epoch",
    "images_per_second": "images per second",
}


def beside_published(ours: pd.DataFrame, counts: pd.DataFrame, printed: pd.DataFrame, images: int) -> pd.DataFrame:
    """The paper's layout; every cell holds the published accuracy and ours.

    Args:
        ours: accuracies, a row of Table 2 a row, lambda in columns.
        counts: runs behind each of them.
        printed: the published accuracies.
        images: that ours were measured on.
    """
    rows = []
    for row in [*printed.index, *(row for row in ours.index if row not in printed.index)]:
        line: dict[str, str] = dict(zip(audit.ROW, row, strict=True))
        for lambda_ in sorted({*printed.columns, *ours.columns}):
            theirs, own = (_at(cells, row, lambda_) for cells in (printed, ours))
            cell = "-" if theirs is None else f"{theirs:.3f}"
            if own is None:
                cell += "; -"
            else:
                cell += f"; {own:.3f} ± {binomial_se(own, images):.3f} (n {counts.loc[row, lambda_]:.0f})"
            line[f"{lambda_:g}"] = cell
        rows.append(line)
    return pd.DataFrame(rows).rename(columns={"guided_layers": "guided layers"})


def chance(ours: Mapping[str, Any], published: Mapping[str, Any]) -> pd.DataFrame:
    """What choosing the best of a row makes of noise. Arguments as from `audit.by_choice`."""
    columns = {}
    for name, found in (("published", published), ("ours", ours)):
        gain = found["gain"]
        columns[name] = [
            f"{found['rows']}, best of {found['candidates']}",
            f"{found['off']} (p = {found['off_p']:.3f})",
            f"{found['within']['sd']:.4f}",
            f"{gain['observed']:.4f}",
            f"{gain['expected_normal']:.4f}",
            f"{gain['expected_relabelled']:.4f} (p of the gain: {gain['p_relabelled']:.3f})",
        ]
    names = ["complete rows", "rows with the best off the baseline", "SD within a row"]
    names += ["mean gain of the best", "the same without any effect, normal noise"]
    names += ["the same without any effect, relabelled rows"]
    return pd.DataFrame({"quantity": names} | columns)


def with_errors(whole: pd.DataFrame, images: int) -> pd.DataFrame:
    """The complete rows for the figure: lists of accuracies and of their binomial standard errors."""
    return whole.index.to_frame(index=False).assign(
        accuracies=whole.to_numpy().tolist(),
        standard_errors=[[binomial_se(accuracy, images) for accuracy in row] for row in whole.to_numpy()],
    )


def every_run(runs: pd.DataFrame) -> pd.DataFrame:
    table = runs.sort_values([*ROW, "lambda", "replicate"], kind="stable", ignore_index=True)
    return table[list(COLUMNS)].rename(columns=COLUMNS)


def _at(cells: pd.DataFrame, row: tuple[str, ...], lambda_: float) -> float | None:
    if row not in cells.index or lambda_ not in cells.columns:
        return None
    value = float(cells.loc[row, lambda_])
    return None if math.isnan(value) else value
