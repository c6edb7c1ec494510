"""The room of the theory: one study, for which nothing is trained."""

from collections.abc import Sequence
from functools import partial

from replication.core import late, paths
from replication.core.family import Part, Room, Stage, Study
from replication.core.settings import Parameters
from replication.theory.settings import read

HERE = "replication.theory"


def parts(parameters: Parameters, _names: Sequence[str]) -> list[Part]:
    return [
        Study(
            name="theory",
            room="theory",
            scale=parameters.scale,
            reads=(paths.record(parameters.scale, "theory"),),
            compute=partial(late.function(f"{HERE}.statistics.findings:statistics"), parameters.scale),
            settings=read(parameters),
        )
    ]


ROOM = Room(
    title="Theory",
    order=3,
    parts=parts,
    verdicts=late.function(f"{HERE}.statistics.findings:verdicts"),
    hypotheses=lambda _: [],
    stages=lambda parameters: [Stage(name="theory", settings=read(parameters))],
    sections=late.function(f"{HERE}.report.sections:sections"),
)
