"""Claim C1 by the rule in data/published/claims.yaml, from the rows of the theory stage."""

import math

import numpy as np
import pandas as pd

from replication.core.verdict import Effect, Measure, Verdict
from replication.theory.record import Row

DETERMINANT_TOLERANCE = 1e-9  # relative
TOLERANCE = 0.01  # nats
WITNESS_TOLERANCE = 0.1  # nats
LOG_2_PI_E = math.log(2 * math.pi * math.e)


def layers_frame(rows: list[Row]) -> pd.DataFrame:
    """The random layers with what the rule asks of each.

    Adds, in nats: plain, the formula minus (H(output) - H(input)); within, the same without the constant
    log(2 pi e)/2 for each lost dimension, and within the range of the layer where that is smaller than the output;
    spread, the largest distance between two completions' formulas.
    """
    columns = ["class", "shape", "outputs", "inputs", "formula", "exact", "others", "error"]
    frame = pd.DataFrame(rows, columns=columns)
    lost = frame["inputs"] - frame["outputs"]
    own = (frame["exact"] - lost * LOG_2_PI_E / 2).where(lost >= 0, -math.inf)
    formulas = [[row.formula, *row.others] for row in frame.itertuples()]
    return frame.assign(
        plain=frame["formula"] - own,
        within=frame["formula"] - frame["exact"],
        spread=[float(np.ptp(values)) for values in formulas],
    )


def agreeing(layers: pd.DataFrame) -> pd.Series:
    """For each class of layers: does the formula give the layer's own change, in one of the two readings?"""
    agrees = layers[["plain", "within"]].abs().le(TOLERANCE).groupby(layers["class"], sort=False).all()
    return agrees.any(axis=1)


def verdict(layers: pd.DataFrame, witness: pd.DataFrame) -> Verdict:
    """Claim C1. Args: layers, as `layers_frame` makes it; witness, with the columns estimate and closed."""
    if layers.empty or witness.empty:
        return Verdict("not tested", "the theory stage has not run", "not tested", "")
    return Verdict(*_c1(layers, witness), *_c1_control(layers), effect=_effect(layers))


def _effect(layers: pd.DataFrame) -> Effect:
    agrees = agreeing(layers)
    share = 100 * float(agrees.mean())
    words = f"{agrees.sum()} of {len(agrees)} classes of layers agree"
    ours = Measure(words, share, unit="% of the classes of layers", n=len(agrees), counted="classes of layers")
    spread = layers.loc[(layers["others"].map(len) > 0) & layers["error"].notna(), "spread"]
    if spread.empty:
        return Effect(ours=ours)
    words = f"another completion, as valid, moves the number by {spread.mean():.1f} nats on average"
    return Effect(
        ours=ours, after_control=Measure(words, float(spread.mean()), unit="nats", n=len(spread), counted="layers")
    )


def _c1(layers: pd.DataFrame, witness: pd.DataFrame) -> tuple[str, str]:
    errors = layers["error"].dropna()
    identity = (
        f"relative error of the completed matrix's log-determinant at most {errors.max():.0e} in {len(errors)} shapes"
    )
    if errors.max() > DETERMINANT_TOLERANCE:
        return "not reproduced", identity
    off = (witness["estimate"] - witness["closed"]).abs().max()
    checked = f"nearest-neighbour estimates of {len(witness)} small cases within {off:.2g} nats of the closed form"
    if off > WITNESS_TOLERANCE:
        return "inconclusive", f"{identity}; {checked}"
    agrees = agreeing(layers)
    gaps = layers.groupby("class")["within"].mean()
    parts = [identity, f"own change equal to the formula: {_listed(agrees.index[agrees])}"]
    if not agrees.all():
        different = [f"{name} ({gaps[name]:+.3g})" for name in agrees.index[~agrees]]
        parts.append(
            "different (mean of the formula minus the change without the constant of lost dimensions, within the "
            f"layer's range, in nats): {_listed(different)}"
        )
    return ("reproduced" if agrees.all() else "partly"), "; ".join([*parts, checked])


def _c1_control(layers: pd.DataFrame) -> tuple[str, str]:
    completed = layers[layers["others"].map(len) > 0]
    if completed.empty:
        return "not tested", "no layer that needs a completion"
    spread = completed["spread"]
    own = spread[completed["error"].notna()]  # the paper completes no matrix of more channels or with padding
    evidence = (
        f"between the completions of one layer the formula differs by {own.mean():.3g} nats on average in the "
        f"{len(own)} layers whose matrix the paper completes, by {spread.mean():.3g} (up to {spread.max():.3g}) if the "
        f"other classes, for which the formula takes a corner too, count; by at most {TOLERANCE:g} in "
        f"{(spread <= TOLERANCE).sum()} of {len(spread)} layers"
    )
    return ("survives" if (spread <= TOLERANCE).all() else "does not survive"), evidence


def _listed(names: "pd.Index[str] | list[str]") -> str:
    return "; ".join(names) or "none"
