"""Placebo positions (H2) and the exact form (H4) beside the corner: the smallest of the small CNNs, first layer.

Pure functions on run records; the rules are in data/published/hypotheses.yaml. Accuracies are those of the last epoch.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from replication.analysis.statistics import t_interval
from replication.experiments import small_cnn
from replication.experiments.small_cnn import REPLICATES
from replication.experiments.small_cnn_claims import ACCURACY, BASELINE
from replication.runs import Record, Run, of_grid
from replication.settings import Settings

PLACEBOS = ("center", "random")
CORNER = "corner"  # the published guidance, beside the names of the variants
EQUIVALENCE = 0.2  # a placebo does the same as the corner if it differs by less than this share of the corner's effect
LOOKS = 2  # a verdict is given at ten pairs, and again when all planned exist
COLUMNS = ["variant", "lambda", "n", "gain", "low", "high", "anchor_weight", "unguided_anchor_weight"]
COLUMNS += ["corner_n", "corner_minus", "corner_low", "corner_high"]
DECISIVE = ["gain_low", "gain_high", "gain_low_bonferroni", "low", "high", "low_bonferroni", "high_bonferroni"]


def gains(records: list[Record], settings: Settings, family: str) -> pd.DataFrame:
    """The corner and every variant at the variants' lambda, smallest architecture, paired by seed.

    Columns: variant, lambda, n (pairs with the unguided run), gain with its 95 % t-interval low and high, anchor_weight
    (mean |w| at the guided position, last epoch; of forms without one, at the corner) and the same of the unguided runs
    at the corner, corner_minus (corner's accuracy - variant's, corner_n pairs) with its interval.
    """
    return _table(records, settings, family)[COLUMNS]


def decisive(records: list[Record], settings: Settings, family: str) -> pd.DataFrame:
    """The same of the runs that verdicts stand on: the first ten replicates, until all that are planned exist.

    Further columns, the intervals for a verdict that is looked at LOOKS times (97.5 %): decisive_gain_low and _high;
    decisive_low and _high, of corner_minus; and corrected for the variant's number of lambda as well,
    decisive_gain_low_bonferroni, decisive_low_bonferroni and _high_bonferroni.
    """
    planned = small_cnn.variants(settings, family).values()
    complete = all(len(of_grid(records, runs)) == len(runs) for runs in [*planned, _corner(settings, family)])
    chosen = [record for record in records if complete or record["run"]["replicate"] < REPLICATES]
    return _table(chosen, settings, family)


def _table(records: list[Record], settings: Settings, family: str) -> pd.DataFrame:
    columns = [*COLUMNS, *(f"decisive_{name}" for name in DECISIVE)]
    runs = _variant_runs(records, settings, family)
    if BASELINE not in set(runs["lambda"]):
        return pd.DataFrame(columns=columns)
    base = runs[runs["lambda"] == BASELINE].set_index("replicate")
    guided = runs[runs["lambda"] != BASELINE]
    order = {name: k for k, name in enumerate([CORNER, *small_cnn.variants(settings, family)])}
    tests = max(map(len, planned_lambdas(settings, family).values()), default=1)
    rows = []
    for (variant, lambda_), group in guided.groupby(["variant", "lambda"], sort=False):
        own = group.set_index("replicate")
        gain = (own[ACCURACY] - base[ACCURACY]).dropna()
        here = guided[(guided["variant"] == CORNER) & (guided["lambda"] == lambda_)].set_index("replicate")
        over = (here[ACCURACY] - own[ACCURACY]).dropna()
        rows.append(
            (
                *(variant, lambda_, len(gain), gain.mean(), *t_interval(gain)),
                *(own["anchor_weight"].mean(), base["anchor_weight"].mean()),
                *(len(over), over.mean(), *t_interval(over)),
                *(*t_interval(gain, LOOKS), t_interval(gain, LOOKS * tests)[0]),
                *(*t_interval(over, LOOKS), *t_interval(over, LOOKS * tests)),
            )
        )
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values(
        ["variant", "lambda"], ignore_index=True, key=lambda c: c.map(order) if c.name == "variant" else c
    )


def planned_lambdas(settings: Settings, family: str) -> dict[str, set[float]]:
    """Which lambda each variant is to be run at."""
    return {name: {run["lambda"] for run in runs} for name, runs in small_cnn.variants(settings, family).items()}


def by_variant(records: list[Record], settings: Settings, family: str) -> dict[str, list[Record]]:
    """Records of the smallest architecture: the corner's, at lambda that a variant has and without, and each variant's.

    All with guidance of the first layer.
    """
    planned = {CORNER: _corner(settings, family), **small_cnn.variants(settings, family)}
    return {name: of_grid(records, runs) for name, runs in planned.items()}


def _corner(settings: Settings, family: str) -> list[Run]:
    """The published runs beside which the variants stand."""
    lambdas = {BASELINE}.union(*planned_lambdas(settings, family).values())
    return [
        run
        for run in small_cnn.published(settings, family, "first")
        if (run["blocks"], run["width"]) == small_cnn.smallest(settings.cnn_grids[family]) and run["lambda"] in lambdas
    ]


def _variant_runs(records: list[Record], settings: Settings, family: str) -> pd.DataFrame:
    """One row a run of `by_variant`, with its variant's name."""
    named = by_variant(records, settings, family)
    parts = [small_cnn.frame(found).assign(variant=name) for name, found in named.items()]
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)


def h2(table: pd.DataFrame, planned: Mapping[str, set[float]], smallest_gain: float) -> tuple[str, str]:
    """Verdict on H2 and its evidence, from the frame of `decisive`."""
    both = table[table["variant"].isin(PLACEBOS)]
    if _lacks(both, planned, PLACEBOS) or both["corner_minus"].isna().any():
        return "undecided", "not all of the corner's and the placebos' runs exist"
    evidence = "97.5 % intervals: " + "; ".join(
        f"lambda {row.strength:g}: corner - {row.variant} {row.corner_minus:+.4f} "
        f"({row.decisive_low:+.4f} to {row.decisive_high:+.4f}, n = {row.corner_n})"
        for row in both.rename(columns={"lambda": "strength"}).itertuples()
    )
    if both["corner_n"].min() < REPLICATES:
        return "undecided", evidence
    effects = table[table["variant"] == CORNER].set_index("lambda")["gain"].abs()
    margins = both["lambda"].map(np.maximum(smallest_gain, EQUIVALENCE * effects))
    if (both["decisive_low"].gt(-margins) & both["decisive_high"].lt(margins)).all():
        return "supported", evidence
    sides = (both["decisive_low_bonferroni"] > 0, both["decisive_high_bonferroni"] < 0)
    differs = any(side.groupby(both["lambda"]).all().any() for side in sides)
    return ("refuted" if differs else "undecided"), evidence


def _lacks(table: pd.DataFrame, planned: Mapping[str, set[float]], variants: Sequence[str]) -> bool:
    """Whether a variant has no runs at one of its lambda, or is not in the grid."""
    run = table.groupby("variant")["lambda"].agg(set)
    return any(name not in run or not planned.get(name) or run[name] < planned[name] for name in variants)


def h4(table: pd.DataFrame, planned: Mapping[str, set[float]], smallest_gain: float) -> tuple[str, str]:
    """Verdict on H4-cnn and its evidence, from the frame of `decisive`."""
    exact = table[table["variant"] == "exact"]
    if _lacks(exact, planned, ["exact"]):
        return "undecided", "not all runs in the exact form exist"
    evidence = "97.5 % intervals: " + "; ".join(
        f"lambda {row.strength:g}: {row.gain:+.4f} ({row.decisive_gain_low:+.4f} to {row.decisive_gain_high:+.4f}, "
        f"n = {row.n})"
        for row in exact.rename(columns={"lambda": "strength"}).itertuples()
    )
    if exact["n"].min() < REPLICATES:
        return "undecided", evidence
    if (exact["decisive_gain_low_bonferroni"] > 0).any():
        return "supported", evidence
    return ("refuted" if (exact["decisive_gain_high"] < smallest_gain).all() else "undecided"), evidence
