"""The room of the autoencoders: one family a data set."""

from collections.abc import Sequence

from replication.autoencoder import grid
from replication.autoencoder.settings import AutoencoderSettings, read
from replication.autoencoder.size import size_of
from replication.core import late, paths
from replication.core.family import Calibration, Family, Part, Room, Stage
from replication.core.settings import Parameters

HERE = "replication.autoencoder"


def family(parameters: Parameters, name: str) -> Family[AutoencoderSettings]:
    """One family of autoencoders, `autoencoder-mnist` for example."""
    return Family(
        name=name,
        room="autoencoder",
        scale=parameters.scale,
        dataset=parameters.dataset(name),
        settings=read(parameters, name),
        grid_of=grid.grid,
        needed_by=grid.needed,
        trainer=f"{HERE}.training.train",
        size_of=size_of,
        statistics_of=late.function(f"{HERE}.statistics.findings:statistics"),
        calibration=Calibration(
            grid=grid.calibration_grid,
            table=late.function(f"{HERE}.statistics.calibration:beside_published"),
        ),
        also_from=(paths.PUBLISHED / f"{name}.yaml", paths.record(parameters.scale, "square-part")),
    )


def parts(parameters: Parameters, names: Sequence[str]) -> list[Part]:
    return [family(parameters, name) for name in names]


def stages(parameters: Parameters) -> list[Stage]:
    """What the square parts see of the images of every family."""
    names = [name for name, room in parameters.families.items() if room == "autoencoder"]
    return [Stage(name="square-part", settings=[read(parameters, name).grid for name in names])]


ROOM = Room(
    title="Autoencoder",
    order=5.2,
    parts=parts,
    verdicts=late.function(f"{HERE}.statistics.findings:verdicts"),
    hypotheses=late.function(f"{HERE}.statistics.findings:decided"),
    stages=stages,
    sections=late.function(f"{HERE}.report.sections:sections"),
)
