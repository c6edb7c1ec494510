"""What a room offers: families of runs, studies without runs, and what the report says of them.

Each room has a module `room` with one object `ROOM`. A command imports the room of the family that it is about, and no
other; `status`, `verdicts` and `report` import all of them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import msgspec

from replication.core import findings, paths
from replication.core.code import code_of
from replication.core.errors import UserError
from replication.core.findings import Findings
from replication.core.run import Run
from replication.core.runs import Record, of_grid, read_current
from replication.core.schema import mistake, shown
from replication.core.settings import Parameters, load, package_of, role_of
from replication.core.suggest import suggestion
from replication.core.training_size import SizeOf
from replication.core.verdict import Hypothesis, Verdict
from replication.data import STAND_INS, catalogue, is_there, unknown

if TYPE_CHECKING:
    import pandas as pd

    from replication.report.section import Section

WITHOUT_FAMILIES = ("theory", "profiles", "cost", "published_tables", "corner_zeros")
ROOM_OF = {
    "corner-zeros": "corner_zeros",
    "published-audit": "published_tables",
    "table2": "imagenette",
}  # else its name

S = TypeVar("S")


class Part(Protocol):
    """What has findings of its own: a family, or a study."""

    @property
    def name(self) -> str: ...

    @property
    def scale(self) -> str: ...

    @property
    def stand_in(self) -> bool:
        """Whether its numbers come from stand-in data, which decide nothing."""

    @property
    def inputs(self) -> list[Path]:
        """Files and folders that the findings are computed from, code included."""

    @property
    def described(self) -> bytes:
        """Settings that the findings depend on."""

    def statistics(self) -> Findings:
        """Compute them."""


@dataclass(frozen=True, kw_only=True)
class Calibration(Generic[S]):
    """Unguided runs on which a family's open settings are calibrated, against the published baseline."""

    grid: Callable[[S], list[Run]]
    table: "Callable[[S, list[Record]], pd.DataFrame]"  # candidates, nearest to the published baseline first


@dataclass(frozen=True, kw_only=True)
class Family(Generic[S]):
    """A family of runs at one scale."""

    name: str
    room: str
    scale: str
    dataset: str | None
    settings: S | None  # None where the scale does not have the family
    grid_of: Callable[[S], list[Run]]  # every run of the settings, in the order in which they are worth having
    planned_of: Callable[[S], int] | None = None  # how many the grid has, if some cannot be described yet
    trainer: str  # module, or MODULE:NAME, of the `Trainer`; imported when something is trained
    statistics_of: Callable[["Family[S]", S], Findings]
    calibration: Calibration[S] | None = None
    size_of: SizeOf | None = None  # of one training, as far as its settings tell
    needed_by: Callable[[str, S], list[Run]] | None = None  # the runs that a claim rests on; None: the whole grid
    also_from: tuple[Path, ...] = ()  # what else the statistics read: files under data/published, say
    builds_on: tuple[str, ...] = ()  # other rooms whose code they use

    @cached_property
    def grid(self) -> list[Run]:
        """[] where the scale does not have the family."""
        return [] if self.settings is None else self.grid_of(self.settings)

    @property
    def calibrations(self) -> list[Run]:
        """The runs of the calibration.

        Raises:
            UserError: the family has none.
        """
        if self.calibration is None or self.settings is None:
            raise UserError(f"{self.name} has no calibration: the paper prints no baseline for it")
        return self.calibration.grid(self.settings)

    @property
    def planned(self) -> int:
        if self.settings is None or self.planned_of is None:
            return len(self.grid)
        return self.planned_of(self.settings)

    @property
    def stand_in(self) -> bool:
        return self.dataset in STAND_INS

    @property
    def table(self) -> Path:
        return paths.table(self.scale, self.name)

    @property
    def calibration_table(self) -> Path:
        return paths.table(self.scale, calibration_name(self.name))

    @cached_property
    def records(self) -> list[Record]:
        """The finished runs of the grid that the table holds."""
        return of_grid(read_current(self.table), self.grid)

    @cached_property
    def calibration_records(self) -> list[Record]:
        return read_current(self.calibration_table)

    @property
    def metrics(self) -> dict[str, float]:
        """How much of the grid exists, and the hours that it took to train."""
        hours = sum(record["seconds"] for record in self.records) / 3600
        return {"runs": len(self.records), "planned": self.planned, "hours": round(hours, 3)}

    @property
    def inputs(self) -> list[Path]:
        tables = [self.table, self.calibration_table]
        return [*tables, *self.also_from, *code_of(self.room, *self.builds_on)]

    @property
    def described(self) -> bytes:
        return msgspec.json.encode(self.settings)

    def statistics(self) -> Findings:
        if self.settings is None:
            return Findings()
        return self.statistics_of(self, self.settings)


@dataclass(frozen=True, kw_only=True)
class Study:
    """A part without runs: it has a record, or published numbers alone."""

    name: str
    room: str
    scale: str
    reads: tuple[Path, ...]
    builds_on: tuple[str, ...] = ()
    compute: Callable[[], Findings]
    settings: Any = None
    stand_in: bool = False  # whether its numbers come from stand-in data

    @property
    def inputs(self) -> list[Path]:
        return [*self.reads, *code_of(self.room, *self.builds_on)]

    @property
    def described(self) -> bytes:
        return msgspec.json.encode(self.settings)

    def statistics(self) -> Findings:
        return self.compute()


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stage that records something beside runs, the layers of a family for example."""

    name: str
    settings: Any = None  # on which its record depends
    builds_on: tuple[str, ...] = ()  # other rooms whose code it uses


@dataclass(frozen=True, kw_only=True)
class Room:
    """One kind of experiment. The functions get the findings of all of the room's parts, by their names."""

    title: str
    order: float  # place of its sections in the report: the paper's order
    parts: Callable[[Parameters, Sequence[str]], list[Part]]  # of these families, and the room's studies
    verdicts: Callable[[Mapping[str, Findings]], Mapping[str, Verdict]]  # by claim
    hypotheses: Callable[[Mapping[str, Findings]], list[Hypothesis]]
    stages: Callable[[Parameters], list[Stage]] = lambda _: []
    sections: "Callable[[list[Part], Mapping[str, Findings], Path, str], list[Section]]"


def find(parameters: Parameters, name: str) -> Family[Any]:
    """A family, from its room.

    Raises:
        UserError: params.yaml has no such family.
    """
    if name not in parameters.families:
        known = ", ".join(parameters.families)
        raise UserError(f"no family {shown(name)}: params.yaml has {known}{suggestion(name, parameters.families)}")
    (part,) = (part for part in room(parameters.families[name]).parts(parameters, [name]) if part.name == name)
    assert isinstance(part, Family)
    check_dataset(parameters, part)
    return part


def check_dataset(parameters: Parameters, family: Family[Any]) -> None:
    """A family trains on what its name says, and on what all families of its role train on.

    Raises:
        UserError: another data set stands there.
    """
    if family.dataset is not None:
        catalogue.check_role(family.dataset, role_of(family.name), parameters.where(family.name))
        parameters.dataset_of_role(role_of(family.name))


def check_there(family: Family[Any]) -> None:
    """Before a training: its data are there, or can be had.

    Raises:
        UserError: nothing is known of a data set of this name, and none is prepared.
    """
    for name in {run["dataset"] for run in family.grid}:
        if catalogue.known(name) is None and not is_there(name):
            raise mistake(f"scales.{family.scale}.{family.name}.dataset", str(unknown(name)))


def check_all(parameters: Parameters) -> None:
    """Read everything that params.yaml says of a scale.

    Raises:
        UserError: the first mistake.
    """
    for name in room_names(parameters):
        for part in parts_of(parameters, name):
            if isinstance(part, Family):
                check_dataset(parameters, part)
                check_there(part)


def find_study(parameters: Parameters, name: str) -> Study:
    """A study, from its room.

    Raises:
        UserError: there is no such study, nor a family of this name.
    """
    rooms = room_names(parameters)
    home = ROOM_OF.get(name, name)
    found = _studies(parameters, home) if home in rooms else {}
    if name not in found:
        known = [*parameters.families, *(study for each in rooms for study in _studies(parameters, each))]
        raise UserError(f"no part {shown(name)}: choose one of {', '.join(known)}")
    return found[name]


def _studies(parameters: Parameters, room_name: str) -> dict[str, Study]:
    return {part.name: part for part in parts_of(parameters, room_name) if isinstance(part, Study)}


def room_names(parameters: Parameters) -> list[str]:
    """All rooms that a report is about: those of the families, and those without."""
    return list(dict.fromkeys([*parameters.families.values(), *WITHOUT_FAMILIES]))


def room(name: str) -> Room:
    """Import a room.

    Raises:
        UserError: its package has no module `room`.
    """
    place = f"{package_of(name)}.room"
    try:
        found: Room = import_module(place).ROOM
    except ModuleNotFoundError as error:
        if error.name != place:
            raise
        raise UserError(f"the room {name} has no module {place}: write it, with an object ROOM") from None
    return found


def parts_of(parameters: Parameters, room_name: str) -> list[Part]:
    """All parts of a room."""
    names = [name for name, lives_in in parameters.families.items() if lives_in == room_name]
    return room(room_name).parts(parameters, names)


def calibration_name(family: str) -> str:
    """Name of the table that holds a family's calibration."""
    return f"{family}-calibration"


def findings_of(part: Part) -> Findings:
    """A part's findings: from their file if that was made from the same data, settings and code, else computed."""
    path = findings.file_of(part.scale, part.name)
    digest = findings.digest_of(part.described, *findings.contents(part.inputs))
    if path.exists():
        found, made_from = findings.read(path)
        if made_from == digest:
            return found
    part.statistics().write(path, digest)
    return findings.read(path)[0]


def compute(scale: str, name: str) -> None:
    """`findings_of` a part by its name, from params.yaml: what another process can be told to do."""
    parameters = load(scale)
    findings_of(find(parameters, name) if name in parameters.families else find_study(parameters, name))
