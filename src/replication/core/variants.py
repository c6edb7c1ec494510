"""Variants: named changes of a family's protocol, trained at a few lambda beside its unguided runs."""

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any

import msgspec
from msgspec.structs import asdict

from replication.core.errors import UserError
from replication.core.run import PAIRED_SETTINGS
from replication.core.schema import (
    Lambdas,
    Number,
    Some,
    Struct,
    Whole,
    Widths,
    fields_of,
    mapping,
    mistake,
    named,
    read_as,
    read_some,
    shown,
)
from replication.core.settings import Parameters

Names = Annotated[tuple[str, ...], Some]


class Variant(Struct, frozen=True, kw_only=True):
    """What one variant changes, and at which lambda it is trained."""

    lambdas: Lambdas
    changes: dict[str, Number]  # settings of the room's training
    widths: Widths | None = None  # instead of those that the grid has for variants,
    replicates: Whole | None = None  # and instead of its number of replicates
    families: Names | None = None  # those that have the variant, instead of all of the room

    def at(self, lambdas: Collection[float], *, given: bool) -> list[float]:
        """Those of its lambda that a family trains: all of its own, or those that the family's grid has too.

        One that names its own widths stands beside the grid, and has its own lambda as well, unless the user gave some.
        """
        return [lambda_ for lambda_ in self.lambdas if lambda_ in lambdas or (self.widths is not None and not given)]


class AtLambda(Struct, frozen=True, kw_only=True):
    """Where the variants of a room are trained: at some lambda."""

    lambdas: Lambdas


class AtReplicates(AtLambda, frozen=True, kw_only=True):
    """And, if they like, with as many replicates as they say."""

    replicates: Whole | None = None


class AtWidths(AtReplicates, frozen=True, kw_only=True):
    """And at widths of their own, in some of the room's families."""

    widths: Widths | None = None
    families: Names | None = None


def read_variants(
    raw: dict[str, Any], where: str, training: type[msgspec.Struct], trained: type[AtLambda] = AtLambda
) -> dict[str, Variant]:
    """The named variants of one kind of training.

    Args:
        trained: what they may say of where they are trained.

    Raises:
        UserError: a variant changes what its unguided runs would have to share, or something that does not exist.
    """
    return {name: _variant(value, f"{where}.{named(name)}", training, trained) for name, value in raw.items()}


def _variant(raw: Any, where: str, training: type[msgspec.Struct], trained: type[AtLambda]) -> Variant:
    if "lambdas" not in mapping(raw, where):
        raise mistake(where, f"expected a mapping with lambdas, got {shown(raw)}")
    where_trained = {name: raw[name] for name in fields_of(trained) if name in raw}
    changes = {name: value for name, value in raw.items() if name not in where_trained}
    if other := sorted(set(fields_of(training)) & changes.keys() - PAIRED_SETTINGS):
        raise UserError(
            f"params.yaml, {where}: a variant stands beside the unguided runs of the protocol, so it cannot change "
            f"{', '.join(other)}. It may change how a run is guided or stopped"
        )
    if not changes:
        raise mistake(where, "it has lambdas alone: a variant changes a setting, too")
    return Variant(
        changes=read_some(training, changes, where, *fields_of(trained)),
        **asdict(read_as(trained, where_trained, where)),
    )


def check_can_be_trained(variants: Mapping[str, Variant], parameters: Parameters, where: str) -> None:
    """A variant is trained at those of its lambda that a grid has. One without any would train nothing, at any scale.

    Raises:
        UserError: no scale has a grid with one of a variant's lambda, and `lambda` names none.
    """
    known = {*(parameters.lambda_override or ()), *_numbers_of_grids(parameters)}
    for name, variant in variants.items():
        if other := sorted(set(variant.families or ()) - parameters.families.keys()):
            raise mistake(f"{where}.{named(name)}.families", f"unknown {', '.join(map(named, other))}")
        if not known & {*variant.lambdas} and variant.widths is None:
            said = ", ".join(f"{lambda_:g}" for lambda_ in variant.lambdas)
            raise UserError(
                f"params.yaml, {where}.{named(name)}.lambdas: no grid has {said}, so this variant would train nothing. "
                f"Choose lambda of a grid, or add {said} to `lambdas` of a family in scales.{parameters.scale}"
            )


def _numbers_of_grids(parameters: Parameters) -> Iterator[float]:
    """The `lambdas` of every family at every scale, as far as they are numbers: other scales are unchecked."""
    for scale in parameters.scales.values():
        for name in parameters.families:
            grid = scale.get(name) if isinstance(scale, dict) else None
            lambdas = grid.get("lambdas") if isinstance(grid, dict) else None
            if isinstance(lambdas, list):
                yield from (value for value in lambdas if isinstance(value, int | float))
