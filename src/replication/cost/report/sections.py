"""The report's section on what training and the penalty cost on a CPU, from the committed measurements alone."""

from pathlib import Path

from replication.cost.statistics import claims as step_cost
from replication.report.section import Section, TableEntry, measurements, write_table

COMMAND = "python tests/benchmarks/engine.py --write"


def section(folder: Path) -> Section:
    """Write the tables under `folder`. The measurements are the same at every scale: MNIST's sizes, one core."""
    tables: list[TableEntry] = []
    guidance, engine = (measurements(name) for name in ("guidance", "engine"))
    for name, title, table, note in (
        (
            "guidance",
            "What the penalty adds to a training step",
            guidance,
            "CPU seconds, medians over n steps; ratio: median of the paired ratios to the unguided step, with "
            "quartiles. The reciprocal is where its slope is zero in float32, so that nothing is inverted for it.",
        ),
        (
            "engine",
            "One epoch of one model",
            engine,
            "CPU seconds of 60,000 training and 10,000 validation images on one core, medians over n epochs; "
            "times_ours: median of the paired ratios. floor: the matrix products alone at product_gflops.",
        ),
    ):
        if len(table):
            machine = f"{table['hardware'].iloc[0]}, {table['versions'].iloc[0]}"
            shown = table.drop(columns=["hardware", "versions"])
            tables.append(write_table(folder, f"cost-{name}", title, shown, f"{note} {machine}. Made by `{COMMAND}`."))
    return Section(
        title="What it costs (C13)",
        about="Measured on one core of a CPU, epochs on a tenth of the images scaled up. "
        f"`{COMMAND}` measures anew and needs MNIST.",
        tables=tables,
        verdicts={"C13": step_cost.c13(guidance)},
    )
