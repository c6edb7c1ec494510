"""Hypotheses H1 and H4 and claim C12 by the rules in data/published/hypotheses.yaml and claims.yaml."""

from collections.abc import Mapping

import pandas as pd

from replication.autoencoder.grid import LARGE_LAMBDA
from replication.autoencoder.statistics import comparisons
from replication.autoencoder.statistics.pairs import (
    BASE,
    EXACT_BASE,
    FLOAT64,
    KERAS_MEAN,
    PUBLISHED,
    SCALE_BASE,
    Cells,
    Plan,
)
from replication.core.verdict import Verdict
from replication.statistics.coverage import counting, covered, said
from replication.statistics.t_tests import t_interval

FROM = 100  # widths of the hypotheses, this one included
SMALL_LAMBDA = 0.0001  # of H4-scale
ENOUGH = 3  # pairs at every lambda without which a width does not count


def h1(runs: pd.DataFrame, planned: Plan) -> tuple[str, str]:
    """Verdict on H1 for one data set, and its evidence."""
    large = {
        name: {w: {x for x in lambdas if x >= LARGE_LAMBDA} for w, lambdas in _wide(planned, name).items()}
        for name in (BASE, FLOAT64, PUBLISHED)
    }
    parts = {name: _counting(runs, cells, name) for name, cells in large.items()}
    widths = f"widths that count: {'; '.join(_said(part, large[name], name) for name, part in parts.items())}"
    if any(part.empty for part in parts.values()):
        return "undecided", widths
    ratios = {name: _epoch_ratios(parts[name]) for name in (BASE, FLOAT64)}
    verdict, evidence = _predictions(
        (
            f"MSE alone watched, {_span(ratios[BASE])} of the unguided epochs",
            bool(ratios[BASE].between(0.9, 1.1).all()),
        ),
        (
            f"total watched in float64, {_span(ratios[FLOAT64])} of those in float64",
            bool(ratios[FLOAT64].between(0.9, 1.1).all()),
        ),
        _told(parts[PUBLISHED]),
    )
    return verdict, f"{evidence}; {widths}"


def h1_keras(runs: pd.DataFrame, planned: Plan) -> tuple[str, str]:
    """Verdict on H1-keras for one data set, and its evidence."""
    cells = _wide(planned, KERAS_MEAN)
    found = _counting(runs, cells, KERAS_MEAN)
    widths = f"widths that count: {_said(found, cells, KERAS_MEAN)}"
    is_large = found["lambda"] >= LARGE_LAMBDA
    if is_large.all() or not is_large.any():  # so it is without any run
        return "undecided", widths
    ratios = _epoch_ratios(found)
    large = ratios.index.get_level_values("lambda") >= LARGE_LAMBDA
    verdict, evidence = _predictions(
        (
            f"lambda {LARGE_LAMBDA:g} and more, {_span(ratios[large])} of the unguided epochs",
            bool((ratios[large] <= 0.5).all()),
        ),
        (f"smaller, {_span(ratios[~large])} of them", bool((ratios[~large] > 0.5).all())),
        _told(found[is_large]),
    )
    return verdict, f"{evidence}; {widths}"


def _told(pairs: pd.DataFrame) -> tuple[str, bool]:
    """The prediction that replayed unguided runs tell the guided ones' stopping epochs, and whether it holds."""
    near = (pairs["replayed_epoch"] - pairs["epoch"]).abs() <= 1
    return f"{near.mean():.0%} of {len(near)} stopping epochs told to within one epoch", bool(near.mean() >= 0.9)


def _predictions(*predictions: tuple[str, bool]) -> tuple[str, str]:
    """Verdict and evidence from what each prediction says and whether it holds."""
    evidence = "; ".join(
        f"({k}) {text}: {'holds' if holds else 'fails'}" for k, (text, holds) in enumerate(predictions, 1)
    )
    held = [holds for _, holds in predictions]
    return ("supported" if all(held) else "partly" if any(held) else "refuted"), evidence


def h4(runs: pd.DataFrame, planned: Plan) -> tuple[str, str]:
    """Verdict on H4 for one data set, and its evidence."""
    cells = planned.get(EXACT_BASE, {})
    exact = _counting(runs, cells, EXACT_BASE)
    widths = f"widths that count: {_said(exact, cells, EXACT_BASE)}"
    if exact.empty:
        return "undecided", widths
    table = comparisons.time_to_quality(exact)
    sooner = (table["high"] < 0).groupby(table["lambda"]).all().any()
    somewhere = (comparisons.time_to_quality(exact, tests=len(table))["high"] < 0).any()
    evidence = f"{'; '.join(epochs_saved(row) for _, row in table.iterrows())}; {widths}"
    if sooner or somewhere:
        return ("supported" if sooner else "partly"), evidence
    return ("refuted" if later_than(-1, table).all() else "undecided"), evidence


def h4_scale(runs: pd.DataFrame, _planned: Plan) -> tuple[str, str]:
    """Verdict on H4-scale for one data set, and its evidence."""
    exact, scale = (
        runs[(runs["variant"] == name) & (runs["lambda"] == SMALL_LAMBDA)] for name in (EXACT_BASE, SCALE_BASE)
    )
    found = []
    for width in _sooner(exact):
        both = scale[scale["width"] == width].merge(exact, on=["width", "replicate"], suffixes=("", "_exact"))
        if len(both) >= ENOUGH:
            outcome, text = _norm_alone(both)
            found.append((outcome, f"width {width}: {text}"))
    if not found:
        return "undecided", "no width at which the exact form is sooner has its runs with the norm alone"
    outcomes, evidence = zip(*found, strict=True)
    return (outcomes[0] if len(set(outcomes)) == 1 else "undecided"), "; ".join(evidence)


def _sooner(exact: pd.DataFrame) -> list[int]:
    """Widths with enough pairs at which they reach the target in fewer epochs than the unguided runs (H4-scale)."""
    if exact.empty:
        return []
    table = comparisons.time_to_quality(exact)
    return table[(table["n"] >= ENOUGH) & (table["high"] < 0)]["width"].tolist()


def _norm_alone(both: pd.DataFrame) -> tuple[str, str]:
    """H4-scale at one width: runs with the norm alone beside those of the exact form, pairs with a seed each."""
    saved = (both["unguided_to_target"] - both["epochs_to_target_exact"]).mean()
    more = both["epochs_to_target"] - both["epochs_to_target_exact"]
    if late := int(more.isna().sum()):
        text = f"early stopping ends {late} of {len(both)} runs with the norm alone before they get there"
        return ("refuted" if 2 * late >= len(both) else "undecided"), text
    low, high = t_interval(more)
    text = (
        f"the exact form saves {saved:.1f} epochs, the norm alone {saved - more.mean():.1f} ({low:.1f} to {high:.1f} "
        f"fewer than the exact form, n = {len(both)})"
    )
    return ("supported" if high <= saved / 2 else "refuted" if low > saved / 2 else "undecided"), text


def c12(runs: pd.DataFrame, plans: Mapping[str, Plan]) -> Verdict:
    """Claim C12 by the rule in claims.yaml.

    Args:
        runs: the pairs of all families, named in a column.
        plans: what was to be run, by family.
    """
    (form, evidence), (log_form, log_evidence), (exact, exact_evidence) = (
        _slower(runs, plans, variant) for variant in (BASE, "log-base", EXACT_BASE)
    )
    undecided = {"not tested", "inconclusive"} & {form, log_form}
    if form == "slower":
        verdict = "reproduced"
    elif undecided:
        verdict = "not tested" if form == log_form == "not tested" else "inconclusive"
    else:
        verdict = "partly" if log_form == "slower" else "not reproduced"
    control = {"slower": "survives", "not slower": "does not survive"}.get(exact, exact)
    return Verdict(verdict, f"modified form: {evidence}; log form: {log_evidence}", control, exact_evidence)


def _slower(runs: pd.DataFrame, plans: Mapping[str, Plan], variant: str) -> tuple[str, str]:
    """Whether the largest lambda needs more epochs to the target than none, at every width that counts."""
    if not ((runs["variant"] == variant) & (runs["width"] >= FROM)).any():
        return "not tested", "no runs"
    outcomes, evidence = [], []
    for family, planned in plans.items():
        largest = {width: {max(lambdas)} for width, lambdas in _wide(planned, variant).items()}
        part = _counting(runs[runs["family"] == family], largest, variant)
        text = f"{family}, widths that count: {_said(part, largest, variant)}"
        if not covered(part["width"].nunique(), len(largest)):
            return "inconclusive", text
        table = comparisons.time_to_quality(part)
        outcomes += later_than(0, table).tolist()
        evidence.append(", ".join([text, *(epochs_saved(row) for _, row in table.iterrows())]))
    return ("slower" if all(outcomes) else "not slower"), "; ".join(evidence)


def later_than(epochs: float, table: pd.DataFrame) -> "pd.Series[bool]":
    """By cell: guided runs need more than so many epochs on top of the unguided ones', or at most half get there."""
    return (table["low"] > epochs) | (table["reached"] <= table["n"] / 2)


def epochs_saved(row: "pd.Series[float]") -> str:
    """A cell of `comparisons.epochs_to_quality` in words."""
    where = f"width {row['width']:g}, lambda {row['lambda']:g}: "
    if row["reached"] == row["n"]:
        text = f"{where}{row['epochs']:.1f} epochs against {row['unguided_epochs']:.1f} without guidance "
        return f"{text}(difference {row['low']:.1f} to {row['high']:.1f}, n = {row['n']:g})"
    return (
        f"{where}{row['reached']:g} of {row['n']:g} get there before early stopping (MSE {row['common_mse']:.4f} "
        f"against {row['unguided_common_mse']:.4f} at the last common epoch)"
    )


def _wide(planned: Plan, variant: str) -> Cells:
    """What is planned of a variant at the hypotheses' widths."""
    return {width: lambdas for width, lambdas in planned.get(variant, {}).items() if width >= FROM}


def _counting(runs: pd.DataFrame, planned: Cells, variant: str) -> pd.DataFrame:
    """The pairs of a variant in planned cells, at the widths that count."""
    chosen = runs[(runs["variant"] == variant) & runs["lambda"].isin(set().union(*planned.values()))]
    return chosen[chosen["width"].isin(counting(chosen, planned, ENOUGH))]


def _said(pairs: pd.DataFrame, planned: Cells, variant: str) -> str:
    """Which of a variant's widths count."""
    return f"{variant} {said(pairs['width'], planned)}"


def _epoch_ratios(runs: pd.DataFrame) -> "pd.Series[float]":
    """Mean stopping epoch over the mean unguided one, by width and lambda."""
    cells = runs.groupby(["width", "lambda"])[["epoch", "unguided_epoch"]].mean()
    return cells["epoch"] / cells["unguided_epoch"]


def _span(values: "pd.Series[float]") -> str:
    return f"{values.min():.0%} to {values.max():.0%}"
