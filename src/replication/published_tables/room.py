"""The room of the published tables' audit: one study, the same at every scale. It decides no claim."""

from collections.abc import Sequence
from functools import partial

from replication.core import late, paths
from replication.core.family import Part, Room, Stage, Study
from replication.core.settings import Parameters

HERE = "replication.published_tables"
NAME = "published-audit"


def parts(parameters: Parameters, _names: Sequence[str]) -> list[Part]:
    return [
        Study(
            name=NAME,
            room="published_tables",
            scale=parameters.scale,
            reads=(paths.record(parameters.scale, NAME),),
            compute=partial(late.function(f"{HERE}.statistics.findings:statistics"), parameters.scale),
        )
    ]


ROOM = Room(
    title="Published tables",
    order=6,
    parts=parts,
    verdicts=lambda _: {},
    hypotheses=lambda _: [],
    stages=lambda _: [Stage(name=NAME)],
    sections=late.function(f"{HERE}.report.sections:sections"),
)
