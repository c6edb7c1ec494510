"""What was added beside H4 and C6 when their runs were known: H12 to H14, and C6's second line of ten seeds.

The rules are in data/published/hypotheses.yaml and claims.yaml. The verdicts of H4, C6 and C12 stay on their own runs.
"""

from collections.abc import Sequence

import pandas as pd

from replication.autoencoder import grid
from replication.autoencoder.settings import AutoencoderSettings
from replication.autoencoder.statistics import comparisons, hypotheses, pairs
from replication.core.runs import Record
from replication.core.settings import role_of
from replication.statistics.t_tests import t_interval

AGAIN, NORM_AGAIN, WEAKER = "exact-again", "scale-again", "exact-weaker"  # variants that params.yaml names so,
UNSTOPPED = ("log-unstopped", "exact-unstopped")  # as these
FIRST = 5  # seeds that H4 and C6 stand on
LARGEST = 1.0  # lambda that decides H14
TEN, CLAUSE, WIDTHS = 10, 0.01, (140, 200, 260)  # seeds, lambda and widths of C6's second line


def tables(records: Sequence[Record], settings: AutoencoderSettings, runs: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """By name: columns as of `comparisons.time_to_quality`, and of exact-again the seeds.

    Intervals of exact-weaker are corrected over its planned cells. ten-seeds: see `ten_seeds`.

    Args:
        runs: of the paper's grid.
    """
    again = _pairs(records, settings, AGAIN, NORM_AGAIN)
    groups = {
        f"0 to {FIRST - 1}": again[again["replicate"] < FIRST],
        f"{FIRST} to {TEN - 1}": again[again["replicate"] >= FIRST],
    }
    if all(map(len, groups.values())):
        groups[f"0 to {TEN - 1}"] = again
    parts = [comparisons.epochs_to_quality(group).assign(seeds=seeds) for seeds, group in groups.items() if len(group)]
    return {
        AGAIN: pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(),
        WEAKER: comparisons.epochs_to_quality(
            _pairs(records, settings, WEAKER), tests=max(1, len(_cells(settings, WEAKER)))
        ),
        "unstopped": comparisons.epochs_to_quality(_pairs(records, settings, *UNSTOPPED)),
        "ten-seeds": ten_seeds(runs) if role_of(settings.family) == "cifar10" else pd.DataFrame(),
    }


def decided(found: dict[str, pd.DataFrame], settings: AutoencoderSettings) -> dict[str, tuple[str, str]]:
    """Verdict and evidence of those hypotheses whose variants a family has. Args: found, see `tables`."""
    has = grid.variants(settings)
    verdicts = {}
    if has.get(AGAIN):
        verdicts["H12"] = h12(found[AGAIN])
    if has.get(WEAKER):
        verdicts["H13"] = h13(found[WEAKER], len(_cells(settings, WEAKER)))
    if all(has.get(name) for name in UNSTOPPED):
        verdicts["H14"] = h14(found["unstopped"], settings)
    return verdicts


def h12(found: pd.DataFrame) -> tuple[str, str]:
    """The exact form on the seeds that H4 has not seen."""
    new = found[(found["variant"] == AGAIN) & (found["seeds"] == f"{FIRST} to {TEN - 1}")] if len(found) else found
    evidence = "; ".join(f"{row['variant']}, seeds {row['seeds']}, {_said(row)}" for _, row in found.iterrows())
    if new.empty or new["n"].iloc[0] < TEN - FIRST:
        return "undecided", evidence or "no pair yet"
    if new["high"].iloc[0] < 0:
        return "supported", evidence
    return ("refuted" if hypotheses.later_than(-1, new).all() else "undecided"), evidence


def h13(found: pd.DataFrame, planned: int) -> tuple[str, str]:
    """A lambda below the grid's. Args: planned, how many cells."""
    counted = found[found["n"] >= FIRST] if len(found) else found
    evidence = "; ".join(_said(row) for _, row in counted.iterrows()) or "no cell has five pairs"
    if counted.empty:
        return "undecided", evidence
    if (counted["high"] < 0).any():
        return "supported", evidence
    refuted = len(counted) == planned and hypotheses.later_than(-1, counted).all()
    return ("refuted" if refuted else "undecided"), evidence


def h14(found: pd.DataFrame, settings: AutoencoderSettings) -> tuple[str, str]:
    """The log and the exact form, where early stopping ends nothing early."""
    evidence = "; ".join(f"{row['variant']}, {_said(row)}" for _, row in found.iterrows()) or "no pair yet"
    if found.empty:
        return "undecided", evidence
    slowed = []
    for variant in UNSTOPPED:
        widths = {width for width, lambda_ in _cells(settings, variant) if lambda_ == LARGEST}
        here = found[(found["variant"] == variant) & (found["lambda"] == LARGEST) & (found["n"] >= hypotheses.ENOUGH)]
        if not widths or set(here["width"]) != widths:
            return "undecided", evidence
        slowed.append(bool(hypotheses.later_than(0, here).all()))
    return ("supported" if all(slowed) else "partly" if any(slowed) else "refuted"), evidence


def ten_seeds(runs: pd.DataFrame) -> pd.DataFrame:
    """C6's second line: by width, the epochs by which lambda 0.01 exceeds half of the unguided ones.

    Columns: width, n (pairs), stopping_epoch and unguided_epoch (means), excess with its 95 % t-interval low and high.
    Empty while no width has ten pairs.
    """
    rows = []
    for width in WIDTHS:
        here = runs[(runs["width"] == width) & runs["lambda"].isin([0.0, CLAUSE]) & (runs["replicate"] < TEN)]
        cells = here.pivot_table(index="replicate", columns="lambda", values="stopping_epoch").dropna()
        if len(cells) == TEN and cells.shape[1] == 2:
            excess = cells[CLAUSE] - cells[0.0] / 2
            rows.append((width, TEN, cells[CLAUSE].mean(), cells[0.0].mean(), excess.mean(), *t_interval(excess)))
    return pd.DataFrame(rows, columns=["width", "n", "stopping_epoch", "unguided_epoch", "excess", "low", "high"])


def clause(found: pd.DataFrame) -> str:
    """What the second line says of C6's clause on lambda 0.01; nothing before its first ten pairs."""
    if found.empty:
        return ""
    whole = set(found["width"]) == set(WIDTHS)
    word = "fails" if (found["low"] > 0).any() else "holds" if whole and (found["high"] < 0).all() else "is open"
    each = "; ".join(
        f"width {row.width}: {row.excess:+.1f} epochs above half ({row.low:+.1f} to {row.high:+.1f}, n = {row.n})"
        for row in found.itertuples()
    )
    return f"with ten seeds the clause on lambda {CLAUSE:g} {word}: {each}"


def _cells(settings: AutoencoderSettings, variant: str) -> set[tuple[int, float]]:
    """The width and lambda of each planned cell."""
    return {(run["width"], run["lambda"]) for run in grid.variants(settings).get(variant, [])}


def _pairs(records: Sequence[Record], settings: AutoencoderSettings, *names: str) -> pd.DataFrame:
    """A row a pair of these variants."""
    variants = grid.variants(settings)
    found = [pair for name in names for pair in pairs.pair_up(name, variants.get(name, []), records, settings)]
    return pairs.frame(found)


def _said(row: "pd.Series[float]") -> str:
    return hypotheses.epochs_saved(row)
