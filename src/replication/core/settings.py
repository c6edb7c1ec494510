"""params.yaml at one scale: what all rooms share is read here; a room reads and checks its own sections.

A room is a package with the code of one kind of experiment. `families` in params.yaml says which room a family lives
in. The package names in `SECTIONS` the top-level sections of params.yaml that are its own.
"""

import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from replication.core import paths
from replication.core.errors import UserError
from replication.core.files import bytes_of, write_whole
from replication.core.schema import check_keys, check_numbers, mapping, mistake, named, read_as, shown
from replication.core.suggest import suggestion

SHARED = {"scale", "lambda", "families", "scales"}
OPTIONAL = {"train"}
STUDIES = ("theory", "profiles")  # rooms without families that a scale has settings for
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")  # of what has files of its name: a scale, a family, a data set

T = TypeVar("T")


@dataclass(frozen=True)
class Parameters:
    """params.yaml, with one of its scales chosen."""

    scale: str
    lambda_override: tuple[float, ...] | None  # `lambda:`; None is the grid of each family
    train: frozenset[str] | None  # families; None is all of them
    families: Mapping[str, str]  # name -> room
    sections: Mapping[str, Any] = field(repr=False)  # the rooms', unchecked
    of_scale: Mapping[str, Any] = field(repr=False)  # scales.SCALE, unchecked
    scales: Mapping[str, Any] = field(repr=False)  # all of them, unchecked

    def section(self, name: str) -> dict[str, Any]:
        """A top-level section, with what the scale changes in it."""
        changed = self.of_scale.get(name)
        whole = mapping(self.sections.get(name), name)
        return whole | (mapping(changed, f"scales.{self.scale}.{name}") if changed is not None else {})

    def read(self, type_: type[T], name: str) -> T:
        """A top-level section as the struct that declares it."""
        return read_as(type_, self.section(name), name)

    def grid(self, type_: type[T], name: str) -> T:
        """`scales.SCALE.NAME` as the struct that declares it."""
        return read_as(type_, self.of_scale[name], self.where(name))

    def where(self, name: str) -> str:
        """How a message names a part of the scale."""
        return f"scales.{self.scale}.{name}"

    def trains(self, family: str) -> bool:
        """Whether `train` has a family, or leaves none out."""
        return self.train is None or family in self.train

    def lambdas(self, family: str) -> tuple[float, ...] | None:
        """`lambda`, for a family that is trained; None is its grid."""
        return self.lambda_override if self.trains(family) else None

    def dataset(self, family: str) -> str | None:
        """The data set of a family; None where the scale does not have the family.

        Raises:
            UserError: the family names none.
        """
        grid = self.of_scale[family]
        if grid is None:
            return None
        name = mapping(grid, self.where(family)).get("dataset")
        if not isinstance(name, str):
            raise mistake(f"{self.where(family)}.dataset", f"expected a text, got {shown(name)}")
        _check_name(name, f"{self.where(family)}.dataset")
        return name

    def dataset_of_role(self, role: str) -> str | None:
        """The data set that plays a role (`mnist`, `cifar10` …) at this scale; None where no family uses it.

        Raises:
            UserError: no family has this role, or two of them name different data sets.
        """
        sharing = [family for family in self.families if role_of(family) == role]
        if not sharing:
            known = sorted({role_of(family) for family in self.families})
            raise UserError(f"no family uses {shown(role)}: choose one of {', '.join(known)}{suggestion(role, known)}")
        names = {family: name for family in sharing if (name := self.dataset(family)) is not None}
        if len(set(names.values())) > 1:
            said = ", ".join(f"{family}: {name}" for family, name in names.items())
            raise mistake(f"scales.{self.scale}", f"one data set is meant for {said}")
        return next(iter(names.values()), None)


def role_of(family: str) -> str:
    """Which of the paper's data sets a family uses; at demo scale a stand-in plays its role."""
    return family.partition("-")[2]


def load(scale: str | None = None, path: Path = paths.PARAMS) -> Parameters:
    """Read params.yaml and check what all rooms share.

    Args:
        scale: use this scale instead of the one that the file names.

    Raises:
        UserError: the file is missing or is not YAML, or a parameter is unknown or missing.
    """
    raw = read(path)
    families = families_of(raw)
    sections = {name for room in set(families.values()) for name in sections_of(room)}
    check_keys(raw, SHARED | sections | (OPTIONAL & raw.keys()), "top level")
    scales = mapping(raw["scales"], "scales")
    asked = scale
    scale = raw["scale"] if asked is None else asked
    if not isinstance(scale, str) or scale not in scales:
        where = f" in {path}" if asked is None else ""
        near = suggestion(str(scale), map(str, scales))
        raise UserError(f"unknown scale {shown(scale)}{where}: choose one of {', '.join(map(named, scales))}{near}")
    _check_name(scale, "scales")
    of_scale = mapping(scales[scale], f"scales.{scale}")
    overriding = of_scale.keys() & sections
    check_keys(of_scale, {*families, *STUDIES, *overriding}, f"scales.{scale}")
    return Parameters(
        scale=scale,
        lambda_override=_lambda_override(raw["lambda"]),
        train=_train(raw.get("train"), families),
        families=families,
        sections={name: raw[name] for name in sorted(sections)},
        of_scale=of_scale,
        scales=scales,
    )


def read(path: Path) -> dict[str, Any]:
    """The file's mapping, unchecked."""
    try:
        # YAML 1.2, as `dvc exp run -S` writes it: PyYAML would read its 1e-05 as a string.
        raw = YAML(typ="safe").load(bytes_of(str(path)))
    except FileNotFoundError:
        raise UserError(f"no {path} here: run this command in the project's folder") from None
    except YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {_problem(error)}") from None
    except ValueError as error:  # bytes that are no text, or a number too long to be read
        raise UserError(f"{path} is not valid YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise UserError(f"{path} is not valid: its values are nested too deeply") from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}. See that it is a file that can be read") from None
    if not isinstance(raw, dict):
        raise UserError(f"{path} must hold a mapping of parameters")
    for name, value in raw.items():
        check_numbers(value, named(name))
    return raw


def _problem(error: YAMLError) -> str:
    """What is wrong, and where, in one line."""
    if isinstance(error, MarkedYAMLError) and error.problem and error.problem_mark:
        return f"line {error.problem_mark.line + 1}: {error.problem.splitlines()[0]}"
    return str(error).splitlines()[0]


def set_scale(scale: str, path: Path = paths.PARAMS) -> None:
    """Write `scale:` into params.yaml and leave the rest, comments included, as it is."""
    load(scale, path)  # refuses an unknown scale
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 120  # no shorter than the file's lines, which are left whole
    document = yaml.load(path)
    if document["scale"] != scale:
        document["scale"] = scale
        write_whole(path.resolve(), lambda beside: yaml.dump(document, beside))


def package_of(room: str) -> str:
    """The package of a room: one of ours, or any that can be imported."""
    return f"replication.{room}" if _found(f"replication.{room}") else room


def sections_of(room: str) -> tuple[str, ...]:
    """The sections of params.yaml that a room owns.

    Raises:
        UserError: there is no such room.
    """
    module = _own_module(room)
    if not hasattr(module, "SECTIONS"):
        raise mistake("families", f"{room} is no room: its package does not name the SECTIONS that are its own")
    return tuple(module.SECTIONS)


def measured_by(room: str) -> tuple[frozenset[str], frozenset[str]]:
    """Metrics and histories that every record of a room's runs has; none where the room names none.

    Raises:
        UserError: there is no such room.
    """
    module = _own_module(room)
    return frozenset(getattr(module, "METRICS", ())), frozenset(getattr(module, "HISTORIES", ()))


def _own_module(room: str) -> Any:
    """The module of a room's package, run apart: the room is not imported for it, and it imports nothing itself."""
    spec = _found(package_of(room))
    if spec is None or spec.loader is None:
        raise mistake("families", f"no room {shown(room)}: it is a package beside replication.core, or one of your own")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _found(package: str) -> Any:
    try:
        return importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return None


def families_of(raw: dict[str, Any]) -> dict[str, str]:
    """By family, its room.

    Raises:
        UserError: the section is missing, or a name is none.
    """
    if "families" not in raw:
        raise mistake("top level", "missing parameter families")
    if isinstance(raw["families"], str | list):
        got = shown(raw["families"])
        raise mistake(
            "families", f"expected a mapping of names, got {got}. To train these alone set `train`: -S train=..."
        )
    families = mapping(raw["families"], "families")
    for name, room in families.items():
        if not isinstance(room, str):
            raise mistake(f"families.{named(name)}", f"expected the name of a room, got {shown(room)}")
        _check_name(name, "families")
        if not role_of(name):
            raise mistake(f"families.{named(name)}", "a family's name is KIND-DATA, for example autoencoder-mnist")
    return families


def _check_name(name: str, where: str) -> None:
    if not NAME.fullmatch(name):
        raise mistake(where, f"{shown(name)} is no name: write letters, digits, hyphens and dots, a hundred at most")


def _train(value: Any, families: Mapping[str, str]) -> frozenset[str] | None:
    """null = all families; a name or a list of names = those."""
    if value is None:
        return None
    names = value if isinstance(value, list) else [value]
    if not names:
        raise mistake("train", "expected null, the name of a family or a list of names, got []")
    for name in names:
        if not isinstance(name, str) or name not in families:
            near = suggestion(str(name), families)
            raise mistake("train", f"no family {shown(name)}: choose among {', '.join(families)}{near}")
    return frozenset(names)


def _lambda_override(value: Any) -> tuple[float, ...] | None:
    """null = the grid of each family; a number or a list = those values, and always the baseline 0."""
    if value is None:
        return None
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        raise mistake("lambda", f"expected null, a number or a list of numbers, got {shown(value)}")
    return tuple(sorted({0.0, *(float(v) for v in values)}))
