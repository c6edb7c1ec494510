"""Table 1 with our runs, what the choice of lambda does to it (H3), C7 and C8.

Pure functions on run records; the rules are in data/published/claims.yaml and hypotheses.yaml. Accuracies are those of
the last epoch unless a name says otherwise.
"""

import math
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

import pandas as pd

from replication.core.verdict import Verdict
from replication.small_cnn.grid import ARCHITECTURE, LATE, REPLICATES, Architecture
from replication.small_cnn.settings import CnnSettings
from replication.statistics import honest_choice, power, selection_effects
from replication.statistics.coverage import covered, judged
from replication.statistics.t_tests import ALPHA, paired_t_test, t_interval

BASELINE = 0.0
ACCURACY = "validation_accuracy"
COMPARED = [ACCURACY, "train_accuracy", "best_validation_accuracy", LATE]
DRAWS = 10_000  # shuffles of the labels
SPLITS = 500  # random halves
SEED = 20230814


def in_place_of_last(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs with the secondary outcome, the mean of the last five epochs, where accuracies of the last one stand."""
    return runs.assign(**{ACCURACY: runs[LATE]})


def cells(runs: pd.DataFrame, architecture: Architecture, value: str = ACCURACY) -> pd.DataFrame:
    """Replicates that have all lambda of this architecture's runs (rows) by lambda (columns)."""
    blocks, width = architecture
    here = runs[(runs["blocks"] == blocks) & (runs["width"] == width)]
    return here.pivot_table(index="replicate", columns="lambda", values=value).dropna()


def architectures(runs: pd.DataFrame) -> list[Architecture]:
    """(blocks, width) of all that have unguided and guided runs, smallest first."""
    found = runs.groupby(["blocks", "width"])["lambda"].agg(lambda values: {BASELINE} < set(values))
    return [(int(blocks), int(width)) for (blocks, width), both in found.items() if both]


def table1(runs: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Table 1 as the paper computes it: the lambda with the best mean validation accuracy, tested with that accuracy.

    Of the smallest architecture the first ten replicates. Columns: blocks, width, n (replicates that have all lambda),
    lambdas (how many, without 0), the base accuracies, gain and one-tailed p of training (at the same lambda) and of
    validation, the latter at the last and at the best epoch, and the published ones beside them.
    """
    printed = published.set_index(ARCHITECTURE)
    ten = runs[runs["replicate"] < REPLICATES]
    rows = []
    for architecture in architectures(ten):
        validation, train = cells(ten, architecture), cells(ten, architecture, "train_accuracy")
        peak = cells(ten, architecture, "best_validation_accuracy")
        if len(validation) < 2:
            continue
        chosen, chosen_peak = honest_choice.best(validation, BASELINE), honest_choice.best(peak, BASELINE)
        row = {
            "blocks": architecture[0],
            "width": architecture[1],
            "n": len(validation),
            "lambdas": validation.shape[1] - 1,
            "train": train[BASELINE].mean(),
            "validation": validation[BASELINE].mean(),
            "lambda": chosen,
            "train_gain": _gain(train, chosen),
            "train_p": honest_choice.one_tailed_p(train[chosen], train[BASELINE]),
            "gain": _gain(validation, chosen),
            "p": honest_choice.one_tailed_p(validation[chosen], validation[BASELINE]),
            "best_epoch_gain": _gain(peak, chosen_peak),
            "best_epoch_p": honest_choice.one_tailed_p(peak[chosen_peak], peak[BASELINE]),
        }
        if architecture in printed.index:
            theirs = printed.loc[architecture]
            row |= {
                "published_train": theirs["base_train_accuracy"],
                "published_validation": theirs["base_validation_accuracy"],
                "published_train_gain": theirs["delta_train_accuracy"],
                "published_train_p": theirs["delta_train_p"],
                "published_gain": theirs["delta_validation_accuracy"],
                "published_p": theirs["delta_validation_p"],
            }
        rows.append(row)
    return pd.DataFrame(rows)


def _gain(table: pd.DataFrame, chosen: float) -> float:
    return float(table[chosen].mean() - table[BASELINE].mean())


def gain_curves(runs: pd.DataFrame, tests: int = 1) -> pd.DataFrame:
    """Paired gain at every lambda, all replicates.

    Args:
        tests: how many intervals there are of which any one may decide; each is wider for it (Bonferroni).

    Columns: blocks, width, lambda, n (pairs), gain with its 95 % t-interval low and high, and the mean gain in training
    accuracy and at each run's best epoch (train_gain, best_epoch_gain); of the mean of the last five epochs late_gain,
    late_low and late_high, and steadier: the variance of the gains over theirs.
    """
    columns = ["blocks", "width", "lambda", "n", "gain", "low", "high", "train_gain", "best_epoch_gain"]
    columns += ["late_gain", "late_low", "late_high", "steadier"]
    rows = []
    for blocks, width in architectures(runs):
        here = runs[(runs["blocks"] == blocks) & (runs["width"] == width)]
        base = here[here["lambda"] == BASELINE].set_index("replicate")[COMPARED]
        for lambda_, guided in here[here["lambda"] != BASELINE].groupby("lambda"):
            gains = (guided.set_index("replicate")[COMPARED] - base).dropna()
            if len(gains):
                last, late = (t_interval(gains[value], tests) for value in (ACCURACY, LATE))
                means, variances = gains.mean(), gains.var()
                steadier = variances[ACCURACY] / variances[LATE] if variances[LATE] else math.nan
                cell = (blocks, width, lambda_, len(gains), means.iloc[0], *last, *means.iloc[1:], *late, steadier)
                rows.append(cell)
    return pd.DataFrame(rows, columns=columns)


@dataclass(frozen=True)
class Choice:
    """What the choice of lambda does to the gain of one architecture (H3)."""

    architecture: Architecture
    gains: pd.DataFrame  # over the unguided run of the same seed, replicates by guided lambda
    chosen: float
    p_printed: float
    p_after: float  # of the best of so many tests that share a baseline: what the rules call p after choice
    train_p_after: float  # the same of training accuracy, at its own best lambda
    shuffled: honest_choice.ShuffledLabels
    split: honest_choice.SplitChoice
    sd: float  # of one replicate, pooled over the two samples that the printed test compares

    @property
    def n(self) -> int:
        """Replicates that have all lambda."""
        return len(self.gains)

    @property
    def paired_sd(self) -> float:
        """Of one paired gain at the lambda chosen."""
        return float(self.gains[self.chosen].std(ddof=1))

    @property
    def lambdas(self) -> int:
        """How many lambda the best was chosen of."""
        return self.gains.shape[1]

    @property
    def detectable(self) -> float:
        """Gain that the printed test finds with a probability of 80 % at 0.05 / number of lambda."""
        return power.detectable_gain(self.sd, self.n, ALPHA / self.lambdas)

    @property
    def needed(self) -> int:
        """Replicates a side for a gain of 0.005 at the same level."""
        return power.replicates_needed(0.005, self.sd, ALPHA / self.lambdas)

    @property
    def by_choice_alone(self) -> float:
        """Mean gain of the best lambda where none has an effect: what runs of a seed share cancels in it."""
        own_sd = self.paired_sd / math.sqrt(2)  # of what one run does not share
        return selection_effects.expected_maximum(self.lambdas) * own_sd / math.sqrt(self.n)

    @property
    def highest(self) -> float:
        """Where the last of the paired 95 % t-intervals of all lambda ends (Bonferroni)."""
        return max(t_interval(self.gains[lambda_], self.lambdas)[1] for lambda_ in self.gains)


def choices(runs: pd.DataFrame) -> list[Choice]:
    """H3 for each architecture, on those of the first ten replicates that have all lambda; it takes two."""
    found = []
    ten = runs[runs["replicate"] < REPLICATES]
    for architecture in architectures(ten):
        table = cells(ten, architecture)
        if len(table) < 2:
            continue
        chosen = honest_choice.best(table, BASELINE)
        gains = table.drop(columns=BASELINE).sub(table[BASELINE], axis=0)
        found.append(
            Choice(
                architecture,
                gains,
                chosen,
                *_best_p(table),
                _best_p(cells(ten, architecture, "train_accuracy").loc[table.index])[1],
                honest_choice.shuffle_labels(table, BASELINE, draws=DRAWS, seed=SEED),
                honest_choice.split_choice(table, BASELINE, splits=SPLITS, seed=SEED),
                selection_effects.pooled_spread(table[column] for column in (BASELINE, chosen)).sd,
            )
        )
    return found


def _best_p(table: pd.DataFrame) -> tuple[float, float]:
    """One-tailed p of the best lambda as printed, and after the choice."""
    p = honest_choice.one_tailed_p(table[honest_choice.best(table, BASELINE)], table[BASELINE])
    return p, selection_effects.p_after_choice(p, table.shape[1] - 1, len(table))


def counting(found: Iterable[Choice], settings: CnnSettings, published: pd.DataFrame) -> list[Choice]:
    """Those of Table 1's architectures whose first ten replicates, the table's own, have every lambda of the grid."""
    lambdas, ten = set(settings.grid.lambdas) - {BASELINE}, set(range(REPLICATES))
    printed = published.set_index(ARCHITECTURE).index
    return [c for c in found if c.architecture in printed and set(c.gains) >= lambdas and set(c.gains.index) >= ten]


def c8_tests(counted: Mapping[str, Iterable[Choice]]) -> pd.DataFrame:
    """What C8 asks of the architectures that count, by placement: one row each.

    Columns: placement, blocks, width, p_after and train_p_after (see `Choice`), tests (how many lambda have a two-sided
    paired t-test), the smallest_p of them, and highest, where the last of their 95 % t-intervals ends.
    """
    return pd.DataFrame(
        [
            {
                "placement": placement,
                "blocks": c.architecture[0],
                "width": c.architecture[1],
                "p_after": c.p_after,
                "train_p_after": c.train_p_after,
                "tests": int((p := pd.Series([paired_t_test(c.gains[x], [0.0] * c.n) for x in c.gains])).count()),
                "smallest_p": p.min(),
                "highest": max(t_interval(c.gains[x])[1] for x in c.gains),
            }
            for placement, choices in counted.items()
            for c in choices
        ]
    )


def choice_table(found: Iterable[Choice]) -> pd.DataFrame:
    """One row an architecture: see the fields of `Choice`."""
    return pd.DataFrame(
        [
            {
                "blocks": c.architecture[0],
                "width": c.architecture[1],
                "n": c.n,
                "lambda": c.chosen,
                "gain": c.shuffled.observed,
                "p printed": c.p_printed,
                "p after choice": c.p_after,
                "gain by choice alone": c.by_choice_alone,
                "p shuffled": c.shuffled.p,
                "gain, shuffled": c.shuffled.expected,
                "p < 0.05, shuffled": c.shuffled.significant_share,
                "gain, chosen on half": c.split.gain,
                "p, chosen on half": c.split.p,
                "replicate SD": c.sd,
                "detectable gain": c.detectable,
                "replicates for 0.005": c.needed,
                "paired gain SD": c.paired_sd,
                "detectable gain, paired": power.detectable_gain(c.paired_sd, c.n, ALPHA / c.lambdas, paired=True),
                "pairs for 0.005": power.replicates_needed(0.005, c.paired_sd, ALPHA / c.lambdas, paired=True),
            }
            for c in found
        ]
    )


def h3(tested: list[Choice], published: pd.DataFrame) -> tuple[str, str]:
    """Verdict on H3 and its evidence, from the architectures that count."""
    if not tested:
        return "undecided", "no architecture has ten replicates at all lambda"
    half = published.set_index(ARCHITECTURE)["delta_validation_accuracy"] / 2
    after = [c.p_after < ALPHA for c in tested]
    kept = [c.split.gain >= half[c.architecture] for c in tested]
    holds = [significant and large for significant, large in zip(after, kept, strict=True)]
    made = [c.p_printed < ALPHA and not (p or k) for c, p, k in zip(tested, after, kept, strict=True)]
    evidence = "; ".join(
        f"{_name(c.architecture)}: p printed {c.p_printed:.3f}, p after choice {c.p_after:.3f}, gain chosen on half "
        f"{c.split.gain:+.4f} (published {2 * half[c.architecture]:+.4f}), n = {c.n}"
        for c in tested
    )
    if not any(c.p_printed < ALPHA for c in tested):
        evidence += "; no gain that a choice could have made"
    if 2 * sum(made) > len(tested):
        return "supported", evidence
    return ("refuted" if 2 * sum(holds) >= len(tested) else "undecided"), evidence


def h6(runs: pd.DataFrame, planned: Set[float], smallest_gain: float) -> tuple[str, str]:
    """Verdict on H6 and its evidence.

    Args:
        runs: the paper's of the first layer, and those with weaker guidance.
        planned: the lambda of the latter.
    """
    weaker = runs[runs["lambda"].isin({BASELINE, *planned}) & (runs["replicate"] < REPLICATES)]
    curve = gain_curves(weaker, tests=len(planned)).set_index("lambda")
    if not planned or planned - set(curve.index):
        return "undecided", "not all runs with weaker guidance exist"
    return raises_accuracy(curve, curve, f"{100 - 5 / len(planned):g} %", smallest_gain)


def raises_accuracy(gains: pd.DataFrame, strict: pd.DataFrame, level: str, smallest_gain: float) -> tuple[str, str]:
    """Verdict on guidance that is to raise accuracy at some lambda, and its evidence.

    Supported: an interval of `strict` lies above zero. Otherwise refuted: each of `gains` lies below the smallest
    published gain. Undecided: neither, or fewer than ten pairs at a lambda.

    Args:
        gains, strict: n, gain, low and high by lambda, the intervals of `strict` corrected for the number of lambda.
        level: of the intervals of `gains`, in words.
    """
    evidence = f"{level} intervals: " + "; ".join(
        f"lambda {row.Index:g}: {row.gain:+.4f} ({row.low:+.4f} to {row.high:+.4f}, n = {row.n})"
        for row in gains.itertuples()
    )
    if gains["n"].min() < REPLICATES:
        return "undecided", evidence
    if (strict["low"] > 0).any():
        return "supported", evidence
    return ("refuted" if (gains["high"] < smallest_gain).all() else "undecided"), evidence


def c7(
    table: pd.DataFrame, tested: list[Choice], published: pd.DataFrame, h2_verdict: str, *, corner_better: bool
) -> Verdict:
    """First-layer guidance on CIFAR-10.

    Args:
        table: the frame of `table1`.
        tested: the architectures that count.
        corner_better: whether at some lambda the corner does better than both placebos (small_cnn_placebos).
    """
    if table.empty:
        return Verdict("not tested", "no architecture has two replicates at every lambda", "not tested", "")
    if not tested:
        few = (
            f"{len(table)} of {len(published)} architectures have guided runs, none ten replicates at all seven lambda"
        )
        return Verdict("inconclusive", few, "not tested", "")
    rows = table.set_index(ARCHITECTURE).loc[[c.architecture for c in tested]]
    assert (rows["n"] == REPLICATES).all()
    significant = int((rows["p"] < ALPHA).sum())
    if significant == len(tested):
        word = "reproduced"
    else:
        word = "partly" if 2 * significant >= len(tested) else "not reproduced"
    evidence = f"{len(tested)} of {len(published)} architectures count (blocks x filters); " + "; ".join(
        f"{_name(row.Index)}: {row.gain:+.4f} at lambda {row.best:g} (p = {row.p:.3f}, n = {row.n}; the paired "
        f"intervals of all {c.lambdas} lambda, Bonferroni's correction, end at {c.highest:+.4f} or below, published "
        f"{row.published_gain:+.4f})"
        for c, row in zip(tested, rows.rename(columns={"lambda": "best"}).itertuples(), strict=True)
    )
    after = sum(c.p_after < ALPHA for c in tested)
    if 2 * after < len(tested):
        survived = "does not survive"
    elif h2_verdict == "undecided":
        survived = "inconclusive"
    else:
        survived = "survives" if h2_verdict == "refuted" and corner_better else "does not survive"
    said = "p after choice: " + "; ".join(f"{_name(c.architecture)}: {c.p_after:.3f} (n = {c.n})" for c in tested)
    cells = len(tested), len(published), "architectures"
    claim, control = judged(word, evidence, *cells), judged(survived, f"{said}; H2 is {h2_verdict}", *cells)
    return Verdict(claim.word, claim.evidence, control.word, control.evidence, claim.so_far, control.so_far)


@dataclass(frozen=True)
class Part:
    """What C8 asks of one data set."""

    started: bool  # whether it has guided runs
    tests: pd.DataFrame  # see `c8_tests`: a row for each placement and architecture that counts
    planned: int  # how many there are

    @property
    def covered(self) -> bool:
        return covered(len(self.tests), self.planned)

    @property
    def said(self) -> str:
        count = f"{len(self.tests) or 'none'} of {self.planned}"
        return f"{count} placements and architectures have ten replicates at all seven lambda"

    @property
    def highest(self) -> dict[str, float]:
        """Where the last interval of a placement and architecture ends."""
        return {
            f"{row.placement} layer{'s' * (row.placement == 'all')}, {_name((row.blocks, row.width))}": row.highest
            for row in self.tests.itertuples()
        }


def c8(all_layers: Part, mnist: Part, published: pd.DataFrame) -> Verdict:
    """All layers on CIFAR-10, and either placement on MNIST."""
    parts = {"CIFAR-10, all layers": all_layers, "MNIST": mnist}
    if not all(part.covered for part in parts.values()):
        text = "; ".join(f"{name}: {part.said}" for name, part in parts.items())
        return Verdict("inconclusive" if all_layers.started or mnist.started else "not tested", text, "not tested", "")
    after = all_layers.tests[["p_after", "train_p_after"]]
    smallest = {  # p of each test family, and its number of tests
        "CIFAR-10, all layers": (after.min(axis=None), int(after.count().sum())),
        "MNIST": (mnist.tests["smallest_p"].min(), mnist.tests["tests"].sum()),
    }
    corrected = {name: min(1.0, count * p) for name, (p, count) in smallest.items()}  # Holm's first step
    evidence = "; ".join(f"{name}: smallest p {p:.3f} of {smallest[name][1]} tests" for name, p in corrected.items())
    verdict = ("not reproduced", "partly", "reproduced")[sum(p >= ALPHA for p in corrected.values())]
    mean = float(published["delta_validation_accuracy"].mean())
    highest = {
        f"{data.split(',')[0]}, {name}": high for data, part in parts.items() for name, high in part.highest.items()
    }
    said = "; ".join(f"{name}: {high:+.4f}" for name, high in highest.items())
    control = "survives" if max(highest.values()) < mean else "inconclusive"
    return Verdict(verdict, evidence, control, f"published mean gain {mean:.4f}; highest end of an interval, {said}")


def _name(architecture: Architecture) -> str:
    blocks, width = architecture
    return f"{blocks} x {width}"
