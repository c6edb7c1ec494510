"""Hypothesis H16 by its rule in hypotheses.yaml: does guidance raise the mean, and how much does a seed scatter?

`wide` frames hold accuracies, a network and seed a row (their index), lambda in columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import pandas as pd

from replication.core.verdict import Measure
from replication.statistics.selection_effects import Spread, expected_maximum, pooled_spread
from replication.statistics.t_tests import mean_over_groups, t_interval

BASELINE, LAMBDAS, SEEDS = 0.0, (0.001, 1.0), 5
LEARNED = 0.3  # mean accuracy at lambda 0; chance is 0.1
PUBLISHED = 0.02  # "2-3 %"
CANDIDATES = 6  # of which Table 2 prints the best
FEWEST = 2  # seeds at all lambda, to say something "so far"
BOTH = "both"
HOLDS, FAILS, OPEN = "holds", "fails", "open"
OUTCOMES = {"best": "best_accuracy", "last five epochs": "last_accuracy"}  # the first one decides


@dataclass(frozen=True)
class Ruling:
    """What the rule gives with one outcome."""

    word: str
    evidence: str
    ours: Measure | None = None


def wide(runs: pd.DataFrame, outcome: str) -> pd.DataFrame:
    """Accuracies of the rule's lambda; NaN where a run is missing."""
    found = runs.pivot_table(outcome, ["network", "replicate"], "lambda", aggfunc="first", dropna=False)
    return found.reindex(columns=[BASELINE, *LAMBDAS])


def differences(runs: pd.DataFrame, networks: Sequence[str]) -> pd.DataFrame:
    """Differences in accuracy to lambda 0 of the same seed, of each network that has pairs, and of all of them.

    Columns: accuracy (of OUTCOMES), network (its name; or both, a mean over networks), lambda, n (pairs), difference,
    low, high (95 % t-interval), low_corrected, high_corrected (Bonferroni: over networks and lambda, for both over
    lambda).
    """
    rows = []
    for name, outcome in OUTCOMES.items():
        cells = wide(runs, outcome)
        for lambda_ in LAMBDAS:
            pairs = (cells[lambda_] - cells[BASELINE]).dropna()
            own = {network: list(gains) for network, gains in pairs.groupby("network")}
            for network, gains in own.items():
                intervals = (t_interval(gains), t_interval(gains, len(networks) * len(LAMBDAS)))
                rows.append((name, network, lambda_, len(gains), np.mean(gains), *chain(*intervals)))
            if len(own) == len(networks):
                mean, *interval = mean_over_groups(list(own.values()))
                _, *corrected = mean_over_groups(list(own.values()), len(LAMBDAS))
                rows.append((name, BOTH, lambda_, len(pairs), mean, *interval, *corrected))
    columns = ["accuracy", "network", "lambda", "n", "difference", "low", "high", "low_corrected", "high_corrected"]
    return pd.DataFrame(rows, columns=columns)


def scatter(runs: pd.DataFrame) -> pd.DataFrame:
    """Standard deviations of the accuracies at lambda 0 over seeds, of networks with two of them or more.

    Columns: accuracy, network (both: pooled), n, sd, low, high (95 % chi-square interval), best, best_low, best_high
    (what the best of six gains without guidance if its training differs by the seed alone).
    """
    rows = []
    for name, outcome in OUTCOMES.items():
        seeds = wide(runs, outcome)[BASELINE].dropna()
        own = {network: list(group) for network, group in seeds.groupby("network") if len(group) > 1}
        groups = {network: [group] for network, group in own.items()}
        if len(own) > 1:
            groups[BOTH] = list(own.values())
        for network, samples in groups.items():
            spread = pooled_spread(samples)
            rows.append((name, network, sum(map(len, samples)), spread.sd, spread.low, spread.high, *best_of(spread)))
    return pd.DataFrame(
        rows, columns=["accuracy", "network", "n", "sd", "low", "high", "best", "best_low", "best_high"]
    )


def best_of(spread: Spread) -> tuple[float, float, float]:
    """What the best of six trainings gains over a seventh, by their seed alone: its mean and interval."""
    factor = expected_maximum(CANDIDATES)
    return factor * spread.sd, factor * spread.low, factor * spread.high


def h16(runs: pd.DataFrame, networks: Sequence[str], outcome: str) -> Ruling:
    """Args: networks, those that the rule asks for; outcome, a column of the runs."""
    whole = wide(runs, outcome).dropna()
    own = {network: whole[whole.index.get_level_values("network") == network] for network in networks}
    learned = {network: cells for network, cells in own.items() if cells[BASELINE].mean() >= LEARNED}
    counting = [network for network, cells in learned.items() if len(cells) >= SEEDS]
    used = [cells for cells in learned.values() if len(cells) >= FEWEST]
    there = sum(wide(runs, outcome).count())
    planned = len(networks) * (1 + len(LAMBDAS)) * SEEDS
    low = [network for network, cells in own.items() if len(cells) and network not in learned]
    said = [f"{network} has not learned, {own[network][BASELINE].mean():.3f} at lambda 0" for network in low]
    if not used:
        few = f"{there} of {planned} runs, no network that has learned has two seeds at all lambda"
        return Ruling("undecided", "; ".join([few, *said]))
    mean, ours, told = mean_part(used)
    spread = pooled_spread(list(cells[BASELINE]) for cells in used)
    scattered = scatter_part(spread)
    best = best_of(spread)
    evidence = [
        told,
        f"seeds at lambda 0 have a standard deviation of {spread.sd:.4f} ({spread.low:.4f} to {spread.high:.4f}), with "
        f"which the best of six gains {best[0]:.4f} ({best[1]:.4f} to {best[2]:.4f}) without guidance",
        f"the mean: {mean}, the scatter: {scattered}",
        *said,
    ]
    word = _word(mean, scattered)
    if len(counting) < len(networks):
        evidence.append(f"so far {word}, {there} of {planned} runs")
        word = "undecided"
    return Ruling(word, "; ".join(evidence), ours)


def mean_part(used: Sequence[pd.DataFrame]) -> tuple[str, Measure, str]:
    """Part 1: its answer, the larger difference of the two lambda, and what it stands on. Args: used, by network."""
    answers, measures, told = [], [], []
    for lambda_ in LAMBDAS:
        gains = [list(cells[lambda_] - cells[BASELINE]) for cells in used]
        mean, low, high = mean_over_groups(gains)
        corrected = mean_over_groups(gains, len(LAMBDAS))[1]
        answers.append(HOLDS if high < PUBLISHED else FAILS if mean >= PUBLISHED and corrected > 0 else OPEN)
        pairs = sum(map(len, gains))
        told.append(f"at lambda {lambda_:g} {mean:+.4f} ({low:+.4f} to {high:+.4f}, n = {pairs} pairs)")
        about = {"unit": "accuracy", "n": pairs, "counted": "pairs", "architectures": len(used)}
        text = f"accuracy at lambda {lambda_:g}: {mean:+.4f}"
        measures.append(Measure(text, mean, **about).with_interval(low, high))  # type: ignore[arg-type]
    answer = FAILS if FAILS in answers else HOLDS if set(answers) == {HOLDS} else OPEN
    largest = max(measures, key=lambda measure: measure.value or 0.0)
    return answer, largest, f"guided less unguided {', '.join(told)}"


def scatter_part(spread: Spread) -> str:
    """Part 2."""
    _, low, high = best_of(spread)
    return HOLDS if low >= PUBLISHED / 2 else FAILS if high < PUBLISHED else OPEN


def _word(*parts: str) -> str:
    if FAILS in parts:
        return "refuted"
    return "supported" if set(parts) == {HOLDS} else "undecided"


def moved(found: pd.DataFrame) -> str:
    """Which networks' own means guidance moves, either way. Args: found, as from `differences`."""
    own = found[(found["accuracy"] == next(iter(OUTCOMES))) & (found["network"] != BOTH)]
    outside = own[(own["low_corrected"] > 0) | (own["high_corrected"] < 0)]
    cells = [
        f"{row.network} at lambda {row.lambda_:g} ({row.low_corrected:+.4f} to {row.high_corrected:+.4f})"
        for row in outside.rename(columns={"lambda": "lambda_"}).itertuples()
    ]
    return f"guidance moves the mean of {', '.join(cells)}" if cells else "guidance moves no network's own mean"
