"""Hypotheses H9 and H10 by the rules in data/published/hypotheses.yaml: pure functions on tables of `pairs.frame`."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import pandas as pd

from replication.core.verdict import Measure
from replication.inputs.statistics.pairs import LEADING, NORM, RATES, UNGUIDED, VARIABLE, WEIGHTS, Arms, at_the_end
from replication.statistics.t_tests import t_interval

WIDTHS = (60, 100)  # that decide
LAMBDAS, EFFECT_LAMBDA = (0.0001, 0.01), 0.01  # that decide H9, and at which it asks for an effect
EPOCHS = 3  # at which it compares
SEEDS, CHOICE = 10, 5  # of both, and those on which H10 chooses
NO_CHANGE, EFFECT = 1.0, -5.0  # percent
MEASURES = {"to_target": "epochs to the target", "mse": "MSE in the end"}  # of H10


@dataclass(frozen=True)
class Control:
    """What H10 compares guidance with: the best of some arms' values."""

    name: str
    arms: str  # their name, or its beginning
    unguided: bool = False  # the plain unguided runs are one of the values

    def among(self, runs: pd.DataFrame) -> pd.DataFrame:
        return runs[runs["arm"].map(self.has).astype(bool)]

    def has(self, arm: str) -> bool:
        return arm.startswith(self.arms) or (self.unguided and arm == UNGUIDED)


CONTROLS = (
    Control("norm penalty", NORM),
    Control("learning rate", RATES, unguided=True),
    Control("initial weights", WEIGHTS),
)
H9_TESTS = len(WIDTHS) * len(LAMBDAS) * EPOCHS
H10_TESTS = len(WIDTHS) * len(MEASURES) * len(CONTROLS)


def cells(runs: pd.DataFrame) -> pd.DataFrame:
    """Columns: arm, width, lambda, value, epoch, n (pairs), difference (mean, percent), low, high (of H9's level)."""
    rows = []
    by = ["arm", "width", "lambda", "value", "epoch"]
    for key, group in runs[runs["arm"] != UNGUIDED].groupby(by, sort=False):
        low, high = t_interval(group["difference"], H9_TESTS)
        rows.append((*key, len(group), group["difference"].mean(), low, high))
    return pd.DataFrame(rows, columns=[*by, "n", "difference", "low", "high"])


def h9(runs: pd.DataFrame) -> tuple[str, str]:
    """Verdict on H9, and its evidence."""
    found = cells(runs)
    found = found[found["width"].isin(WIDTHS) & found["lambda"].isin(LAMBDAS)]
    leading, variable = found[found["arm"] == LEADING], found[found["arm"] == VARIABLE]
    variable = variable[(variable["lambda"] == EFFECT_LAMBDA) & (variable["epoch"] == runs["epoch"].min())]
    by_width = [f"{_span(leading[leading['width'] == width])} at width {width}" for width in WIDTHS]
    evidence = (
        f"on the leading block the penalty changes MSE by {' and '.join(by_width)}; on the most variable inputs, at "
        f"lambda {EFFECT_LAMBDA:g} and the first epoch compared, by {_span(variable)}"
    )
    whole = len(leading) == H9_TESTS and len(variable) == len(WIDTHS)
    if not whole or min(leading["n"].min(), variable["n"].min()) < SEEDS:
        return "undecided", evidence
    outside = leading["low"].gt(NO_CHANGE) | leading["high"].lt(-NO_CHANGE)
    if outside.any() or variable["low"].gt(EFFECT).any():
        return "refuted", evidence
    inside = leading["low"].gt(-NO_CHANGE) & leading["high"].lt(NO_CHANGE)
    return ("supported" if inside.all() and variable["high"].lt(EFFECT).all() else "undecided"), evidence


def measures(runs: pd.DataFrame, against: pd.DataFrame) -> dict[str, Measure | None]:
    """What H9 and H10 rest on. Args: runs, and the comparisons of the most variable inputs."""
    found = cells(runs)
    leading = found[(found["arm"] == LEADING) & found["width"].isin(WIDTHS) & found["lambda"].isin(LAMBDAS)]
    h9 = None
    if len(leading):
        most = leading.loc[leading["difference"].abs().idxmax()]
        words = (
            f"on the paper's block the error changes by {leading['difference'].min():+.1f} to "
            f"{leading['difference'].max():+.1f} %, most at width {most['width']}"
        )
        h9 = Measure(words, float(most["difference"]), unit="% of the error", n=int(most["n"]), counted="pairs")
        h9 = h9.with_interval(most["low"], most["high"])
    h10 = None
    if len(against):
        row = against[against["measure"] == "mse"].iloc[0]
        words = f"MSE {row['guidance']:.5f} with guidance, {row['against']:.5f} with another {row['control']}"
        h10 = Measure(words, float(row["difference"]), unit="MSE", n=int(row["n"]), counted="pairs")
        h10 = h10.with_interval(row["low"], row["high"])
    return {"H9": h9, "H10": h10}


def _span(found: pd.DataFrame) -> str:
    if found.empty:
        return "nothing that is known yet"
    low, high = found["n"].min(), found["n"].max()
    pairs = f"{low}" if low == high else f"{low} to {high}"
    said = f"{found['difference'].min():+.2f} to {found['difference'].max():+.2f} %"
    if found["low"].notna().any():
        said += f", intervals between {found['low'].min():+.2f} and {found['high'].max():+.2f} %"
    return f"{said} ({len(found)} cells of n = {pairs} pairs)"


def comparisons(runs: pd.DataFrame, planned: Mapping[str, int], guided: str = VARIABLE) -> pd.DataFrame:
    """H10's table: guidance at its best lambda beside each control at its best value.

    Args:
        planned: see `planned_values`.
        guided: the arm of the guidance: the most variable inputs, or the exact form, which has no norm beside it here.

    Columns: width, measure, control, n (pairs), lambda, value (the chosen ones), guidance, against (means), difference
    (guidance less control), low, high (of H10's level), complete (whether all planned values of the control have all
    seeds). A width and control are left out while a lambda of the guidance or every value of the control lacks seeds.
    """
    rows = []
    ends = at_the_end(runs)
    controls = [control for control in CONTROLS if guided == VARIABLE or control.arms != NORM]
    for width, measure, control in product(WIDTHS, MEASURES, controls):
        here = ends[ends["width"] == width]
        ours, theirs = _by_value(here[here["arm"] == guided], measure), _by_value(control.among(here), measure)
        if ours.empty or theirs.empty or len(ours.columns) < planned[guided]:
            continue
        best, rival = ours[:CHOICE].mean().idxmin(), theirs[:CHOICE].mean().idxmin()
        a, b = ours.loc[CHOICE:, best], theirs.loc[CHOICE:, rival]
        interval = t_interval(a - b, H10_TESTS)
        complete = len(theirs.columns) == planned[control.name]
        chosen = (len(a), best, rival, a.mean(), b.mean(), (a - b).mean(), *interval, complete)
        rows.append((width, measure, control.name, *chosen))
    columns = [
        "width",
        "measure",
        "control",
        "n",
        "lambda",
        "value",
        "guidance",
        "against",
        "difference",
        "low",
        "high",
    ]
    return pd.DataFrame(rows, columns=[*columns, "complete"])


def _by_value(runs: pd.DataFrame, measure: str) -> pd.DataFrame:
    """A row a seed, a column a value that has all of them."""
    table = runs.pivot_table(index="replicate", columns="value", values=measure)
    return table.reindex(range(SEEDS)).dropna(axis=1)


def planned_values(arms: Arms) -> dict[str, int]:
    """How many values a guidance (by its arm's name) or a control (by its own) has at each of the deciding widths."""

    def values(names: list[str]) -> int:
        runs = [run for name in names for run in arms[name] if run["width"] == WIDTHS[0]]
        return len(
            {(run["lambda"], run.settings.get("rate_factor"), run.settings.get("weight_factor")) for run in runs}
        )

    own = {name: values([name]) for name in arms}
    return own | {control.name: values([arm for arm in arms if control.has(arm)]) for control in CONTROLS}


def h10(table: pd.DataFrame) -> tuple[str, str]:
    """Verdict on H10 from the comparisons of the most variable inputs, and its evidence."""
    if table.empty:
        return "undecided", "not every lambda has all seeds yet"
    evidence = "; ".join(_compared(width, part) for width, part in table.groupby("width"))
    if len(table) == H10_TESTS and table["complete"].all() and table["high"].lt(0).all():
        return "supported", evidence
    as_good = table[table["difference"] >= 0].groupby(["width", "control"]).size() == len(MEASURES)
    refuted = set(as_good[as_good].index.get_level_values("width")) == set(WIDTHS)
    return ("refuted" if refuted else "undecided"), evidence


def _compared(width: object, table: pd.DataFrame) -> str:
    """Guidance beside each control in words, by the means."""
    said = []
    for control, part in table.groupby("control", sort=False):
        sooner, better = part.set_index("measure")["difference"] < 0
        against = part.set_index("measure")["against"]
        found = {
            (True, True): "guidance is sooner there and better in the end",
            (True, False): "guidance is sooner there, but no better in the end",
            (False, True): "guidance is no sooner there, but better in the end",
            (False, False): "guidance is neither sooner there nor better in the end",
        }[bool(sooner), bool(better)]
        said.append(f"{control}: {against['to_target']:.1f} epochs, MSE {against['mse']:.5f} ({found})")
    # the guidance that is best on one measure need not be on the other
    ours = table.drop_duplicates("measure").set_index("measure")["guidance"]
    return f"width {width}, guidance: {ours['to_target']:.1f} epochs, MSE {ours['mse']:.5f}; {'; '.join(said)}"


def means(runs: pd.DataFrame) -> pd.DataFrame:
    """Both measures of H10 for every arm: means over n seeds. Columns: width, arm, value, n, to_target, mse."""
    by = ["width", "arm", "value"]
    return (
        at_the_end(runs)
        .groupby(by, as_index=False, sort=False)
        .agg(n=("mse", "size"), to_target=("to_target", "mean"), mse=("mse", "mean"))
        .sort_values(["width", "mse"], ignore_index=True)
    )
