"""Placebo positions (H2) and the exact form (H4) beside the corner: the smallest of the small CNNs, first layer.

Pure functions on run records; the rules are in data/published/hypotheses.yaml. Accuracies of the verdicts are those of
the last epoch.
"""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from replication.core.run import Run
from replication.core.runs import Record, of_grid
from replication.small_cnn import grid
from replication.small_cnn.grid import REPLICATES
from replication.small_cnn.settings import CnnSettings
from replication.small_cnn.statistics.claims import ACCURACY, BASELINE, raises_accuracy
from replication.statistics.t_tests import t_interval

PLACEBOS = ("center", "random")
EXACT = "exact"
OTHER_PULLS = ("epsilon-0.1", "log")  # variants of H15
CORNER = "corner"  # the published guidance, beside the names of the variants
EQUIVALENCE = 0.2  # a placebo does the same as the corner if it differs by less than this share of the corner's effect
LOOKS = 2  # a verdict is given at ten pairs, and again when all planned exist
COLUMNS = ["variant", "lambda", "n", "gain", "low", "high", "anchor_weight", "unguided_anchor_weight"]
COLUMNS += ["corner_n", "corner_minus", "corner_low", "corner_high"]


def gains(records: list[Record], settings: CnnSettings, tests: int = 1, value: str = ACCURACY) -> pd.DataFrame:
    """The corner and every variant at the variants' lambda, smallest architecture, paired by seed.

    Args:
        tests: how many intervals there are of which any one may decide; each is wider for it (Bonferroni).
        value: the metric compared.

    Columns: variant, lambda, n (pairs with the unguided run), gain with its 95 % t-interval low and high, anchor_weight
    (mean |w| at the guided position, last epoch; of forms without one, at the corner) and the same of the unguided runs
    at the corner, corner_minus (corner's accuracy - variant's, corner_n pairs) with its interval.
    """
    runs = _variant_runs(records, settings)
    if BASELINE not in set(runs["lambda"]):
        return pd.DataFrame(columns=COLUMNS)
    base = runs[runs["lambda"] == BASELINE].set_index("replicate")
    guided = runs[runs["lambda"] != BASELINE]
    order = {name: k for k, name in enumerate([CORNER, *grid.variants(settings)])}
    rows = []
    for (variant, lambda_), group in guided.groupby(["variant", "lambda"], sort=False):
        own = group.set_index("replicate")
        gain = (own[value] - base[value]).dropna()
        here = guided[(guided["variant"] == CORNER) & (guided["lambda"] == lambda_)].set_index("replicate")
        over = (here[value] - own[value]).dropna()
        rows.append(
            (
                *(variant, lambda_, len(gain), gain.mean(), *t_interval(gain, tests)),
                *(own["anchor_weight"].mean(), base["anchor_weight"].mean()),
                *(len(over), over.mean(), *t_interval(over, tests)),
            )
        )
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.sort_values(
        ["variant", "lambda"], ignore_index=True, key=lambda c: c.map(order) if c.name == "variant" else c
    )


@dataclass(frozen=True)
class Decisive:
    """The runs that a verdict stands on: the first ten replicates, until all that are planned for it exist."""

    planned: Mapping[str, Set[float]]  # which lambda each variant is to be run at
    table: pd.DataFrame  # the frame of `gains`, for a verdict that is looked at LOOKS times (97.5 %)
    strict: pd.DataFrame  # the same, corrected for the variants' number of lambda as well

    @classmethod
    def of(cls, records: list[Record], settings: CnnSettings, names: Iterable[str], value: str = ACCURACY) -> Self:
        """The runs of some variants, and the unguided ones.

        Args:
            names: of the variants on whose runs the verdict stands; CORNER may be one.
            value: see `gains`.
        """
        every = planned_runs(settings)
        unguided = [run for run in every[CORNER] if run["lambda"] == BASELINE]
        deciding = [*unguided, *(run for name in names for run in every.get(name, []))]
        complete = len(of_grid(records, deciding)) == len({run.key for run in deciding})
        chosen = [record for record in records if complete or record["run"]["replicate"] < REPLICATES]
        planned = _planned_lambdas(settings)
        tests = max(map(len, planned.values()), default=1)
        once, corrected = (gains(chosen, settings, count, value) for count in (LOOKS, LOOKS * tests))
        return cls(planned, once, corrected)

    def lacks(self, variants: Iterable[str]) -> bool:
        """Whether a variant has no runs at one of its lambda, or is not in the grid."""
        run = self.table.groupby("variant")["lambda"].agg(set)
        return any(name not in run or not self.planned.get(name) or run[name] < self.planned[name] for name in variants)


def _planned_lambdas(settings: CnnSettings) -> dict[str, set[float]]:
    """Which lambda each variant is to be run at, whatever `lambda:` in params.yaml asks for."""
    chosen = settings.grid
    return {name: {*settings.variants[name].lambdas} & {*chosen.lambdas} for name in chosen.variants or ()}


def planned_runs(settings: CnnSettings) -> dict[str, list[Run]]:
    """Runs of the smallest architecture: the corner's, at lambda that a variant has and without, and each variant's.

    All with guidance of the first layer.
    """
    return {CORNER: _corner(settings), **grid.variants(settings)}


def by_variant(records: list[Record], settings: CnnSettings) -> dict[str, list[Record]]:
    """The records of these runs."""
    return {name: of_grid(records, runs) for name, runs in planned_runs(settings).items()}


def _corner(settings: CnnSettings) -> list[Run]:
    """The published runs beside which the variants stand, at the lambda of those that H2 and H4 are about."""
    planned = _planned_lambdas(settings).items()
    lambdas = {BASELINE}.union(*(lambdas for name, lambdas in planned if name not in OTHER_PULLS))
    return [
        run
        for run in grid.paper_grid(settings, "first")
        if (run["blocks"], run["width"]) == grid.smallest(settings) and run["lambda"] in lambdas
    ]


def _variant_runs(records: list[Record], settings: CnnSettings) -> pd.DataFrame:
    """One row a run of `by_variant`, with its variant's name."""
    named = by_variant(records, settings)
    parts = [grid.frame(found).assign(variant=name) for name, found in named.items()]
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)


def h2(runs: Decisive, smallest_gain: float) -> tuple[str, str]:
    """Verdict on H2 and its evidence."""
    here = runs.table["variant"].isin(PLACEBOS)
    both, strict = runs.table[here], runs.strict[here]
    if runs.lacks(PLACEBOS) or both["corner_minus"].isna().any():
        return "undecided", "not all of the corner's and the placebos' runs exist"
    evidence = "97.5 % intervals: " + "; ".join(
        f"lambda {row.strength:g}: corner - {row.variant} {row.corner_minus:+.4f} "
        f"({row.corner_low:+.4f} to {row.corner_high:+.4f}, n = {row.corner_n})"
        for row in both.rename(columns={"lambda": "strength"}).itertuples()
    )
    if both["corner_n"].min() < REPLICATES:
        return "undecided", evidence
    effects = runs.table[runs.table["variant"] == CORNER].set_index("lambda")["gain"].abs()
    margins = both["lambda"].map(np.maximum(smallest_gain, EQUIVALENCE * effects))
    if (both["corner_low"].gt(-margins) & both["corner_high"].lt(margins)).all():
        return "supported", evidence
    worse = bool((strict["corner_high"] < 0).groupby(both["lambda"]).all().any())
    return ("refuted" if worse or corner_better(runs) else "undecided"), evidence


def corner_better(runs: Decisive) -> bool:
    """Whether at some lambda the corner does better than both placebos, by the strict intervals."""
    strict = runs.strict[runs.strict["variant"].isin(PLACEBOS)]
    return bool((strict["corner_low"] > 0).groupby(strict["lambda"]).all().any())


def h15(records: list[Record], settings: CnnSettings, smallest_gain: float, value: str) -> tuple[str, str]:
    """Verdict on H15, another epsilon or the log form, and its evidence; the first ten replicates."""
    planned = _planned_lambdas(settings)
    cells = sum(len(planned.get(name, ())) for name in OTHER_PULLS)
    first = [record for record in records if record["run"]["replicate"] < REPLICATES]
    table = gains(first, settings, tests=max(1, cells), value=value)
    table = table[table["variant"].isin(OTHER_PULLS)]
    evidence = f"intervals corrected over {cells} cells: " + "; ".join(
        f"{row.variant} at lambda {row.lambda_:g}: {row.gain:+.4f} ({row.low:+.4f} to {row.high:+.4f}, n = {row.n})"
        for row in table.rename(columns={"lambda": "lambda_"}).itertuples()
    )
    if not cells or len(table) < cells or table["n"].min() < REPLICATES:
        return "undecided", evidence if len(table) else "no runs"
    if (table["low"] > 0).any():
        return "supported", evidence
    return ("refuted" if (table["high"] < smallest_gain).all() else "undecided"), evidence


def h4(runs: Decisive, smallest_gain: float) -> tuple[str, str]:
    """Verdict on H4-cnn and its evidence."""
    if runs.lacks([EXACT]):
        return "undecided", "not all runs in the exact form exist"
    exact, strict = (table[table["variant"] == EXACT].set_index("lambda") for table in (runs.table, runs.strict))
    return raises_accuracy(exact, strict, "97.5 %", smallest_gain)
