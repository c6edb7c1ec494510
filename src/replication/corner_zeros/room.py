"""The room of one study: what guided weights meet in the networks of all experiments."""

from collections.abc import Sequence
from functools import partial

from replication.core import late, paths
from replication.core.family import Part, Room, Stage, Study
from replication.core.settings import Parameters
from replication.data import STAND_INS

HERE = "replication.corner_zeros"
NAME = "corner-zeros"
NETWORKS_OF = ("autoencoder", "coco_unet", "imagenette", "profiles", "small_cnn")


def parts(parameters: Parameters, _names: Sequence[str]) -> list[Part]:
    return [
        Study(
            name=NAME,
            room="corner_zeros",
            scale=parameters.scale,
            reads=(paths.record(parameters.scale, NAME),),
            compute=partial(late.function(f"{HERE}.statistics.findings:statistics"), parameters.scale),
            stand_in=any(parameters.dataset(family) in STAND_INS for family in parameters.families),
        )
    ]


def stages(parameters: Parameters) -> list[Stage]:
    """It builds the networks of all other rooms, from all settings of the scale."""
    settings = {"sections": parameters.sections, "scale": parameters.of_scale}
    return [Stage(name=NAME, settings=settings, builds_on=NETWORKS_OF)]


ROOM = Room(
    title="Guided weights and zeros",
    order=0.1,  # beside the guided inputs, whose question it asks again
    parts=parts,
    verdicts=lambda _: {},
    hypotheses=lambda _: [],
    stages=stages,
    sections=late.function(f"{HERE}.report.sections:sections"),
)
