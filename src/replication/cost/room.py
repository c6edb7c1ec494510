"""The room of what the penalty costs, measured on one core: one study, the same at every scale."""

from collections.abc import Sequence

from replication.core import late, paths
from replication.core.family import Part, Room, Study
from replication.core.settings import Parameters

HERE = "replication.cost"


def parts(parameters: Parameters, _names: Sequence[str]) -> list[Part]:
    return [
        Study(
            name="cost",
            room="cost",
            scale=parameters.scale,
            reads=(paths.BENCHMARKS / "guidance.csv", paths.BENCHMARKS / "engine.csv"),
            compute=late.function(f"{HERE}.statistics.findings:statistics"),
        )
    ]


ROOM = Room(
    title="Cost",
    order=5.35,
    parts=parts,
    verdicts=late.function(f"{HERE}.statistics.findings:verdicts"),
    hypotheses=lambda _: [],
    sections=late.function(f"{HERE}.report.sections:sections"),
)
