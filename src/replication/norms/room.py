"""The room of guidance before a batch norm: one family a data set."""

from collections.abc import Sequence

from replication.core import late
from replication.core.family import Family, Part, Room
from replication.core.settings import Parameters
from replication.norms import grid
from replication.norms.settings import NormsSettings, read
from replication.norms.size import size_of

HERE = "replication.norms"


def family(parameters: Parameters, name: str) -> Family[NormsSettings]:
    """One family, `norms-cifar10` for example."""
    return Family(
        name=name,
        room="norms",
        scale=parameters.scale,
        dataset=parameters.dataset(name),
        settings=read(parameters, name),
        grid_of=grid.grid,
        trainer=f"{HERE}.training.train",
        size_of=size_of,
        statistics_of=late.function(f"{HERE}.statistics.findings:statistics"),
    )


def parts(parameters: Parameters, names: Sequence[str]) -> list[Part]:
    return [family(parameters, name) for name in names]


ROOM = Room(
    title="Guidance before a norm",
    order=6.5,  # behind Table 2, before what the paper has not
    parts=parts,
    verdicts=lambda _: {},
    hypotheses=late.function(f"{HERE}.statistics.findings:decided"),
    sections=late.function(f"{HERE}.report.sections:sections"),
)
