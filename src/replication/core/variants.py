"""Variants: named changes of a family's protocol, trained at a few lambda beside its unguided runs."""

from typing import Any

import msgspec

from replication.core.errors import UserError
from replication.core.runs import PAIRED_SETTINGS
from replication.core.schema import (
    Lambdas,
    Number,
    Struct,
    fields_of,
    mapping,
    mistake,
    named,
    read_as,
    read_some,
    shown,
)


class Variant(Struct, frozen=True, kw_only=True):
    """What one variant changes, and at which lambda it is trained."""

    lambdas: Lambdas
    changes: dict[str, Number]  # settings of the room's training


class _Lambdas(Struct, frozen=True, kw_only=True):
    lambdas: Lambdas


def read_variants(raw: dict[str, Any], where: str, training: type[msgspec.Struct]) -> dict[str, Variant]:
    """The named variants of one kind of training.

    Raises:
        UserError: a variant changes what its unguided runs would have to share, or something that does not exist.
    """
    return {name: _variant(value, f"{where}.{named(name)}", training) for name, value in raw.items()}


def _variant(raw: Any, where: str, training: type[msgspec.Struct]) -> Variant:
    if "lambdas" not in mapping(raw, where):
        raise mistake(where, f"expected a mapping with lambdas, got {shown(raw)}")
    changes = {name: value for name, value in raw.items() if name != "lambdas"}
    if other := sorted(set(fields_of(training)) & changes.keys() - PAIRED_SETTINGS):
        raise UserError(
            f"params.yaml, {where}: a variant stands beside the unguided runs of the protocol, so it cannot change "
            f"{', '.join(other)}. It may change how a run is guided or stopped"
        )
    if not changes:
        raise mistake(where, "it has lambdas alone: a variant changes a setting, too")
    return Variant(
        lambdas=read_as(_Lambdas, {"lambdas": raw["lambdas"]}, where).lambdas,
        changes=read_some(training, changes, where, "lambdas"),
    )
