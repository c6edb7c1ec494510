"""Statistics of the theory's record: formula and exact change by class of layer, and claim C1."""

from collections.abc import Mapping

import pandas as pd

from replication.core.findings import Findings
from replication.core.verdict import Verdict
from replication.theory import record
from replication.theory.record import CORNERS
from replication.theory.statistics import claims


def statistics(scale: str) -> Findings:
    """Everything, from the record alone."""
    recorded = record.read(scale)
    counts = {name: len(rows) for name, rows in recorded.items()}
    layers, witness = claims.layers_frame(recorded["layers"]), pd.DataFrame(recorded["witness"])
    tables = {"layers": layers, "witness": witness}
    if len(layers):
        filters = pd.DataFrame(recorded["filters"])
        drawn = filters["filter"] == "random"
        tables |= {
            "classes": classes(layers),
            "completions": completions(layers),
            "filters": filters[~drawn],
            "random-filters": filters[drawn],
            "ranking": ranking(filters[drawn]),
        }
    return Findings(tables, metrics=counts)


def verdicts(findings: Mapping[str, Findings]) -> dict[str, Verdict]:
    found = findings["theory"]
    return {"C1": claims.verdict(found.table("layers"), found.table("witness"))}


def classes(layers: pd.DataFrame) -> pd.DataFrame:
    """One row a class of layers: means in nats, the gaps between formula and exact change, and whether they agree."""
    return (
        layers.groupby("class", sort=False)
        .agg(
            n=("formula", "size"),
            determinant_error=("error", "max"),
            formula=("formula", "mean"),
            exact=("exact", "mean"),
            gap=("within", "mean"),
            gap_min=("within", "min"),
            gap_max=("within", "max"),
            plain_gap=("plain", "mean"),
        )
        .assign(agrees=claims.agreeing(layers).map({True: "yes", False: "no"}))
        .reset_index()
    )


def completions(layers: pd.DataFrame) -> pd.DataFrame:
    """How far apart the formulas of one layer's completions are, by class."""
    return (
        layers[layers["others"].map(len) > 0]
        .groupby("class", sort=False)["spread"]
        .agg(n="size", mean="mean", smallest="min", largest="max")
        .reset_index()
    )


def ranking(filters: pd.DataFrame) -> pd.DataFrame:
    """Spearman's rank correlation of each measure of a random filter with its exact change."""
    candidates = [*CORNERS, "centre", "rms"]
    return pd.DataFrame(
        {
            "measure": [f"log {name}" for name in candidates],
            "mean": filters[candidates].mean().to_numpy(),
            "mean_exact": filters["exact"].mean(),
            "rank_correlation": filters[candidates].corrwith(filters["exact"], method="spearman").to_numpy(),
            "n": len(filters),
        }
    )
