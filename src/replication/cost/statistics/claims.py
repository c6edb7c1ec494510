"""What the penalty adds to a training step: claim C13 from the committed measurement (tests/benchmarks/engine.py)."""

from typing import Any

import pandas as pd

from replication.core.verdict import Effect, Measure, Verdict

WIDTHS = (100, 260)
PUBLISHED_FORM, BATCH, CONTROL_BATCH = "reciprocal", 512, 32
CHEAP, BEARABLE = 1.10, 1.50  # times the seconds of an unguided step


def c13(guidance: pd.DataFrame) -> Verdict:
    """Claim C13 by the rule in claims.yaml. Columns read: guidance, width, batch, ratio, n."""
    worst, evidence = _worst(guidance, BATCH)
    if worst is None:
        return Verdict("not tested", evidence, "not tested", "")
    verdict = "reproduced" if worst <= CHEAP else "partly" if worst <= BEARABLE else "not reproduced"
    control_worst, control_evidence = _worst(guidance, CONTROL_BATCH)
    effect = Effect(
        ours=_measure(guidance, BATCH), after_control=_measure(guidance, CONTROL_BATCH), near=_near(guidance)
    )
    if control_worst is None:
        return Verdict(verdict, evidence, "not tested", control_evidence, effect=effect)
    control = "survives" if control_worst <= CHEAP else "does not survive"
    return Verdict(verdict, evidence, control, control_evidence, effect=effect)


def _measure(guidance: pd.DataFrame, batch: int) -> Measure | None:
    """The dearer width. Steps follow one another, so that their quartiles are told and no interval is computed."""
    rows = _rows(guidance, batch)
    if rows.empty:
        return None
    worst = rows.loc[rows["ratio"].idxmax()]
    span = " to ".join(f"{ratio:.2f}" for ratio in sorted(rows["ratio"]))
    words = (
        f"{span} times a step (batch {batch}); at the dearer width half of the paired steps lie between "
        f"{worst['ratio_quartile_low']:.2f} and {worst['ratio_quartile_high']:.2f}"
    )
    more = 100 * (float(worst["ratio"]) - 1)
    about: dict[str, Any] = {"n": int(worst["n"]), "counted": "paired steps", "architectures": len(rows)}
    return Measure(words, more, unit="% more time a step", **about)


def _near(guidance: pd.DataFrame) -> str:
    """What says so, where the ratio of the two medians lies on the other side of the limit."""
    rows, unguided = _rows(guidance, BATCH), guidance[guidance["guidance"] == "none"]
    if rows.empty or unguided.empty:
        return ""
    plain = unguided[unguided["batch"] == BATCH].set_index("width")["cpu_seconds"]
    by_medians = (rows["cpu_seconds"] / plain).max()
    if (by_medians <= CHEAP) == (rows["ratio"].max() <= CHEAP):
        return ""
    return (
        f"{rows['ratio'].max():.3f} times by the median of the paired ratios, which decides; {by_medians:.3f} by the "
        f"ratio of the two medians; the limit is {CHEAP:.2f}"
    )


def _rows(guidance: pd.DataFrame, batch: int) -> pd.DataFrame:
    """The published form's measurements at one batch size, by width; none where a width was not measured."""
    if guidance.empty:
        return guidance
    rows = guidance[(guidance["guidance"] == PUBLISHED_FORM) & (guidance["batch"] == batch)].set_index("width")
    return rows.loc[list(WIDTHS)] if set(WIDTHS) <= set(rows.index) else rows.iloc[:0]


def _worst(guidance: pd.DataFrame, batch: int) -> tuple[float | None, str]:
    """The largest ratio over the widths; None where one was not measured."""
    if guidance.empty:
        return None, "no measurement"
    rows = _rows(guidance, batch)
    if rows.empty:
        return None, f"batch size {batch} was not measured at widths {', '.join(map(str, WIDTHS))}"
    ratios = rows["ratio"]
    counts = ", ".join(str(n) for n in sorted(set(rows["n"])))
    said = "; ".join(f"width {width}: {ratio:.2f} times" for width, ratio in ratios.items())
    evidence = f"an unguided step at batch size {batch} becomes: {said} (n = {counts} paired steps)"
    return float(ratios.max()), evidence
