"""Claims C4 and C5 (MNIST) and C6 (CIFAR-10) by the rules in data/published/claims.yaml, and what they must survive."""

import pandas as pd

from replication.analysis.statistics import paired_difference, pairwise_tests, t_interval
from replication.experiments import stopping_artefact
from replication.experiments.autoencoder import LARGE_LAMBDA, control, frame, published
from replication.experiments.verdict import Verdict
from replication.runs import Record, of_grid
from replication.settings import Settings

WIDE = 100  # "especially for latent dimensions over 100"
ENOUGH = 5  # runs a cell below which no verdict is given
NOTHING = "no wide models with and without guidance"


def tested_width(runs: pd.DataFrame, settings: Settings, family: str) -> int:
    """The width of the printed test tables; while it has no guided runs, the widest that has."""
    guided = set(runs[runs["lambda"] != 0]["width"])
    printed = settings.autoencoder_grids[family].test_widths
    return next((width for width in printed if width in guided), max(guided, default=printed[0]))


def beside_published(runs: pd.DataFrame, words: list[dict[str, str]]) -> pd.DataFrame:
    """The paper's words beside our means over wide models. Columns: what, published, ours, 95 % interval, n (runs)."""
    wide = _wide(runs)
    groups = {
        "zero": wide[wide["lambda"] == 0],
        "small": wide[wide["lambda"] < LARGE_LAMBDA],
        "large": wide[wide["lambda"] >= LARGE_LAMBDA],
    }
    rows = []
    for word in words:
        values = groups[word["group"]][word["value"]]
        low, high = t_interval(values)
        ours, interval = (f"{values.mean():.4g}", f"{low:.4g} to {high:.4g}") if len(values) else ("not run", "")
        rows.append((word["what"], word["published"], ours, interval, len(values)))
    return pd.DataFrame(rows, columns=["what", "published", "ours", "95 % t-interval", "n runs"])


def verdicts(records: list[Record], settings: Settings, family: str) -> dict[str, Verdict]:
    """Claims C4 and C5 on MNIST, C6 on CIFAR-10."""
    runs = frame(of_grid(records, published(settings, family)))
    control_runs = frame(of_grid(records, control(settings, family)))
    pairs = stopped_baseline(records, settings, family)
    width = tested_width(runs, settings, family)
    if family == "autoencoder-cifar10":
        return {"C6": Verdict(*_c6(runs, width), *_c6_control(control_runs, pairs))}
    return {
        "C4": Verdict(*_c4(runs), *_c4_control(control_runs)),
        "C5": Verdict(*_c5(runs, width), *_c5_control(pairs)),
    }


def _wide(runs: pd.DataFrame) -> pd.DataFrame:
    return runs[runs["width"] > WIDE]


def _cells(runs: pd.DataFrame, value: str) -> pd.DataFrame:
    """Mean of `value` by width (rows) and lambda (columns) of wide models that have what is compared; may be empty."""
    wide = _wide(runs)
    if wide.empty or not {0.0} < set(wide["lambda"]) or not (wide["lambda"] >= LARGE_LAMBDA).any():
        return pd.DataFrame()
    cells = wide.pivot_table(index="width", columns="lambda", values=value)
    return cells[cells[0.0].notna() & cells.loc[:, cells.columns >= LARGE_LAMBDA].notna().all(axis=1)]


def _few(runs: pd.DataFrame) -> bool:
    """Whether a cell among these runs has too few."""
    return bool(runs.groupby(["width", "lambda"]).size().min() < ENOUGH)


def _compared(runs: pd.DataFrame, by_width: pd.Series) -> pd.DataFrame:
    """The runs that a comparison of large lambda with none rests on."""
    chosen = (runs["lambda"] == 0) | (runs["lambda"] >= LARGE_LAMBDA)
    return runs[runs["width"].isin(by_width.index) & chosen]


def _epochs(runs: pd.DataFrame) -> tuple[pd.Series, pd.Series, str]:
    """Mean stopping epochs by width of wide models: unguided, and the slowest with a large lambda; said in words."""
    cells = _cells(runs, "stopping_epoch")
    if cells.empty:
        return pd.Series(dtype=float), pd.Series(dtype=float), ""
    unguided, guided = cells[0.0], cells.loc[:, cells.columns >= LARGE_LAMBDA].max(axis=1)
    evidence = "; ".join(
        f"width {width}: {unguided[width]:.1f} epochs without, at most {guided[width]:.1f} "
        f"with lambda >= {LARGE_LAMBDA:g}"
        for width in cells.index
    )
    return unguided, guided, evidence


def _c4(runs: pd.DataFrame) -> tuple[str, str]:
    unguided, guided, evidence = _epochs(runs)
    if not evidence:
        return "not tested", NOTHING
    if _few(_compared(runs, guided)):
        return "inconclusive", evidence
    if (unguided > 40).all() and (guided <= 12).all():
        return "reproduced", evidence
    return ("partly" if (guided <= unguided / 2).all() else "not reproduced"), evidence


def _c4_control(runs: pd.DataFrame) -> tuple[str, str]:
    unguided, guided, evidence = _epochs(runs)
    if not evidence:
        return "not tested", "no runs with early stopping on the MSE alone"
    if _few(_compared(runs, guided)):
        return "inconclusive", evidence
    return ("survives" if (guided <= unguided / 2).all() else "does not survive"), evidence


def _c5(runs: pd.DataFrame, test_width: int) -> tuple[str, str]:
    cells = _cells(runs, "validation_mse")
    if cells.empty:
        return "not tested", NOTHING
    small = cells.loc[:, cells.columns < LARGE_LAMBDA].mean(axis=1)
    large = cells.loc[:, cells.columns >= LARGE_LAMBDA].mean(axis=1)
    evidence = "; ".join(f"width {w}: MSE {small[w]:.4f} (small lambda), {large[w]:.4f} (large)" for w in cells.index)
    if _few(runs[runs["width"].isin([*cells.index, test_width])]):
        return "inconclusive", evidence
    near = small.between(0.0015, 0.0045).all() and large.between(0.005, 0.015).all()
    grouped = _two_groups(runs, test_width)
    if near and grouped:
        return "reproduced", evidence
    evidence += f"; the two groups are {'' if grouped else 'not '}homogeneous at width {test_width}"
    return ("partly" if (large > small).all() else "not reproduced"), evidence


def _two_groups(runs: pd.DataFrame, width: int) -> bool:
    """All pairs of lambda across the groups differ in MSE and no pair within one does."""
    tests = pairwise_tests(lambda_samples(runs, width, "validation_mse"))
    across = (tests["a"] < LARGE_LAMBDA) & (tests["b"] >= LARGE_LAMBDA)
    return len(tests) > 0 and bool((tests["sign_holm"] != "").eq(across).all())


def _c6(runs: pd.DataFrame, test_width: int) -> tuple[str, str]:
    unguided, guided, evidence = _epochs(runs)
    if not evidence:
        return "not tested", NOTHING
    if _few(runs[runs["width"].isin([*guided.index, test_width])]):
        return "inconclusive", evidence
    halved, grouped = (guided < unguided / 2).all(), _two_groups(runs, test_width)
    evidence += f"; two homogeneous groups of MSE at width {test_width}: {'yes' if grouped else 'no'}"
    if halved and (guided <= 12).all() and grouped:
        return "reproduced", evidence
    return ("partly" if halved else "not reproduced"), evidence


def _c6_control(runs: pd.DataFrame, pairs: pd.DataFrame) -> tuple[str, str]:
    """The controls of C4 and of C5: both must be survived."""
    outcomes, evidence = zip(_c4_control(runs), _c5_control(pairs), strict=True)
    worst = next(o for o in ("does not survive", "inconclusive", "not tested", "survives") if o in outcomes)
    return worst, "; ".join(evidence)


def lambda_samples(runs: pd.DataFrame, width: int, value: str) -> dict[float, list[float]]:
    """lambda -> the values of all replicates at one width."""
    chosen = runs[runs["width"] == width]
    return {float(lambda_): list(group[value]) for lambda_, group in chosen.groupby("lambda")}


def stopped_baseline(records: list[Record], settings: Settings, family: str) -> pd.DataFrame:
    """Each guided run beside the unguided run of the same seed, read at the guided run's stopping epoch (H1).

    Columns: width, lambda, replicate, epoch, guided_mse, baseline_mse (NaN where the baseline had stopped before).
    """
    pairs = stopping_artefact.pair_up(stopping_artefact.PUBLISHED, published(settings, family), records, settings)
    names = {"mse": "guided_mse", "unguided_mse": "baseline_mse"}
    columns = ["width", "lambda", "replicate", "epoch", *names.values()]
    return stopping_artefact.pair_frame(pairs).rename(columns=names)[columns]


def _c5_control(pairs: pd.DataFrame) -> tuple[str, str]:
    pairs = _wide(pairs)[lambda wide: wide["lambda"] >= LARGE_LAMBDA].dropna()
    if len(pairs) < ENOUGH:
        return "not tested", "no pairs of a guided run and its stopped baseline"
    mean, low, high = paired_difference(pairs["guided_mse"], pairs["baseline_mse"])
    share = abs(mean) / pairs["baseline_mse"].mean()
    evidence = (
        f"guided minus unguided MSE at the same epoch and seed: {mean:.2g} (95 % interval {low:.2g} to {high:.2g}), "
        f"{share:.2%} of the MSE, n = {len(pairs)} pairs"
    )
    survives = share > 0.01 and not low <= 0 <= high
    return ("survives" if survives else "does not survive"), evidence
