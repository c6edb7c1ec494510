"""The four plots of DVC: small CSV files under plots/, with what a bar is in words."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from replication.core.files import write_text
from replication.core.findings import Findings
from replication.report import effects

AUTOENCODERS = {"autoencoder-mnist": "MNIST", "autoencoder-cifar10": "CIFAR-10"}
CNNS = {"cnn-cifar10": "CIFAR-10", "cnn-mnist": "MNIST"}


def write(board: Mapping[str, Any], findings: Mapping[str, Findings], folder: Path) -> None:
    """FOLDER/plots: epochs, MSE and accuracy by lambda, and the effects beside the published ones."""
    tables = {
        "epochs": ("epochs", _autoencoders(findings, "stopping_epoch", 1)),
        "mse": ("mse_e4", _autoencoders(findings, "validation_mse", 1e4)),
        "accuracy": ("points", _small_cnns(findings)),
        "effects": ("percent_of_published", _effects(board)),
    }
    for name, (value, rows) in tables.items():
        lines = [f"case,{value}", *(f"{case},{number:.6g}" for case, number in rows)]
        write_text(folder / "plots" / f"{name}.csv", "\n".join(lines) + "\n")


def _autoencoders(findings: Mapping[str, Findings], value: str, factor: float) -> Iterator[tuple[str, float]]:
    """Means of the widest networks, by lambda."""
    for name, data in AUTOENCODERS.items():
        table = findings[name].table("published") if name in findings else None
        if table is None or table.empty:
            continue
        for row in table[table["width"] == table["width"].max()].to_dict("records"):
            yield f"{data} width {row['width']:g} lambda {row['lambda']:g}", factor * row[value]


def _small_cnns(findings: Mapping[str, Findings]) -> Iterator[tuple[str, float]]:
    """Gains in accuracy, in percentage points, by lambda."""
    for name, data in CNNS.items():
        table = findings[name].table("gains-first") if name in findings else None
        for row in [] if table is None else table.to_dict("records"):
            yield f"{data} {row['blocks']} x {row['width']} lambda {row['lambda']:g}", 100 * row["gain"]


def _effects(board: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for row in effects.forest(board["claims"]):
        for kind, share in row.shares.items():
            yield f"{row.claim['id']} {effects.KINDS[kind]}", 100 * share
