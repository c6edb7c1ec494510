"""R4: which method is best, with lambda chosen on other seeds than those that are scored."""

from collections.abc import Mapping, Sequence

import pandas as pd

from replication.rivals.settings import UNGUIDED
from replication.rivals.statistics.frames import COMPARED, values
from replication.rivals.statistics.rules import FEW, SEEDS, Ruling
from replication.statistics.t_tests import ALPHA, holm, paired_t_test

METHODS = ("reciprocal", "exact", "decay", "smoothing", "penalty", "bottleneck", "te", "te-gradient")  # arms
CHOICE, SCORE = range(FEW), range(FEW, SEEDS)  # seeds


def chosen(runs: pd.DataFrame, planned: Mapping[str, Sequence[float]]) -> pd.DataFrame:
    """Methods that have all seeds at all of their planned lambda.

    Columns: method, value (of lambda: the one with the lowest mean NLL on the first five seeds), the means of COMPARED
    on the other five, nll_difference (less unguided, those five), p and p_holm (two-sided paired t-test, Holm over
    methods).
    """
    rows = []
    base = values(runs, UNGUIDED, "nll").reindex(SCORE)
    for method in (name for name in METHODS if name in planned):
        losses = pd.DataFrame({lambda_: values(runs, method, "nll", lambda_) for lambda_ in planned[method]})
        losses = losses.reindex([*CHOICE, *SCORE])
        if losses.isna().any(axis=None) or base.isna().any():
            continue
        best = float(losses.loc[list(CHOICE)].mean().idxmin())
        means = [values(runs, method, measure, best).reindex(SCORE).mean() for measure in COMPARED]
        ours = losses.loc[list(SCORE), best]
        rows.append((method, best, *means, (ours - base).mean(), paired_t_test(ours, base)))
    table = pd.DataFrame(rows, columns=["method", "value", *COMPARED, "nll_difference", "p"])
    return table.assign(p_holm=holm(table["p"].astype(float)))


def r4(runs: pd.DataFrame, table: pd.DataFrame, planned: Mapping[str, Sequence[float]]) -> Ruling:
    """Args: table, see `chosen`."""
    methods = {name for name in METHODS if name in planned}
    if table.empty:
        return Ruling("undecided", f"none of the {len(methods)} methods has all ten seeds yet", 0)
    evidence = "NLL less unguided on seeds 5 to 9: " + "; ".join(
        f"{row.method} at {row.value:g} {row.nll_difference:+.4f} (p {row.p_holm:.3f})" for row in table.itertuples()
    )
    if missing := methods - set(table["method"]):
        return Ruling("undecided", f"{evidence}; not all seeds yet: {', '.join(sorted(missing))}", len(SCORE))
    better = table[(table["nll_difference"] < 0) & (table["p_holm"] < ALPHA)]
    best = [row.method for row in better.itertuples() if not _beaten(runs, table, str(row.method))]
    if not best:
        return Ruling("undecided", evidence, len(SCORE))
    return Ruling("supported", f"{evidence}; not beaten: {', '.join(map(str, best))}", len(SCORE))


def _beaten(runs: pd.DataFrame, table: pd.DataFrame, method: str) -> bool:
    """Whether another method's NLL is lower: two-sided paired t-tests, Holm over the others."""
    losses = {
        row.method: values(runs, str(row.method), "nll", float(row.value)).reindex(SCORE) for row in table.itertuples()
    }
    others = [loss for name, loss in losses.items() if name != method]
    p = holm([paired_t_test(loss, losses[method]) for loss in others])
    return any(loss.mean() < losses[method].mean() and value < ALPHA for loss, value in zip(others, p, strict=True))
