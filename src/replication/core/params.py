"""Reading params.yaml into dataclasses: every mistake gets one message that says where it is and what would do."""

import math
from dataclasses import fields
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from replication.core.errors import UserError

POSITIVE = ("epsilon", "learning_rate")  # a zero in them divides by zero, or trains nothing
SHARES = ("dropout",)


def mistake(where: str, said: str) -> UserError:
    """What to raise for a value in params.yaml."""
    return UserError(f"params.yaml, {where}: {said}")


def read(path: Path) -> dict[str, Any]:
    """The file's mapping, unchecked."""
    try:
        # YAML 1.2, as `dvc exp run -S` writes it: PyYAML would read its 1e-05 as a string.
        raw = YAML(typ="safe").load(path)
    except FileNotFoundError:
        raise UserError(f"no {path} here: run this command in the project's folder") from None
    except YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(raw, dict):
        raise UserError(f"{path} must hold a mapping of parameters")
    return raw


def build(cls: type, raw: Any, where: str) -> Any:
    """A dataclass from a mapping that has all its fields and no others."""
    check_keys(raw, {field.name for field in fields(cls)}, where)
    return cls(**{field.name: convert(raw[field.name], field.type, f"{where}.{field.name}") for field in fields(cls)})


def part(cls: type, raw: dict[str, Any], where: str, *known: str) -> dict[str, Any]:
    """Values for some fields of a dataclass. `known`: what else a message may name."""
    types = {field.name: field.type for field in fields(cls)}
    if unknown := sorted(raw.keys() - types.keys()):
        raise mistake(where, f"unknown parameter {', '.join(unknown)}. Known: {', '.join([*known, *types])}")
    return {name: convert(value, types[name], f"{where}.{name}") for name, value in raw.items()}


def mapping(raw: Any, where: str) -> dict[str, Any]:
    """What was read, if it is a mapping with names for keys."""
    if not isinstance(raw, dict) or not all(isinstance(key, str) for key in raw):
        raise mistake(where, f"expected a mapping of names, got {raw!r}")
    return raw


def check_keys(raw: Any, expected: set[str], where: str) -> None:
    """Raise UserError unless this is a mapping that has these keys and no others."""
    keys = set(mapping(raw, where))
    unknown, missing = sorted(keys - expected), sorted(expected - keys)
    if unknown:
        raise mistake(where, f"unknown parameter {', '.join(unknown)}. Known: {', '.join(sorted(expected))}")
    if missing:
        raise mistake(where, f"missing parameter {', '.join(missing)}")


def convert(value: Any, type_: Any, where: str) -> Any:
    """A value of the annotated type: a literal, number, text, or tuple of them; numbers in the range of their name."""
    if get_origin(type_) in (Union, UnionType):
        if value is None:
            return None
        type_ = get_args(type_)[0]
    if get_origin(type_) is Literal:
        if value in get_args(type_):
            return value
        raise mistake(where, f"got {value!r}, choose one of {', '.join(get_args(type_))}")
    if get_origin(type_) is tuple:
        if not isinstance(value, list) or not value:
            raise mistake(where, f"expected a list, got {value!r}")
        return tuple(convert(item, get_args(type_)[0], where) for item in value)
    name = where.rpartition(".")[2]
    if type_ is float and is_number(value) and _in_range(value, name):
        return float(value)
    if type_ is int and isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    if type_ is str and isinstance(value, str):
        return value
    number = "a positive number" if name in POSITIVE else "a number, not negative"
    number += " and below 1" * (name in SHARES)
    wanted = {int: "a positive whole number", float: number, str: "a text"}[type_]
    raise mistake(where, f"expected {wanted}, got {value!r}")


def _in_range(value: float, name: str) -> bool:
    if name in SHARES:
        return 0 <= value < 1
    if name in POSITIVE:
        return value > 0
    return value >= 0 or "lambda" in name


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
