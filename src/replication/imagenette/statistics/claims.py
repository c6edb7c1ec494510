"""Table 2 from our runs, what choosing the best of a row makes of noise, and claims C9 and C10 by their rules."""

from typing import Any

import numpy as np
import pandas as pd

from replication.core.verdict import Effect, Measure, Verdict
from replication.imagenette.grid import BASELINE, ROW
from replication.imagenette.rows import EMPIRICAL
from replication.published_tables.audit import by_choice, published_cells, rows_by_lambda
from replication.statistics import selection_effects
from replication.statistics.coverage import judged
from replication.statistics.t_tests import ALPHA, NO_VARIANCE, holm, paired_t_test

IMAGES = (12_894, 500)  # of the first version's split
AT_BASELINE = 1  # rows with their best at the baseline, as published
GAIN = 0.02  # "2-3 %"
ROUNDING = 1e-9  # of differences of accuracies that are printed with three digits


def cells(runs: pd.DataFrame) -> pd.DataFrame:
    """Best validation accuracy of each cell, a mean over its runs: a row of Table 2 a row, lambda in columns."""
    return rows_by_lambda(runs, ROW, "lambda", "best_accuracy", "mean")


def counts(runs: pd.DataFrame) -> pd.DataFrame:
    """Runs of each cell."""
    return rows_by_lambda(runs, ROW, "lambda", "best_accuracy", "count")


def in_order(ours: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Our rows in the paper's order; those that it does not have after them."""
    return ours.loc[[row for row in [*published.index, *ours.index.difference(published.index)] if row in ours.index]]


def complete(ours: pd.DataFrame) -> pd.DataFrame:
    """The rows that have every lambda that any row has; none without a baseline and a guided column."""
    if BASELINE not in ours.columns or ours.shape[1] < 2:
        return ours.iloc[:0]
    return ours.dropna()


def c9(runs: pd.DataFrame, table2: pd.DataFrame) -> Verdict:
    """Claim C9. `runs` of both networks, as from `grid.frame`; `table2`: table2.csv."""
    if not _has_guided(runs):
        return Verdict("not tested", "no runs of Table 2 with and without guidance", "not tested", "")
    expected = published_cells(table2)
    whole = _counted(runs, expected)
    evidence = f"{len(whole)} of the {len(expected)} rows have all lambda; {_where(runs)}"
    if len(whole) == 0:
        return Verdict("inconclusive", evidence, "not tested", "")
    found = by_choice(whole)
    gain = found["gain"]
    words = f"the best of each row gains {gain['observed']:+.4f} on average, {found['off']} of {found['rows']} off zero"
    about: dict[str, Any] = {"unit": "accuracy", "n": found["rows"], "counted": "rows", "runs": whole.size}
    ours = Measure(words, float(gain["observed"]), architectures=whole.index.get_level_values(0).nunique(), **about)
    evidence += (
        f"; best off the baseline in {found['off']} of {found['rows']} rows (as many or more without any effect: "
        f"p = {found['off_p']:.3f}); mean gain of the best {gain['observed']:.4f}"
    )
    beside = (
        f"a mean gain of {gain['expected_relabelled']:.4f} is expected when any column may be the baseline "
        f"(p of ours {gain['p_relabelled']:.3f})"
    )
    if not _as_published(runs):
        return Verdict("inconclusive", evidence, "not tested", beside, effect=Effect(ours=ours))
    parts = (found["rows"] - found["off"] <= AT_BASELINE, gain["observed"] >= GAIN - ROUNDING)
    claim = judged(_of(parts), evidence, len(whole), len(expected), "rows")
    if claim.so_far:
        return Verdict(claim.word, evidence, "not tested", beside, claim.so_far, effect=Effect(ours=ours))
    tests = selection_effects.column_tests(whole, BASELINE)
    best = tests.loc[tests["p_holm"].where(tests["difference"] > 0, 1.0).idxmin()]
    survives = bool(best["difference"] > 0 and best["p_holm"] < ALPHA)
    control = (
        f"lambda {best['candidate']:g} held fixed: {best['difference']:+.4f} ({best['low']:.4f} to {best['high']:.4f}; "
        f"p = {best['p_holm']:.3f} after Holm); {beside}"
    )
    words = f"lambda {best['candidate']:g} held fixed: {best['difference']:+.4f}"
    fixed = Measure(words, float(best["difference"]), **about).with_interval(best["low"], best["high"])
    effect = Effect(ours=ours, after_control=fixed)
    return Verdict(claim.word, evidence, "survives" if survives else "does not survive", control, effect=effect)


def c10(runs: pd.DataFrame, table2: pd.DataFrame) -> Verdict:
    """Claim C10. Arguments as in `c9`."""
    nothing = Verdict("not tested", "no complete ResNet-50 rows of Empirical and another placement", "not tested", "")
    ours = runs[runs["network"] == "resnet50"]
    if not _has_guided(ours):
        return nothing
    expected = published_cells(table2).loc[["resnet50"]]
    whole = _counted(ours, expected)
    guided = whole.drop(columns=BASELINE)
    tried = guided.index.get_level_values("guided_layers")
    if EMPIRICAL not in tried or len(set(tried)) < 2:
        return nothing
    means = guided.T.mean().groupby(tried).mean().sort_values(ascending=False)
    highest = guided.max(axis=1).groupby(tried).max()
    evidence = (
        f"{len(guided)} of the {len(expected)} rows have all lambda; {_where(ours)}; mean over guided cells: "
        + ", ".join(f"{name} {mean:.4f}" for name, mean in means.items())
        + "; highest: "
        + ", ".join(f"{name} {highest[name]:.3f}" for name in means.index)
    )
    if set(tried) != set(expected.index.get_level_values("guided_layers")) or not _as_published(ours):
        return Verdict("inconclusive", evidence, "not tested", "")
    parts = (
        bool((highest.drop(EMPIRICAL) < highest[EMPIRICAL]).all() and highest[EMPIRICAL] > whole[BASELINE].max()),
        bool((means.drop(EMPIRICAL) < means[EMPIRICAL]).all()),
    )
    claim = judged(_of(parts), evidence, len(guided), len(expected), "rows")
    if len(guided) < len(expected):  # the control pairs all trainings of all placements
        return Verdict(claim.word, evidence, "not tested", "", claim.so_far)
    rows = guided.mean(axis=1)  # the six runs of a row share their seed: one number
    differences = {
        name: rows.xs(EMPIRICAL, level="guided_layers") - rows.xs(name, level="guided_layers")
        for name in means.index.drop(EMPIRICAL)
    }
    corrected = holm([paired_t_test(difference, np.zeros(len(difference))) for difference in differences.values()])
    ahead = [difference.mean() for difference in differences.values()]
    control = "Empirical minus " + ", ".join(
        f"{name} {mean:+.4f} ({NO_VARIANCE if np.isnan(p) else f'p = {p:.3f} after Holm'})"
        for name, mean, p in zip(differences, ahead, corrected, strict=True)
    )
    if min(ahead) <= 0:
        return Verdict(_of(parts), evidence, "does not survive", control)
    return Verdict(_of(parts), evidence, "survives" if (corrected < ALPHA).all() else "inconclusive", control)


def _of(parts: tuple[bool, bool]) -> str:
    return ("not reproduced", "partly", "reproduced")[sum(parts)]


def _counted(runs: pd.DataFrame, expected: pd.DataFrame) -> pd.DataFrame:
    """Our cells of the published rows and lambda, complete rows alone."""
    found = cells(runs).reindex(columns=expected.columns).dropna()
    return found[found.index.isin(expected.index)]


def _has_guided(runs: pd.DataFrame) -> bool:
    return bool((runs["lambda"] == BASELINE).any() and (runs["lambda"] != BASELINE).any())


def _as_published(runs: pd.DataFrame) -> bool:
    return bool((runs["train_images"] == IMAGES[0]).all() and (runs["validation_images"] == IMAGES[1]).all())


def _where(runs: pd.DataFrame) -> str:
    sizes = sorted({(int(run.train_images), int(run.validation_images)) for run in runs.itertuples()})
    return ", ".join(f"{train} + {validation} images" for train, validation in sizes)
