"""C4, C5, C6 and C12 in numbers, and what the hypotheses rest on, from tables of runs and pairs.

The runs of a seed differ in lambda alone: a width and seed are one value, and an interval is that of
`mean_over_groups`, from the spread within widths.
"""

from dataclasses import replace

import pandas as pd

from replication.autoencoder.grid import LARGE_LAMBDA
from replication.autoencoder.statistics import comparisons
from replication.autoencoder.statistics.claims import ABOVE
from replication.autoencoder.statistics.hypotheses import FROM, SMALL_LAMBDA
from replication.autoencoder.statistics.pairs import BASE, EXACT_BASE, KERAS_MEAN, PUBLISHED, SCALE_BASE
from replication.core.verdict import Effect, Measure
from replication.statistics.t_tests import mean_over_groups, t_interval

SAVED = "% of the epochs saved"
SEEDS = "widths and seeds"


def of_claims(runs: pd.DataFrame, control: pd.DataFrame, stopped: pd.DataFrame) -> dict[str, Effect]:
    """C4 and C5 on MNIST, or C6 on CIFAR-10, whose effect is C4's.

    Args:
        runs: of the published protocol.
        control: of the same with the MSE alone watched.
        stopped: guided runs beside the stopped baseline, as `claims.stopped_baseline` has them.
    """
    epochs = Effect(ours=saved(runs), after_control=saved(control), near=near_half(runs))
    return {"C4": epochs, "C5": Effect(ours=price(runs), after_control=price_at_equal_epochs(stopped)), "C6": epochs}


def saved(runs: pd.DataFrame) -> Measure | None:
    """Epochs that a large lambda saves, in percent of those of the unguided run of the seed; widths above 100."""
    cells = _by_seed(runs[(runs["lambda"] == 0) | (runs["lambda"] >= LARGE_LAMBDA)], "stopping_epoch")
    if 0.0 not in cells or len(cells.columns) < 2:
        return None
    guided, unguided = cells.drop(columns=0.0).mean(axis=1), cells[0.0]
    verb = "stay" if (guided == unguided).all() else "become"
    words = f"{_tenths(_mean(unguided))} epochs {verb} {_tenths(_mean(guided))}"
    return _measure(100 * (1 - guided / unguided), words, SAVED, cells.size)


def near_half(runs: pd.DataFrame) -> str:
    """What says that halved epochs are missed by less than the runs can tell; nothing where they are not."""
    cells = _by_seed(runs[(runs["lambda"] == 0) | (runs["lambda"] >= LARGE_LAMBDA)], "stopping_epoch")
    if 0.0 not in cells:
        return ""
    missed = []
    for lambda_ in (name for name in cells if name >= LARGE_LAMBDA):
        for width, excess in (cells[lambda_] - cells[0.0] / 2).groupby("width"):
            low, high = t_interval(excess)
            if excess.mean() >= 0:
                words = f"width {width}, lambda {lambda_:g}: {excess.mean():+.1f} ({low:+.1f} to {high:+.1f}"
                missed.append((low < 0, f"{words}, n = {len(excess)})"))
    if not missed or not all(near for near, _ in missed):
        return ""
    return f"epochs above half of the unguided ones, 95 % interval: {'; '.join(words for _, words in missed)}"


def price(runs: pd.DataFrame) -> Measure | None:
    """MSE with a large lambda less MSE with a small one; widths above 100."""
    cells = _by_seed(runs, "validation_mse")
    large = [lambda_ for lambda_ in cells if lambda_ >= LARGE_LAMBDA]
    small = [lambda_ for lambda_ in cells if lambda_ < LARGE_LAMBDA]
    if not large or not small:
        return None
    low, high = cells[small].mean(axis=1), cells[large].mean(axis=1)
    words = f"an MSE of {_mean(low):.4f} becomes one of {_mean(high):.4f}"
    return _measure(high - low, words, "MSE", cells.size)


def price_at_equal_epochs(stopped: pd.DataFrame) -> Measure | None:
    """MSE of guided runs less that of the unguided run of the seed at the same epoch; widths above 100."""
    wide = stopped[(stopped["width"] > ABOVE) & (stopped["lambda"] >= LARGE_LAMBDA)].dropna()
    if wide.empty:
        return None
    difference = wide.assign(difference=wide["guided_mse"] - wide["baseline_mse"])
    seeds = difference.groupby(["width", "replicate"])["difference"].mean()
    words = f"at the same epoch the MSE differs by {_mean(seeds):+.2g}"
    if (wide["guided_mse"] == wide["baseline_mse"]).all():
        words = f"at the same epoch the MSE is the same, to the last digit, in all {len(wide)} guided runs"
    return _measure(seeds, words, "MSE", len(wide))


def c12(pairs: pd.DataFrame) -> Effect:
    """Epochs to H4's target with the largest lambda less those without guidance. `pairs`: of both data sets."""
    wide = pairs[pairs["width"] >= FROM]
    ours = _later(wide[wide["variant"] == BASE], "modified form")
    exact = _later(wide[wide["variant"] == EXACT_BASE], "exact form")
    return Effect(ours=ours, after_control=exact)


def _later(pairs: pd.DataFrame, form: str) -> Measure | None:
    largest = pairs[pairs["lambda"] == pairs["lambda"].max()]
    if largest.empty:
        return None
    n, reached = len(largest), int(largest["epochs_to_target"].count())
    runs = {"n": n, "counted": "pairs", "runs": 2 * n, "architectures": largest["width"].nunique()}
    if reached < n:
        return Measure(f"{form}: {reached} of {n} runs reach the error before early stopping ends them", **runs)
    later = largest["epochs_to_target"] - largest["unguided_to_target"]
    words = f"{form}: {later.mean():.1f} epochs later to a given error"
    low, high = t_interval(later)
    return Measure(words, float(later.mean()), unit="epochs later", **runs).with_interval(low, high)


def of_hypotheses(pairs: pd.DataFrame) -> dict[str, Measure | None]:
    """What H1, H1-keras, H4 and H4-scale rest on, for one data set."""
    return {
        "H1": told(pairs[pairs["variant"] == PUBLISHED]),
        "H1-keras": told(pairs[pairs["variant"] == KERAS_MEAN]),
        "H4": sooner(pairs),
        "H4-scale": norm_alone(pairs),
    }


def told(pairs: pd.DataFrame) -> Measure | None:
    """Share of guided runs with a large lambda that end within one epoch of where the unguided run of the seed says."""
    large = pairs[(pairs["lambda"] >= LARGE_LAMBDA) & (pairs["width"] >= FROM)]
    if large.empty:
        return None
    near = (large["replayed_epoch"] - large["epoch"]).abs() <= 1
    words = f"unguided runs alone tell the last epoch of {near.sum()} of {len(near)} guided ones to within one"
    found = Measure(words, 100 * near.mean(), unit="% of the stopping epochs", n=len(near), counted="guided runs")
    return replace(found, runs=len(near), architectures=large["width"].nunique())


def sooner(pairs: pd.DataFrame) -> Measure | None:
    """Epochs that the exact form saves to H4's target, in the surest of the settings in which all get there."""
    table = comparisons.time_to_quality(pairs[pairs["variant"] == EXACT_BASE])
    if table.empty:
        return None
    whole = table[table["high"].notna()]
    if whole.empty:
        return Measure(f"in none of {len(table)} settings do all runs get there before early stopping ends them")
    best = whole.loc[whole["high"].idxmin()]
    words = (
        f"{_tenths(best['unguided_epochs'])} epochs become {_tenths(best['epochs'])} in the surest of {len(table)} "
        f"settings (width {best['width']:g}, lambda {best['lambda']:g})"
    )
    saved_epochs = best["unguided_epochs"] - best["epochs"]
    found = Measure(words, saved_epochs, unit="epochs saved", n=int(best["n"]), counted="pairs")
    found = found.with_interval(-best["high"], -best["low"])
    return replace(found, runs=2 * int(best["n"]), architectures=1)


def norm_alone(pairs: pd.DataFrame) -> Measure | None:
    """Epochs that a penalty on the norm alone saves to H4's target, at the width where the exact form saves most."""
    weak = pairs[pairs["lambda"] == SMALL_LAMBDA]
    table = comparisons.time_to_quality(weak[weak["variant"].isin([EXACT_BASE, SCALE_BASE])])
    if table.empty or not table["variant"].isin([SCALE_BASE]).any():
        return None
    table = table.assign(saved=table["unguided_epochs"] - table["epochs"])
    exact = table[table["variant"] == EXACT_BASE].set_index("width")["saved"].dropna()
    scale = table[table["variant"] == SCALE_BASE].set_index("width").dropna(subset=["high"])
    widths = exact.index.intersection(scale.index)
    if widths.empty:
        return None
    width = exact[widths].idxmax()
    row = scale.loc[width]
    words = f"width {width}: the norm alone saves {row['saved']:.1f} epochs, the exact form {exact[width]:.1f}"
    found = Measure(words, row["saved"], unit="epochs saved", n=int(row["n"]), counted="pairs")
    return replace(found.with_interval(-row["high"], -row["low"]), runs=2 * int(row["n"]), architectures=1)


def _by_seed(runs: pd.DataFrame, value: str) -> pd.DataFrame:
    """Wide widths: a row a width and seed that has every lambda of these runs, a column a lambda."""
    wide = runs[runs["width"] > ABOVE]
    return wide.pivot_table(index=["width", "replicate"], columns="lambda", values=value).dropna()


def _tenths(epochs: float) -> str:
    return f"{epochs:.1f}".removesuffix(".0")


def _mean(seeds: pd.Series) -> float:
    """Widths weigh alike."""
    return float(seeds.groupby("width").mean().mean())


def _measure(seeds: pd.Series, words: str, unit: str, runs: int) -> Measure:
    mean, low, high = mean_over_groups([list(values) for _, values in seeds.groupby("width")])
    found = Measure(words, mean, unit=unit, n=len(seeds), counted=SEEDS, runs=runs)
    return replace(found.with_interval(low, high), architectures=seeds.index.get_level_values("width").nunique())
