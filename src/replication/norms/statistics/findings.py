"""Statistics of one family: means of its arms, paired differences, and hypothesis H8."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict

import pandas as pd

from replication.core.family import Family
from replication.core.findings import Findings
from replication.core.runs import Record
from replication.core.verdict import Hypothesis, Measure, hypotheses_of
from replication.norms.settings import NormsSettings
from replication.statistics.t_tests import t_interval

MARGIN, ENOUGH = 0.01, 5  # of H8: accuracy, and pairs
JUDGED = (("log", "scale"), ("scale", "rate"))  # a form less another, which decide
BESIDE = (("log", "none"), ("scale", "none"))
NAMES = {"none": "unguided", "log": "guided", "scale": "scale", "rate": "rate"}
METRICS = {
    "accuracy": "validation_accuracy",
    "loss": "validation_loss",
    "corner": "corner",
    "growth": "growth",
}


def statistics(family: Family[NormsSettings], settings: NormsSettings) -> Findings:
    """Everything, from the family's run table."""
    runs = frame(family.records)
    found = differences(runs, settings.lambdas)
    tables = {"runs": runs, "arms": means(runs), "along": along(family.records), "differences": found}
    ruling, measure = h8(found)
    facts = {"hypotheses": {"H8": ruling}, "measures": {} if measure is None else {"H8": asdict(measure)}}
    return Findings({name: table for name, table in tables.items() if len(table)}, facts, family.metrics)


def decided(findings: Mapping[str, Findings]) -> list[Hypothesis]:
    """H8 for each data set."""
    return [one for family, found in findings.items() for one in hypotheses_of(found.facts, family)]


def frame(records: Iterable[Record]) -> pd.DataFrame:
    """One row a run. Columns: form, lambda, replicate, and METRICS after the last epoch."""
    rows = [
        {name: record["run"][name] for name in ("form", "lambda", "replicate")}
        | {column: record["metrics"][metric] for column, metric in METRICS.items()}
        for record in records
    ]
    return pd.DataFrame(rows, columns=["form", "lambda", "replicate", *METRICS])


def means(runs: pd.DataFrame) -> pd.DataFrame:
    """One row an arm and lambda. Columns: arm, lambda, n, and the means of METRICS."""
    groups = runs.groupby(["form", "lambda"], sort=False)
    found = groups[list(METRICS)].mean().assign(n=groups.size()).reset_index()
    return found.assign(arm=found["form"].map(NAMES))[["arm", "lambda", "n", *METRICS]]


def along(records: Iterable[Record]) -> pd.DataFrame:
    """Means over seeds after each epoch. Columns: arm, lambda, epoch, n, accuracy, corner, growth."""
    parts = [
        pd.DataFrame({column: record["history"][METRICS[column]] for column in ("accuracy", "corner", "growth")})
        .rename_axis("epoch")
        .reset_index()
        .assign(**{"arm": NAMES[record["run"]["form"]], "lambda": record["run"]["lambda"]})
        for record in records
    ]
    if not parts:
        return pd.DataFrame()
    every = pd.concat(parts, ignore_index=True).assign(epoch=lambda table: table["epoch"] + 1)
    groups = every.groupby(["arm", "lambda", "epoch"], sort=False)
    return groups[["accuracy", "corner", "growth"]].mean().assign(n=groups.size()).reset_index()


def differences(runs: pd.DataFrame, lambdas: Iterable[float]) -> pd.DataFrame:
    """Differences in accuracy of runs of one seed.

    Columns: difference (an arm less another), judged (whether H8 goes by it), lambda, n (pairs), mean, low, high (95 %
    t-interval; of those that are judged with Bonferroni's correction over all of them).
    """
    values = list(lambdas)
    rows = []
    for ours, theirs in (*JUDGED, *BESIDE):
        judged = (ours, theirs) in JUDGED
        for lambda_ in values:
            pairs = (_accuracy(runs, ours, lambda_) - _accuracy(runs, theirs, lambda_)).dropna()
            low, high = t_interval(pairs, len(JUDGED) * len(values) if judged else 1)
            said = f"{NAMES[ours]} less {NAMES[theirs]}"
            mean = pairs.mean() if len(pairs) else float("nan")
            rows.append((said, judged, lambda_, len(pairs), mean, low, high))
    return pd.DataFrame(rows, columns=["difference", "judged", "lambda", "n", "mean", "low", "high"])


def _accuracy(runs: pd.DataFrame, form: str, lambda_: float) -> pd.Series:
    """By replicate; unguided runs have no lambda."""
    own = runs[(runs["form"] == form) & (runs["lambda"] == (0.0 if form == "none" else lambda_))]
    return own.set_index("replicate")["accuracy"].astype(float)


def h8(found: pd.DataFrame) -> tuple[tuple[str, str], Measure | None]:
    """Verdict, evidence, and the judged difference that is largest."""
    judged = found[found["judged"]]
    if judged.empty or not judged["n"].max():
        return ("undecided", "no pair yet"), None
    said = [
        f"{row.difference} at lambda {row.lambda_:g}: {row.mean:+.4f} ({row.low:+.4f} to {row.high:+.4f}, n = {row.n})"
        for row in judged.rename(columns={"lambda": "lambda_"}).itertuples()
        if row.n
    ]
    evidence = f"validation accuracy, {'; '.join(said)}"
    enough = bool((judged["n"] >= ENOUGH).all())
    outside = (judged["low"] > MARGIN) | (judged["high"] < -MARGIN)
    within = (judged["low"] > -MARGIN) & (judged["high"] < MARGIN)
    word = "undecided" if not enough else "refuted" if outside.any() else "supported" if within.all() else "undecided"
    row = judged.loc[judged["mean"].abs().idxmax()]
    words = f"accuracy of {row['difference']} at lambda {row['lambda']:g}: {row['mean']:+.4f}"
    measure = Measure(words, float(row["mean"]), unit="of accuracy", n=int(row["n"]), counted="pairs", architectures=1)
    return (word, evidence), measure.with_interval(row["low"], row["high"])
