"""The room of the autoencoders that tell what the penalty touches. Their trainer is the autoencoders'."""

from collections.abc import Sequence

from replication.core import late
from replication.core.family import Family, Part, Room
from replication.core.settings import Parameters
from replication.inputs import grid
from replication.inputs.settings import InputsSettings, read

HERE = "replication.inputs"


def family(parameters: Parameters, name: str) -> Family[InputsSettings]:
    """One of these families, `inputs-mnist` for example."""
    return Family(
        name=name,
        room="inputs",
        scale=parameters.scale,
        dataset=parameters.dataset(name),
        settings=read(parameters, name),
        grid_of=grid.grid,
        trainer="replication.autoencoder.training.train",
        statistics_of=late.function(f"{HERE}.statistics.findings:statistics"),
        builds_on=("autoencoder",),
    )


def parts(parameters: Parameters, names: Sequence[str]) -> list[Part]:
    return [family(parameters, name) for name in names]


ROOM = Room(
    title="Guided inputs",
    order=5.25,
    parts=parts,
    verdicts=late.function(f"{HERE}.statistics.findings:verdicts"),
    hypotheses=late.function(f"{HERE}.statistics.findings:decided"),
    sections=late.function(f"{HERE}.report.sections:sections"),
)
