"""The room of the rivals: one family a data set, under the protocol of the smallest CNN."""

from collections.abc import Sequence

from replication.core import late, paths
from replication.core.family import Family, Part, Room
from replication.core.settings import Parameters
from replication.rivals import grid
from replication.rivals.settings import RivalsSettings, read
from replication.small_cnn.size import size_of

HERE = "replication.rivals"


def family(parameters: Parameters, name: str) -> Family[RivalsSettings]:
    """One family, `rivals-cifar10` for example."""
    return Family(
        name=name,
        room="rivals",
        scale=parameters.scale,
        dataset=parameters.dataset(name),
        settings=read(parameters, name),
        grid_of=grid.grid,
        trainer=f"{HERE}.training.train",
        size_of=size_of,
        statistics_of=late.function(f"{HERE}.statistics.findings:statistics"),
        also_from=(paths.BENCHMARKS / "rivals.csv", paths.BENCHMARKS / "rivals-training.csv"),
        builds_on=("small_cnn",),
    )


def parts(parameters: Parameters, names: Sequence[str]) -> list[Part]:
    return [family(parameters, name) for name in names]


ROOM = Room(
    title="Rivals",
    order=7,  # behind what the paper has
    parts=parts,
    verdicts=late.function(f"{HERE}.statistics.findings:verdicts"),
    hypotheses=late.function(f"{HERE}.statistics.findings:decided"),
    sections=late.function(f"{HERE}.report.sections:sections"),
)
