"""What the settings of all guided families have in common."""

import math
from typing import Any

import msgspec

from replication.core import room_for
from replication.core.schema import mistake


class GuidedSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A family's settings at one scale; a room adds how it trains, and a grid with `lambdas`."""

    family: str
    scale: str
    lambda_override: tuple[float, ...] | None  # `lambda:` in params.yaml
    grid: Any

    @property
    def lambdas(self) -> tuple[float, ...]:
        """What is trained: the user's choice, or the paper's lambda; the baseline 0 among them."""
        chosen: tuple[float, ...] = self.lambda_override or self.grid.lambdas
        return chosen


def check_fits(where: str, **factors: int) -> None:
    """A grid has the product of some numbers of runs at least.

    Args:
        where: of the grid, for the message.
        factors: how many widths, lambda, replicates ... there are, by name.

    Raises:
        UserError: so many fit into no memory or onto no disk here.
    """
    many = [name for name, number in factors.items() if number > 1] or list(factors)
    room_for.check_runs(math.prod(factors.values()), f"{where}: {' x '.join(many)}")


def check_baseline(lambdas: tuple[float, ...], where: str) -> None:
    """Every comparison stands on unguided runs.

    Raises:
        UserError: a grid has none.
    """
    if 0 not in lambdas:
        raise mistake(f"{where}.lambdas", "the baseline 0 is missing")
