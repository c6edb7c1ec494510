"""Settings as msgspec structs: type, range and unit stand beside each field, and a mistake becomes one message.

A room declares its settings with the types of this module. `read_as` turns a mapping of params.yaml into them, and says
of a value that does not fit where it is, what was expected and what was found.
"""

import math
import re
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, inspect

from replication.core.errors import UserError

Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, lt=1)]
Whole = Annotated[int, Meta(ge=1)]
Number = float | int | str  # of a run's description
Some = Meta(min_length=1)
Lambda = float  # the weight of the penalty; a negative one suppresses entropy
Widths = Annotated[tuple[Whole, ...], Some]
Lambdas = Annotated[tuple[Lambda, ...], Some]

LARGEST = 2**53  # whole numbers up to it are exact as floats, too
PATH = re.compile(r" - at `\$(.*?)`$")
MISSING = re.compile(r"Object missing required field `(.*?)`")
UNKNOWN = re.compile(r"Object contains unknown field `(.*?)`")

T = TypeVar("T")


class Struct(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of params.yaml: all of its fields have to be there, and no others."""


def mistake(where: str, said: str) -> UserError:
    """What to raise for a value in params.yaml."""
    return UserError(f"params.yaml, {where}: {said}")


def mapping(raw: Any, where: str) -> dict[str, Any]:
    """What was read, if it is a mapping with names for keys."""
    if not isinstance(raw, dict) or not all(isinstance(key, str) for key in raw):
        raise mistake(where, f"expected a mapping of names, got {_shown(raw)}")
    return raw


def check_keys(raw: Any, expected: set[str], where: str) -> None:
    """Raise UserError unless this is a mapping that has these keys and no others."""
    keys = set(mapping(raw, where))
    if unknown := sorted(keys - expected):
        raise mistake(where, f"unknown parameter {', '.join(unknown)}. Known: {', '.join(sorted(expected))}")
    if missing := sorted(expected - keys):
        raise mistake(where, f"missing parameter {', '.join(missing)}")


def read_as(type_: type[T], raw: Any, where: str) -> T:
    """A value of params.yaml as the type that declares it.

    Args:
        where: its place in the file, for the message.

    Raises:
        UserError: a field is unknown or missing, or a value has another type or lies out of range.
    """
    if issubclass(type_, msgspec.Struct):
        mapping(raw, where)
    check_numbers(raw, where)
    try:
        return msgspec.convert(raw, type_)
    except msgspec.ValidationError as error:
        raise _explained(str(error), type_, raw, where) from None


def fields_of(struct: type[msgspec.Struct]) -> tuple[str, ...]:
    return struct.__struct_fields__


def read_some(struct: type[msgspec.Struct], raw: Any, where: str, *known: str) -> dict[str, Any]:
    """Values for some fields of a struct, by name. `known`: what else a message may name."""
    types = {field.name: field.type for field in msgspec.structs.fields(struct)}
    if unknown := sorted(mapping(raw, where).keys() - types.keys()):
        raise mistake(where, f"unknown parameter {', '.join(unknown)}. Known: {', '.join([*known, *types])}")
    part = msgspec.defstruct("Part", [(name, types[name]) for name in raw], forbid_unknown_fields=True)
    return msgspec.structs.asdict(read_as(part, raw, where))


def check_numbers(value: Any, where: str) -> None:
    """Refuse NaN, infinity and whole numbers that a float cannot hold, wherever in a value they stand."""
    if isinstance(value, dict):
        for name, item in value.items():
            check_numbers(item, f"{where}.{name}")
    elif isinstance(value, list):
        for item in value:
            check_numbers(item, where)
    elif isinstance(value, float) and not math.isfinite(value):
        raise mistake(where, f"expected a finite number, got {value}")
    elif isinstance(value, int) and abs(value) > LARGEST:
        raise mistake(where, f"expected a number up to {LARGEST}, got one of {len(str(abs(value)))} digits")


def _explained(said: str, type_: type, raw: Any, where: str) -> UserError:
    """The message of msgspec in our words."""
    steps = re.findall(r"\w+|\[\d+\]|\[\.\.\.\]", match[1]) if (match := PATH.search(said)) else []
    declared, value = inspect.type_info(type_), raw
    place = where
    for step in steps:
        declared, value = _entered(declared, value, step)
        place += "" if step.startswith("[") else f".{step}"
    if match := UNKNOWN.match(said):
        known = [field.name for field in declared.fields] if isinstance(declared, inspect.StructType) else []
        return mistake(place, f"unknown parameter {match[1]}. Known: {', '.join(known)}")
    if match := MISSING.match(said):
        return mistake(place, f"missing parameter {match[1]}")
    if isinstance(declared, inspect.LiteralType):
        return mistake(place, f"got {_shown(value)}, choose one of {', '.join(map(str, declared.values))}")
    return mistake(place, f"expected {_wanted(declared)}, got {_shown(value)}")


def _entered(declared: inspect.Type, value: Any, step: str) -> tuple[inspect.Type, Any]:
    """The declared type and the value one step further down the path of a message."""
    declared = _without_none(declared)
    if step == "[...]" and isinstance(declared, inspect.DictType):
        return declared.value_type, value  # msgspec does not name the key
    if step.startswith("[") and isinstance(declared, inspect.VarTupleType):
        return declared.item_type, value[int(step[1:-1])]
    assert isinstance(declared, inspect.StructType)
    field = next(field for field in declared.fields if field.name == step)
    return field.type, value[step]


def _without_none(declared: inspect.Type) -> inspect.Type:
    if not isinstance(declared, inspect.UnionType):
        return declared
    return next(part for part in declared.types if not isinstance(part, inspect.NoneType))


def _wanted(declared: inspect.Type) -> str:
    """A declared type in words."""
    if isinstance(declared, inspect.UnionType):
        return f"null or {_wanted(_without_none(declared))}"
    if isinstance(declared, inspect.IntType):
        return "a positive whole number" if declared.ge == 1 else "a whole number"
    if isinstance(declared, inspect.FloatType):
        return _wanted_number(declared)
    return {inspect.StrType: "a text", inspect.VarTupleType: "a list"}.get(type(declared), "a mapping of names")


def _wanted_number(declared: inspect.FloatType) -> str:
    if declared.gt == 0:
        return "a positive number"
    text = "a number" if declared.ge is None else "a number, not negative"
    return text if declared.lt is None else f"{text} and below {declared.lt:g}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
