"""The room of the U-Nets: COCO as the paper uses it, and a sample of it for a CPU."""

from collections.abc import Sequence

from replication.coco_unet import grid
from replication.coco_unet.settings import UNetSettings, read
from replication.coco_unet.size import size_of
from replication.core import late, paths
from replication.core.family import Family, Part, Room
from replication.core.settings import Parameters

HERE = "replication.coco_unet"


def family(parameters: Parameters, name: str) -> Family[UNetSettings]:
    """One family of U-Nets, `unet-coco` for example."""
    dataset = parameters.dataset(name)
    return Family(
        name=name,
        room="coco_unet",
        scale=parameters.scale,
        dataset=dataset,
        settings=None if dataset is None else read(parameters, name),
        grid_of=grid.grid,
        trainer=f"{HERE}.training.train:TRAINER",
        size_of=size_of,
        statistics_of=late.function(f"{HERE}.statistics.findings:statistics"),
        builds_on=("profiles",),
        also_from=(paths.PUBLISHED / "table3.csv",),
    )


def parts(parameters: Parameters, names: Sequence[str]) -> list[Part]:
    return [family(parameters, name) for name in names]


ROOM = Room(
    title="U-Net",
    order=5.5,
    parts=parts,
    verdicts=late.function(f"{HERE}.statistics.findings:verdicts"),
    hypotheses=lambda _: [],
    sections=late.function(f"{HERE}.report.sections:sections"),
)
