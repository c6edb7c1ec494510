"""Claims C4 and C5 (MNIST) and C6 (CIFAR-10) by the rules in data/published/claims.yaml, and what they must survive."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from replication.autoencoder.grid import LARGE_LAMBDA, control, frame, paper_grid
from replication.autoencoder.settings import AutoencoderSettings
from replication.autoencoder.statistics import added, pairs
from replication.core.runs import Record, of_grid
from replication.core.settings import role_of
from replication.core.verdict import Verdict
from replication.statistics.coverage import Judged, counting, judged, said
from replication.statistics.t_tests import mean_over_groups, paired_difference, pairwise_tests

ABOVE = 100  # widths of the claims: "especially for latent dimensions over 100"
ENOUGH = 5  # runs of every lambda compared without which a width does not count
NOTHING = "no wide models with and without guidance"


def tested_width(runs: pd.DataFrame, settings: AutoencoderSettings) -> int:
    """The width of the printed test table; while it has no guided runs, the widest that has."""
    guided = set(runs[runs["lambda"] != 0]["width"])
    printed = settings.grid.test_width
    return printed if printed in guided else max(guided, default=printed)


def beside_published(runs: pd.DataFrame, words: list[dict[str, str]]) -> pd.DataFrame:
    """The paper's words beside our means over wide models: each row over the seeds that have all its lambda.

    The runs of a seed differ in lambda alone and are not independent: a width and seed are one value, the mean of its
    runs; with some of the lambda it would be another quantity, and does not count. Widths weigh alike, and the interval
    is that of `mean_over_groups`. Columns: what, published, ours, 95 % t-interval, n (widths and seeds), widths.
    """
    wide = runs[runs["width"] > ABOVE]
    groups = {
        "zero": wide[wide["lambda"] == 0],
        "small": wide[wide["lambda"] < LARGE_LAMBDA],
        "large": wide[wide["lambda"] >= LARGE_LAMBDA],
    }
    rows = []
    for word in words:
        group = groups[word["group"]]
        here = _whole_seeds(group, group["lambda"].nunique())
        seeds = here.groupby(["width", "replicate"])[word["value"]].mean() if len(here) else pd.Series(dtype=float)
        ours, interval = "not run", ""
        if len(seeds):
            mean, low, high = mean_over_groups([list(values) for _, values in seeds.groupby("width")])
            ours, interval = f"{mean:.4g}", f"{low:.4g} to {high:.4g}" if low <= high else ""
        widths = ", ".join(str(width) for width in sorted(set(here["width"])))
        rows.append((word["what"], word["published"], ours, interval, len(seeds), widths))
    return pd.DataFrame(rows, columns=["what", "published", "ours", "95 % t-interval", "n", "widths"])


def _whole_seeds(runs: pd.DataFrame, lambdas: int) -> pd.DataFrame:
    """The runs of each width and replicate that have so many lambda."""
    return runs[runs.groupby(["width", "replicate"])["lambda"].transform("nunique") == lambdas]


def verdicts(records: list[Record], settings: AutoencoderSettings) -> dict[str, Verdict]:
    """Claims C4 and C5 on MNIST, C6 on CIFAR-10."""
    grid = settings.grid
    lambdas = settings.lambdas
    every = frame(of_grid(records, paper_grid(settings)))
    runs = _Runs(deciding(every, settings), _wide(grid.widths), lambdas)
    watched = _Runs(deciding(frame(of_grid(records, control(settings))), settings), _wide(grid.variant_widths), lambdas)
    stopped = deciding(stopped_baseline(records, settings), settings)
    width = tested_width(runs.frame, settings)
    if role_of(settings.family) == "cifar10":
        c6 = _c6(runs, width)
        if second_line := added.clause(added.ten_seeds(every)):
            c6 = replace(c6, evidence=f"{c6.evidence}; {second_line}")
        return {"C6": _verdict(c6, _c6_control(watched, stopped))}
    return {
        "C4": _verdict(_c4(runs), _c4_control(watched)),
        "C5": _verdict(_c5(runs, width), _c5_control(stopped)),
    }


def deciding(runs: pd.DataFrame, settings: AutoencoderSettings) -> pd.DataFrame:
    """The runs that a claim stands on: of C6, CIFAR-10's, those of the first five seeds, however many there are."""
    return runs[runs["replicate"] < added.FIRST] if role_of(settings.family) == "cifar10" else runs


def _verdict(claim: Judged, control: Judged) -> Verdict:
    return Verdict(claim.word, claim.evidence, control.word, control.evidence, claim.so_far, control.so_far)


def _wide(widths: Iterable[int]) -> list[int]:
    return [width for width in widths if width > ABOVE]


@dataclass(frozen=True)
class _Runs:
    """What exists of a grid, beside what the grid has."""

    frame: pd.DataFrame
    widths: list[int]  # the planned ones that a rule is about
    lambdas: Sequence[float]  # all planned

    @property
    def compared(self) -> list[float]:
        """None, and the large lambda."""
        return [lambda_ for lambda_ in self.lambdas if lambda_ == 0 or lambda_ >= LARGE_LAMBDA]

    @property
    def started(self) -> bool:
        """Whether wide models exist with and without a large lambda."""
        wide = self.frame[self.frame["width"].isin(self.widths)]
        return bool((wide["lambda"] == 0).any() and (wide["lambda"] >= LARGE_LAMBDA).any())

    def counting(self, widths: Iterable[int], lambdas: Iterable[float]) -> list[int]:
        """Those of some widths that have enough runs at every one of some lambda."""
        return counting(self.frame, dict.fromkeys(widths, lambdas), ENOUGH)

    def said(self, widths: Iterable[int]) -> str:
        """Which of the planned widths count, for the evidence."""
        return f"widths that count: {said(widths, self.widths)}"

    def cells(self, widths: Iterable[int], value: str) -> pd.DataFrame:
        """Mean of `value` by width (rows) and lambda (columns)."""
        chosen = self.frame[self.frame["width"].isin(widths)]
        return chosen.pivot_table(index="width", columns="lambda", values=value)


@dataclass(frozen=True)
class _Epochs:
    """Mean stopping epochs by width that counts: unguided, and the slowest with a large lambda."""

    unguided: pd.Series
    guided: pd.Series

    @property
    def halved(self) -> bool:
        return bool((self.guided <= self.unguided / 2).all())


def _by_epochs(runs: _Runs, decide: Callable[[_Epochs], str], nothing: str = NOTHING) -> Judged:
    """A verdict on the widths that count, and its evidence."""
    if not runs.started:
        return Judged("not tested", nothing)
    widths = runs.counting(runs.widths, runs.compared)
    if not widths:
        return Judged("inconclusive", runs.said(widths))
    cells = runs.cells(widths, "stopping_epoch")
    unguided, guided = cells[0.0], cells.loc[:, cells.columns >= LARGE_LAMBDA].max(axis=1)
    evidence = "; ".join(
        f"width {width}: {unguided[width]:.1f} epochs in the mean without, at most {guided[width]:.1f} "
        f"with lambda >= {LARGE_LAMBDA:g}"
        for width in cells.index
    )
    word = decide(_Epochs(unguided, guided))
    return judged(word, f"{runs.said(widths)}; {evidence}", len(widths), len(runs.widths), "widths")


def _c4(runs: _Runs) -> Judged:
    def decide(epochs: _Epochs) -> str:
        if (epochs.unguided > 40).all() and (epochs.guided <= 12).all():
            return "reproduced"
        return "partly" if epochs.halved else "not reproduced"

    return _by_epochs(runs, decide)


def _c4_control(watched: _Runs) -> Judged:
    nothing = f"no runs with early stopping on the MSE alone at widths above {ABOVE}"
    return _by_epochs(watched, lambda epochs: "survives" if epochs.halved else "does not survive", nothing)


def _c5(runs: _Runs, test_width: int) -> Judged:
    if not runs.started:
        return Judged("not tested", NOTHING)
    widths = runs.counting(runs.widths, runs.lambdas)
    if not widths or not runs.counting([test_width], runs.lambdas):
        return Judged("inconclusive", f"{runs.said(widths)}; tested width {test_width}")
    cells = runs.cells(widths, "validation_mse")
    small = cells.loc[:, cells.columns < LARGE_LAMBDA].mean(axis=1)
    large = cells.loc[:, cells.columns >= LARGE_LAMBDA].mean(axis=1)
    evidence = f"{runs.said(widths)}; " + "; ".join(
        f"width {w}: MSE {small[w]:.4f} (small lambda), {large[w]:.4f} (large)" for w in cells.index
    )
    near = small.between(0.0015, 0.0045).all() and large.between(0.005, 0.015).all()
    grouped, groups = _groups(runs.frame, test_width)
    word = "reproduced" if near and grouped else "partly" if (large > small).all() else "not reproduced"
    return judged(word, f"{evidence}; {groups}", len(widths), len(runs.widths), "widths")


def _groups(runs: pd.DataFrame, width: int) -> tuple[bool, str]:
    """Whether all pairs of lambda across the two groups differ in MSE and no pair within one does; and the evidence.

    Decided by the paper's test after Holm's correction; the evidence has the paired one too, over the seeds that have
    every lambda.
    """
    here = runs[runs["width"] == width]
    cells = here.pivot_table(index="replicate", columns="lambda", values="validation_mse").dropna()
    found = _two_groups(pairwise_tests(lambda_samples(runs, width, "validation_mse")))
    by_seed = _two_groups(pairwise_tests({float(name): list(cells[name]) for name in cells}, paired=True))
    said = {True: "yes", False: "no"}
    diverged = int(here["validation_mse"].isna().sum())
    left_out = f"; {diverged} runs that diverged are left out" if diverged else ""
    return (
        found,
        f"two homogeneous groups of MSE at width {width}: {said[found]} (tested by seed: {said[by_seed]}){left_out}",
    )


def _two_groups(tests: pd.DataFrame) -> bool:
    across = (tests["a"] < LARGE_LAMBDA) & (tests["b"] >= LARGE_LAMBDA)
    return bool(across.any() and tests["sign_holm"].isin(["+", "-"]).eq(across).all())


def _c6(runs: _Runs, test_width: int) -> Judged:
    tested = bool(runs.counting([test_width], runs.lambdas))
    few = f"too few runs at the tested width {test_width}"
    grouped, groups = _groups(runs.frame, test_width) if tested else (False, few)

    def decide(epochs: _Epochs) -> str:
        if not tested:
            return "inconclusive"
        more_than_twice = bool((epochs.guided < epochs.unguided / 2).all())
        if more_than_twice and (epochs.guided <= 12).all() and grouped:
            return "reproduced"
        return "partly" if more_than_twice else "not reproduced"

    found = _by_epochs(runs, decide)
    return replace(found, evidence=f"{found.evidence}; {groups}")


def _c6_control(watched: _Runs, stopped: pd.DataFrame) -> Judged:
    """The controls of C4 and of C5: both must be survived."""
    both = (_c4_control(watched), _c5_control(stopped))
    order = ("does not survive", "inconclusive", "not tested", "survives")
    worst = min(both, key=lambda one: order.index(one.word))
    return replace(worst, evidence="; ".join(one.evidence for one in both))


def lambda_samples(runs: pd.DataFrame, width: int, value: str) -> dict[float, list[float]]:
    """lambda -> the values of all replicates at one width."""
    chosen = runs[runs["width"] == width]
    return {float(lambda_): list(group[value]) for lambda_, group in chosen.groupby("lambda")}


def stopped_baseline(records: list[Record], settings: AutoencoderSettings) -> pd.DataFrame:
    """Each guided run beside the unguided run of the same seed, read at the guided run's stopping epoch (H1).

    Columns: width, lambda, replicate, epoch, guided_mse, baseline_mse (NaN where the baseline had stopped before).
    """
    found = pairs.of_published(records, settings)
    names = {"mse": "guided_mse", "unguided_mse": "baseline_mse"}
    columns = ["width", "lambda", "replicate", "epoch", *names.values()]
    return pairs.frame(found).rename(columns=names)[columns]


def _c5_control(stopped: pd.DataFrame) -> Judged:
    """The guided runs of a seed share their unguided run: their differences are one number, their mean.

    A seed without a difference at every lambda does not count.
    """
    wide = stopped[(stopped["width"] > ABOVE) & (stopped["lambda"] >= LARGE_LAMBDA)]
    read = _whole_seeds(wide.dropna(), wide["lambda"].nunique())
    seeds = read.groupby(["width", "replicate"])[["guided_mse", "baseline_mse"]].mean()
    if len(seeds) < ENOUGH:
        return Judged("not tested", "no pairs of guided runs and their stopped baseline")
    mean, low, high = paired_difference(seeds["guided_mse"], seeds["baseline_mse"])
    share = abs(mean) / seeds["baseline_mse"].mean()
    evidence = (
        f"guided minus unguided MSE at the same epoch and seed: {mean:.2g} (95 % interval {low:.2g} to {high:.2g}), "
        f"{share:.2%} of the MSE, n = {len(seeds)} seeds with {len(read)} guided runs"
    )
    if len(read) < len(wide):
        evidence += (
            f"; {len(wide) - len(read)} guided runs are left out, of seeds that lack one or where one outlived its "
            "baseline"
        )
    survives = share > 0.01 and not low <= 0 <= high
    return Judged("survives" if survives else "does not survive", evidence)
