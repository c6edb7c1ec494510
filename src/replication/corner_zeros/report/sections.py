"""The report's section on how often guided weights meet a zero."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from replication.core.findings import Findings
from replication.corner_zeros import record
from replication.report.section import Section, write_table

NOTE = (
    "Shares, on real images: of the numbers that the guided weight of a filter (corner; beside it the centre) is "
    "multiplied with, how many are zero, padding among them; of all that enters the layer (whole); and of the guided "
    "weights, how many meet nothing but zeros (never). Of autoencoders: of the square part's inputs. untrained: "
    "Glorot-uniform weights, zero biases."
)
ABOUT = (
    "The guided block of MNIST's autoencoders reads a blank margin (the section above). Do the guided weights of the "
    "other networks? The corner weight of a filter is moved over the whole image, so that it meets what every other "
    "weight of the filter meets, but for the padding. A first layer meets the images, whatever its training."
)


def sections(parts: Sequence[Any], findings: Mapping[str, Findings], folder: Path, note: str) -> list[Section]:
    """One section, with one table."""
    (part,) = parts
    table = findings[part.name].table(record.NAME)
    made = f"`python -m replication {record.NAME} --scale {part.scale}`"
    title = "How often a guided weight meets a zero"
    if table.empty:
        return [Section(title=title, about=f"Nothing is recorded: {made} measures it.", note=note)]
    entry = write_table(folder, record.NAME, "Zeros behind guided weights", table, f"{NOTE} Made by {made}.")
    return [Section(title=title, about=ABOUT, note=note, tables=[entry])]
