"""The rows of Table 2: what they are called, which layers they guide, and the record of what was found out about them.

Most names say it. The layers of `empirical` follow from an entropy profile; `python -m replication layers` looks for
one, and writes the record.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from replication.core import paths, studies
from replication.core.files import reading
from replication.core.schema import Struct, Whole, shown

EMPIRICAL, PRE_SKIP = "empirical", "pre-skip"
CONVOLUTIONS = {"vgg16": 13, "resnet50": 53}
NUMBERS = re.compile(r"[1-9][0-9]?(\+[1-9][0-9]?)*")
BLOCKS = (3, 4, 6, 3)  # in the stages of ResNet-50
BLOCK = 3  # convolutions in one of its blocks


class Chosen(Struct, frozen=True, kw_only=True):
    """The layers that a row guides."""

    numbers: tuple[Whole, ...] | None  # of convolutions, counted from 1; None: not known
    source: str  # what they were chosen from; of unknown ones: why
    basis: str = ""  # of empirical ones: the weights of the recorded profile, or the key of the run that left one


class Record(Struct, frozen=True, kw_only=True):
    """What the step `layers` found out, by the name of the row."""

    rows: dict[str, Chosen]


def by_name(network: str, row: str) -> Chosen | None:
    """The layers that a row's name means; None for `empirical`.

    Raises:
        ValueError: it means no layers of this network.
    """
    if row == EMPIRICAL:
        return None
    if row == PRE_SKIP:
        if network != "resnet50":
            raise ValueError(f"{network} has no skip connections")
        return Chosen(numbers=pre_skip(), source="the network's graph")
    numbers = tuple(map(int, row.split("+"))) if NUMBERS.fullmatch(row) else (0,)
    last = CONVOLUTIONS[network]
    if not all(1 <= number <= last for number in numbers) or list(numbers) != sorted(set(numbers)):
        raise ValueError(
            f"{shown(row)} is no row. Write numbers of convolutions, 1 to {last}, each once and in order, such as "
            f"'1+2', or {PRE_SKIP}, or {EMPIRICAL}"
        )
    return Chosen(numbers=numbers, source="the paper")


def pre_skip() -> tuple[int, ...]:
    """ResNet-50's convolutions whose output a skip connection carries forward: what `selection.by_role` finds.

    That is the stem, the last of each block but the network's last, and the downsample convolutions, which torchvision
    registers at the end of the first block of each stage.
    """
    last = 1
    found = [last]
    for blocks in BLOCKS:
        for block in range(blocks):
            last += BLOCK
            found.append(last)
            if block == 0:
                last += 1
                found.append(last)
    return tuple(found[:-1])


def record_path(scale: str, family: str) -> Path:
    return paths.record(scale, f"{family}-layers")


def read_record(path: Path, network: str) -> Mapping[str, Chosen]:
    """What is recorded of the rows; nothing where there is no record.

    Raises:
        UserError: the record is damaged, or holds numbers that the network does not have.
    """
    if not path.exists():
        return {}
    with reading(path, "delete it: `python -m replication layers` makes it anew"):
        found = msgspec.json.decode(path.read_bytes(), type=Record).rows
        largest = max((number for chosen in found.values() for number in chosen.numbers or ()), default=0)
        if largest > CONVOLUTIONS[network]:
            raise ValueError(f"{network} has no convolution {largest}")
        return found


def write_record(path: Path, rows: Mapping[str, Chosen]) -> None:
    record = msgspec.json.encode(Record(rows=dict(rows)))
    studies.write(path, msgspec.json.format(record, indent=1).decode() + "\n")
