"""Settings as msgspec structs: type, range and unit stand beside each field, and a mistake becomes one message.

A room declares its settings with the types of this module. `read_as` turns a mapping of params.yaml into them, and says
of a value that does not fit where it is, what was expected and what was found.
"""

import math
import re
from itertools import count
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import Meta, inspect

from replication.core.errors import UserError

Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, lt=1)]
Whole = Annotated[int, Meta(ge=1)]
Number = float | int | str  # of a run's description
Several = Annotated[int, Meta(ge=2)]
Some = Meta(min_length=1)
Lambda = float  # the weight of the penalty; a negative one suppresses entropy
Widths = Annotated[tuple[Whole, ...], Some]
Lambdas = Annotated[tuple[Lambda, ...], Some]

LARGEST = 2**53  # whole numbers up to it are exact as floats, too
FLOAT32 = (2.0**-126, 2.0**128)  # sizes of numbers that a float32 holds with all of its digits
MOST, DEEPEST = 100_000, 20  # values below a name of params.yaml, and levels of them
LONGEST = 60  # characters of a value that a message shows
PATH = re.compile(r" - at (?:`key` in )?`\$(.*?)`$")
MISSING = re.compile(r"Object missing required field `(.*?)`")
UNKNOWN = "Object contains unknown field"
WORDS = {
    inspect.NoneType: "null",
    inspect.StrType: "a text",
    inspect.BoolType: "true or false",
    inspect.VarTupleType: "a list",
}

T = TypeVar("T")


class Struct(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of params.yaml: all of its fields have to be there, and no others."""


def mistake(where: str, said: str) -> UserError:
    """What to raise for a value in params.yaml."""
    return UserError(f"params.yaml, {where}: {said}")


def mapping(raw: Any, where: str) -> dict[str, Any]:
    """What was read, if it is a mapping with names for keys."""
    if not isinstance(raw, dict) or not all(isinstance(key, str) for key in raw):
        raise mistake(where, f"expected a mapping of names, got {shown(raw)}")
    return raw


def check_keys(raw: Any, expected: set[str], where: str) -> None:
    """Raise UserError unless this is a mapping that has these keys and no others."""
    keys = set(mapping(raw, where))
    if unknown := sorted(keys - expected):
        raise _unknown(where, unknown, sorted(expected))
    if missing := sorted(expected - keys):
        raise mistake(where, f"missing parameter {', '.join(missing)}")


def read_as(type_: type[T], raw: Any, where: str) -> T:
    """A value of params.yaml as the type that declares it.

    Args:
        where: its place in the file, for the message.

    Raises:
        UserError: a field is unknown or missing, or a value has another type or lies out of range.
    """
    check_numbers(raw, where)
    if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
        mapping(raw, where)
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
        raise _unknown(where, unknown, [*known, *types])
    part = msgspec.defstruct("Part", [(name, types[name]) for name in raw], forbid_unknown_fields=True)
    return msgspec.structs.asdict(read_as(part, raw, where))


def check_numbers(value: Any, where: str) -> None:
    """Refuse NaN, infinity and numbers that a float32, or of whole ones a float, cannot hold, wherever they stand; and
    more values than anybody writes: an alias (*) may name what it stands in.
    """
    left = [(value, where, 0)]
    for seen in count():
        if not left:
            return
        item, at, depth = left.pop()
        if depth > DEEPEST or seen > MOST:
            raise mistake(
                where, f"expected at most {MOST:,} values and {DEEPEST} levels of them. Does one hold itself?"
            )
        if isinstance(item, dict):
            left += [(inner, f"{at}.{named(name)}", depth + 1) for name, inner in reversed(item.items())]
        elif isinstance(item, list):
            left += [(inner, at, depth + 1) for inner in reversed(item)]
        else:
            _check_number(item, at)


def _check_number(value: Any, where: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise mistake(where, f"expected a finite number, got {value}")
    if isinstance(value, float) and value != 0 and not FLOAT32[0] <= abs(value) < FLOAT32[1]:
        raise mistake(where, f"expected 0 or a number of a size from 1.2e-38 to 3.4e+38, got {value}")
    if isinstance(value, int) and abs(value) > LARGEST:
        raise mistake(where, f"expected a number up to {LARGEST} in size, got a larger one")


def named(name: Any) -> str:
    """A name as a message shows it."""
    return name if isinstance(name, str) and name.isprintable() and len(name) <= LONGEST else shown(name)


def shown(value: Any) -> str:
    """A value as a message shows it."""
    text = repr(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def _unknown(where: str, unknown: list[str], known: list[str]) -> UserError:
    return mistake(where, f"unknown parameter {', '.join(map(named, unknown))}. Known: {', '.join(known)}")


def _explained(said: str, type_: Any, raw: Any, where: str) -> UserError:
    """The message of msgspec in our words."""
    place, value = where, raw
    for step in re.findall(r"\w+|\[\d+\]|\[\.\.\.\]", match[1]) if (match := PATH.search(said)) else []:
        type_, value, name = _entered(_plain(type_), value, step)
        place += name and f".{named(name)}"
    declared = inspect.type_info(type_)
    if said.startswith(UNKNOWN):
        known = fields_of(_plain(type_))
        return _unknown(place, sorted(value.keys() - set(known)), list(known))
    if match := MISSING.match(said):
        return mistake(place, f"missing parameter {match[1]}")
    if get_origin(_plain(type_)) is Literal:
        choices = [*map(str, get_args(_plain(type_))), *["null"] * isinstance(declared, inspect.UnionType)]
        return mistake(place, f"got {shown(value)}, choose one of {', '.join(choices)}")
    empty = {"[]": "a list that is not empty", "{}": "a mapping that is not empty"}.get(str(value))
    wanted = _wanted(declared) if empty is None else empty
    return mistake(place, f"expected {wanted}, got {shown(value)}")


def _entered(type_: Any, value: Any, step: str) -> tuple[Any, Any, str]:
    """The type and the value one step further down the path of a message, and the name of the step if it has one."""
    if step == "[...]":  # an item of a mapping: msgspec does not say which
        of = get_args(type_)[1]
        name = next(name for name, item in value.items() if not _fits(item, of))
        return of, value[name], name
    if step.startswith("["):
        return get_args(type_)[0], value[int(step[1:-1])], ""
    field = next(field for field in msgspec.structs.fields(type_) if field.name == step)
    return field.type, value[step], step


def _fits(value: Any, type_: Any) -> bool:
    try:
        msgspec.convert(value, type_)
    except msgspec.ValidationError:
        return False
    return True


def _plain(type_: Any) -> Any:
    """A type without its range, and without None beside it."""
    if get_origin(type_) is Annotated:
        return _plain(get_args(type_)[0])
    if get_origin(type_) in (Union, UnionType):
        return _plain(next(part for part in get_args(type_) if part is not type(None)))
    return type_


def _wanted(declared: inspect.Type) -> str:
    """A declared type in words."""
    if isinstance(declared, inspect.UnionType):
        null_first = sorted(declared.types, key=lambda part: not isinstance(part, inspect.NoneType))
        words = dict.fromkeys(map(_wanted, null_first))
        if "a number" in words:
            words.pop("a whole number", None)
        return " or ".join(words)
    if isinstance(declared, inspect.IntType):
        return {None: "a whole number", 1: "a positive whole number"}.get(declared.ge, f"{declared.ge} or more")
    if isinstance(declared, inspect.FloatType):
        return _wanted_number(declared)
    return WORDS.get(type(declared), "a mapping of names")


def _wanted_number(declared: inspect.FloatType) -> str:
    if declared.gt == 0:
        return "a positive number"
    text = "a number" if declared.ge is None else "a number, not negative"
    return text if declared.lt is None else f"{text} and below {declared.lt:g}"
