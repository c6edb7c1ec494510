"""The room of VGG16 and ResNet-50: one family a network, and Table 2, which both make together."""

from collections.abc import Sequence

from replication.core import late, paths
from replication.core.family import Family, Part, Room, Stage, Study
from replication.core.settings import Parameters
from replication.imagenette import grid
from replication.imagenette.settings import ImagenetteSettings, read
from replication.imagenette.size import size_of

NAME = "imagenette"
HERE = f"replication.{NAME}"
BUILDS_ON = ("profiles", "published_tables")


def family(parameters: Parameters, name: str) -> Family[ImagenetteSettings]:
    """The runs of one network, `vgg16-imagenette` for example."""
    dataset = parameters.dataset(name)
    return Family(
        name=name,
        room=NAME,
        scale=parameters.scale,
        dataset=dataset,
        settings=None if dataset is None else read(parameters, name),
        grid_of=grid.grid,
        planned_of=grid.planned,
        trainer=f"{HERE}.training.train:TRAINER",
        size_of=size_of,
        statistics_of=late.function(f"{HERE}.statistics.findings:statistics"),
        builds_on=BUILDS_ON,
    )


def table2(scale: str, families: Sequence[Family[ImagenetteSettings]]) -> Study:
    """What the runs of both networks say together, by the arithmetic of the published table's audit."""
    others = (paths.PUBLISHED / "table2.csv", paths.BENCHMARKS / "classifiers.csv")
    compute = late.function(f"{HERE}.statistics.findings:table2")
    return Study(
        name="table2",
        room=NAME,
        scale=scale,
        reads=(*(family.table for family in families), *others),
        builds_on=BUILDS_ON,
        compute=lambda: compute(families),
        settings=[family.settings for family in families],
        stand_in=any(family.stand_in for family in families),
    )


def parts(parameters: Parameters, names: Sequence[str]) -> list[Part]:
    """These families; and Table 2, where they are all of the room's."""
    families = [family(parameters, name) for name in names]
    whole = [name for name, room in parameters.families.items() if room == NAME]
    return [*families, table2(parameters.scale, families)] if list(names) == whole else [*families]


def stages(parameters: Parameters) -> list[Stage]:
    """Which layers the rows of Table 2 guide, in each network."""
    families = [family(parameters, name) for name, room in parameters.families.items() if room == NAME]
    return [Stage(name=f"layers-{each.name}", settings=each.settings, builds_on=BUILDS_ON) for each in families]


ROOM = Room(
    title="Classifier",
    order=5.4,
    parts=parts,
    verdicts=late.function(f"{HERE}.statistics.findings:verdicts"),
    hypotheses=lambda _: [],
    stages=stages,
    sections=late.function(f"{HERE}.report.sections:sections"),
)
