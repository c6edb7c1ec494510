"""The room of the narrow classifiers: one family, and no part of Table 2 or of the claims about it."""

from collections.abc import Sequence

from replication.core import late
from replication.core.family import Family, Part, Room
from replication.core.settings import Parameters
from replication.imagenette.size import size_of
from replication.narrow_classifiers import grid
from replication.narrow_classifiers.settings import NarrowSettings, read

NAME = "narrow_classifiers"
HERE = f"replication.{NAME}"


def family(parameters: Parameters, name: str) -> Family[NarrowSettings]:
    """One family, `classifiers-imagenette-64` for example."""
    return Family(
        name=name,
        room=NAME,
        scale=parameters.scale,
        dataset=parameters.dataset(name),
        settings=read(parameters, name),
        grid_of=grid.grid,
        trainer="replication.imagenette.training.train:TRAINER",
        size_of=size_of,
        statistics_of=late.function(f"{HERE}.statistics.findings:statistics"),
        builds_on=("imagenette", "profiles"),
    )


def parts(parameters: Parameters, names: Sequence[str]) -> list[Part]:
    return [family(parameters, name) for name in names]


ROOM = Room(
    title="Narrow classifier",
    order=5.45,  # behind Table 2
    parts=parts,
    verdicts=lambda _: {},
    hypotheses=late.function(f"{HERE}.statistics.findings:decided"),
    sections=late.function(f"{HERE}.report.sections:sections"),
)
