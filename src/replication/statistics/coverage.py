"""How much of a grid must exist for a verdict: the one rule of coverage in claims.yaml, and which widths count."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Judged:
    """A verdict on a claim or on its control, or what there would be of one if enough cells existed."""

    word: str
    evidence: str
    so_far: str = ""


def covered(cells: int, planned: int) -> bool:
    """Whether enough of a grid's cells exist for a verdict: half of them at least, and one.

    >>> covered(5, 9), covered(4, 9), covered(0, 0)
    (True, False, False)
    """
    return cells > 0 and 2 * cells >= planned


def judged(word: str, evidence: str, cells: int, planned: int, what: str) -> Judged:
    """The verdict that the cells give, or, of too few, none: it is then what they say so far.

    Args:
        what: the cells' name in the plural.

    >>> judged("partly", "two differ", 4, 9, "widths")
    Judged(word='inconclusive', evidence='two differ', so_far='partly, 4 of 9 widths')
    """
    if covered(cells, planned):
        return Judged(word, evidence)
    says_something = cells > 0 and word != "inconclusive"
    return Judged("inconclusive", evidence, f"{word}, {cells} of {planned} {what}" if says_something else "")


def counting(runs: pd.DataFrame, planned: Mapping[int, Iterable[float]], enough: int) -> list[int]:
    """The widths that count, in the plan's order.

    Args:
        runs: one row a run (or a pair), with columns width and lambda.
        planned: width -> lambda.
        enough: runs at each lambda.
    """
    sizes = runs.groupby(["width", "lambda"]).size()
    return [
        width
        for width, lambdas in planned.items()
        if all(sizes.get((width, lambda_), 0) >= enough for lambda_ in lambdas)
    ]


def said(widths: Iterable[int], planned: Iterable[int]) -> str:
    """For the evidence: `200 of 140, 180, 200`."""
    return " of ".join(", ".join(map(str, sorted(set(part)))) or "none" for part in (widths, planned))
