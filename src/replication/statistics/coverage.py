"""Which widths of a grid count for a verdict: those with enough runs at every lambda that was planned for them."""

from collections.abc import Iterable, Mapping

import pandas as pd


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
