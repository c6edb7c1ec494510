"""What the penalty adds to a training step: claim C13 from the committed measurement (tests/benchmarks/engine.py)."""

import pandas as pd

from replication.core.verdict import Verdict

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
    if control_worst is None:
        return Verdict(verdict, evidence, "not tested", control_evidence)
    return Verdict(verdict, evidence, "survives" if control_worst <= CHEAP else "does not survive", control_evidence)


def _worst(guidance: pd.DataFrame, batch: int) -> tuple[float | None, str]:
    """The largest ratio over the widths; None where one was not measured."""
    if guidance.empty:
        return None, "no measurement"
    rows = guidance[(guidance["guidance"] == PUBLISHED_FORM) & (guidance["batch"] == batch)].set_index("width")
    if not set(WIDTHS) <= set(rows.index):
        return None, f"batch size {batch} was not measured at widths {', '.join(map(str, WIDTHS))}"
    ratios = rows.loc[list(WIDTHS), "ratio"]
    counts = ", ".join(str(n) for n in sorted(set(rows["n"])))
    said = "; ".join(f"width {width}: {ratio:.2f} times" for width, ratio in ratios.items())
    evidence = f"an unguided step at batch size {batch} becomes: {said} (n = {counts} paired steps)"
    return float(ratios.max()), evidence
