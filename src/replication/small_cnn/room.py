"""The room of the small CNNs: Table 1 on CIFAR-10, and its control on MNIST."""

from collections.abc import Sequence

from replication.core import late, paths
from replication.core.family import Calibration, Family, Part, Room
from replication.core.settings import Parameters
from replication.small_cnn import grid
from replication.small_cnn.settings import CIFAR10, CnnSettings, read
from replication.small_cnn.size import size_of

HERE = "replication.small_cnn"


def family(parameters: Parameters, name: str) -> Family[CnnSettings]:
    """One family of small CNNs. Only Table 1's has published baselines to calibrate on."""
    calibration = Calibration(
        grid=grid.calibration_grid,
        table=late.function(f"{HERE}.statistics.calibration:beside_published"),
    )
    return Family(
        name=name,
        room="small_cnn",
        scale=parameters.scale,
        dataset=parameters.dataset(name),
        settings=read(parameters, name),
        grid_of=grid.grid,
        needed_by=grid.needed,
        trainer=f"{HERE}.training.train",
        size_of=size_of,
        statistics_of=late.function(f"{HERE}.statistics.findings:statistics"),
        calibration=calibration if name == CIFAR10 else None,
        also_from=(paths.PUBLISHED / "table1.csv",),
    )


def parts(parameters: Parameters, names: Sequence[str]) -> list[Part]:
    return [family(parameters, name) for name in names]


ROOM = Room(
    title="Small CNN",
    order=5.3,
    parts=parts,
    verdicts=late.function(f"{HERE}.statistics.findings:verdicts"),
    hypotheses=late.function(f"{HERE}.statistics.findings:decided"),
    sections=late.function(f"{HERE}.report.sections:sections"),
)
