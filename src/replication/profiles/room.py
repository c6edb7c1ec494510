"""The room of the entropy profiles: one study, of the networks that the profile stage has recorded."""

from collections.abc import Sequence
from functools import partial

from replication.core import late, paths
from replication.core.family import Part, Room, Stage, Study
from replication.core.settings import Parameters
from replication.data import STAND_INS
from replication.profiles.settings import NETWORKS, read

HERE = "replication.profiles"


def parts(parameters: Parameters, _names: Sequence[str]) -> list[Part]:
    records = (paths.table(parameters.scale, f"profile-{network}") for network in NETWORKS)
    return [
        Study(
            name="profiles",
            room="profiles",
            scale=parameters.scale,
            reads=(*records, paths.PUBLISHED / "profiles.yaml"),
            compute=partial(late.function(f"{HERE}.statistics.findings:statistics"), parameters.scale),
            settings=read(parameters),
            stand_in=any(parameters.dataset(family) in STAND_INS for family in parameters.families),
        )
    ]


def stages(parameters: Parameters) -> list[Stage]:
    """One stage a network; that of the U-Net reads the runs of the family that trains it."""
    settings = read(parameters)
    return [
        Stage(name=f"profile-{network}", settings=settings[network], builds_on=("coco_unet",)) for network in NETWORKS
    ]


ROOM = Room(
    title="Entropy profiles",
    order=4,
    parts=parts,
    verdicts=late.function(f"{HERE}.statistics.findings:verdicts"),
    hypotheses=late.function(f"{HERE}.statistics.findings:hypotheses"),
    stages=stages,
    sections=late.function(f"{HERE}.report.sections:sections"),
)
