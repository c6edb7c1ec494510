"""The report's section on what training and the penalty cost on a CPU."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from replication.core.family import Part
from replication.core.findings import Findings
from replication.report.section import Section, TableEntry, write_table

COMMAND = "python tests/benchmarks/engine.py --write"
TABLES = {  # name -> title, note
    "guidance": (
        "What the penalty adds to a training step",
        "CPU seconds, medians over n steps; ratio: median of the paired ratios to the unguided step, with "
        "quartiles. The reciprocal is where its slope is zero in float32, so that nothing is inverted for it.",
    ),
    "engine": (
        "One epoch of one model",
        "CPU seconds of 60,000 training and 10,000 validation images on one core, medians over n epochs; "
        "times_ours: median of the paired ratios. floor: the matrix products alone at product_gflops.",
    ),
}


def sections(_parts: Sequence[Part], findings: Mapping[str, Findings], folder: Path, _note: str) -> list[Section]:
    """Write the tables under `folder`. The measurements are the same at every scale: MNIST's sizes, one core."""
    found = findings["cost"]
    section = Section(
        title="What it costs (C13)",
        about="Measured on one core of a CPU, epochs on a tenth of the images scaled up. "
        f"`{COMMAND}` measures anew and needs MNIST.",
        tables=[_entry(folder, name, found) for name in TABLES if len(found.table(name))],
    )
    return [section]


def _entry(folder: Path, name: str, found: Findings) -> TableEntry:
    table, (title, note) = found.table(name), TABLES[name]
    machine = f"{table['hardware'].iloc[0]}, {table['versions'].iloc[0]}"
    shown = table.drop(columns=["hardware", "versions"])
    return write_table(folder, f"cost-{name}", title, shown, f"{note} {machine}. Made by `{COMMAND}`.")
