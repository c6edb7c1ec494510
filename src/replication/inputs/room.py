"""The room of the autoencoders whose guided block reads chosen inputs: one family a data set."""

from collections.abc import Sequence

from replication.autoencoder.size import size_of
from replication.core import late, paths
from replication.core.family import Family, Part, Room, Stage
from replication.core.settings import Parameters
from replication.inputs import grid
from replication.inputs.settings import InputsSettings, read

HERE = "replication.inputs"
RECORD = "guided-inputs"  # what is measured on the images


def family(parameters: Parameters, name: str) -> Family[InputsSettings]:
    """One family, `inputs-mnist` for example."""
    return Family(
        name=name,
        room="inputs",
        scale=parameters.scale,
        dataset=parameters.dataset(name),
        settings=read(parameters, name),
        grid_of=grid.grid,
        trainer="replication.autoencoder.training.train",
        size_of=size_of,
        statistics_of=late.function(f"{HERE}.statistics.findings:statistics"),
        also_from=(paths.record(parameters.scale, RECORD),),
        builds_on=("autoencoder",),
    )


def parts(parameters: Parameters, names: Sequence[str]) -> list[Part]:
    return [family(parameters, name) for name in names]


def stages(parameters: Parameters) -> list[Stage]:
    """What the guided inputs see of the images of every family."""
    names = [name for name, room in parameters.families.items() if room == "inputs"]
    return [Stage(name=RECORD, settings=[read(parameters, name) for name in names], builds_on=("autoencoder",))]


ROOM = Room(
    title="Guided inputs",
    order=0,  # first: it bears on how the sections on the autoencoders are read
    parts=parts,
    verdicts=late.function(f"{HERE}.statistics.findings:verdicts"),
    hypotheses=late.function(f"{HERE}.statistics.findings:decided"),
    stages=stages,
    sections=late.function(f"{HERE}.report.sections:sections"),
)
