"""R1, R1b, R1c, R5, R6 and R7: penalties on confidence, entropy along training, ensembles, the bottleneck."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from replication.core.runs import Record
from replication.rivals.settings import UNGUIDED
from replication.rivals.statistics.frames import pairs, probabilities, values
from replication.rivals.statistics.rules import FEW, SEEDS, Interval, Ruling, by_lambda, enough, fewest, survives

PENALTY, SMOOTHING, BOTTLENECK, PLAIN = "penalty", "smoothing", "bottleneck", "plain-bottleneck"  # arms
MATCHED = {0.199: 0.05, 0.244: 0.1, 0.328: 0.2}  # lambda of the penalty, share of the smoothing with the same optimum
WEAK = 0.01  # the post's lambda
LEAST_ACCURACY = -0.005  # of a difference
SAME_NLL, SAME_ENTROPY, SAME_ACCURACY = 0.01, 0.01, 0.005
FALLING = -0.8  # Kendall's tau
IMAGES_ABOVE = 0.95  # share of the images


def r1(runs: pd.DataFrame, lambdas: Sequence[float]) -> Ruling:
    """The penalty lowers NLL and ECE at equal accuracy. Args: lambdas, those that are planned."""
    found = {
        lambda_: [
            Interval.of(pairs(values(runs, PENALTY, measure, lambda_), values(runs, UNGUIDED, measure)), len(lambdas))
            for measure in ("nll", "ece", "accuracy")
        ]
        for lambda_ in lambdas
    }
    evidence = "penalty less unguided, " + by_lambda(
        {
            lambda_: f"NLL {nll.said()}, ECE {ece.said()}, accuracy {accuracy.said()}" if nll.n else nll.said()
            for lambda_, (nll, ece, accuracy) in found.items()
        }
    )
    n = fewest(interval for three in found.values() for interval in three)
    if not any(interval.n for three in found.values() for interval in three):
        return Ruling("undecided", "no pairs yet", 0, "not tested")
    known = n >= SEEDS
    verdict = "undecided"
    if known:
        good = [
            nll.below(0) and ece.below(0) and accuracy.above(LEAST_ACCURACY) for nll, ece, accuracy in found.values()
        ]
        bad = [nll.above(0) or ece.above(0) or accuracy.below(LEAST_ACCURACY) for nll, ece, accuracy in found.values()]
        verdict = "supported" if any(good) else "refuted" if all(bad) else "undecided"
    means = {lambda_: values(runs, PENALTY, "nll", lambda_).mean() for lambda_ in lambdas}
    best = min(means, key=lambda lambda_: (np.isnan(means[lambda_]), means[lambda_]))
    scaled = Interval.of(pairs(values(runs, PENALTY, "held_nll", best), values(runs, UNGUIDED, "scaled_nll")))
    said = f"on half of the images, NLL of the penalty at {best:g} less that of the scaled unguided run {scaled.said()}"
    return Ruling(verdict, evidence, n, survives(scaled.below(0), known=known), said)


def r1b(runs: pd.DataFrame, lambdas: Sequence[float]) -> Ruling:
    """Penalty and label smoothing with the same optimum."""
    matched = {lambda_: share for lambda_, share in MATCHED.items() if lambda_ in lambdas}
    if not matched:
        return Ruling("undecided", "no lambda that has a matched smoothing is planned", 0)
    found = {
        lambda_: Interval.of(
            pairs(values(runs, PENALTY, "nll", lambda_), values(runs, SMOOTHING, "nll", share)), len(matched)
        )
        for lambda_, share in matched.items()
    }
    evidence = "NLL of the penalty less that of smoothing, " + by_lambda(
        {lambda_: interval.said() for lambda_, interval in found.items()}
    )
    return Ruling(_equal(list(found.values()), SAME_NLL), evidence, fewest(found.values()))


def r1c(runs: pd.DataFrame) -> Ruling:
    """The penalty at 0.01."""
    found = Interval.of(pairs(values(runs, PENALTY, "entropy", WEAK), values(runs, UNGUIDED, "entropy")))
    return Ruling(
        _equal([found], SAME_ENTROPY), f"mean entropy at {WEAK:g} less unguided, nats: {found.said()}", found.n
    )


def _equal(found: Sequence[Interval], margin: float) -> str:
    if not enough(found):
        return "undecided"
    if all(interval.within(margin) for interval in found):
        return "supported"
    return "refuted" if any(interval.outside(margin) for interval in found) else "undecided"


def r5(records: Sequence[Record]) -> Ruling:
    """Entropy falls along training. Args: records, the unguided ones."""
    histories = [record["history"]["validation_entropy"] for record in records]
    taus = [float(stats.kendalltau(range(len(course)), course).statistic) for course in histories if len(course) > 1]
    if not taus:
        return Ruling("undecided", "no runs", 0)
    evidence = f"Kendall's tau of entropy with the epoch {min(taus):+.2f} to {max(taus):+.2f} (n = {len(taus)} runs)"
    falls = "supported" if max(taus) < FALLING else "refuted"
    return Ruling(falls if len(taus) >= SEEDS else "undecided", evidence, len(taus))


def ensemble(records: Sequence[Record]) -> pd.DataFrame:
    """One row a kept image, of the first five members: entropy and NLL of the ensemble and of each member, nats.

    Columns: entropy, nll, and for each member k entropy_k, nll_k. Empty with fewer members.
    """
    members = sorted((r for r in records if r["run"]["replicate"] < FEW), key=lambda r: int(r["run"]["replicate"]))
    if len(members) < FEW:
        return pd.DataFrame()
    found = [probabilities(record) for record in members]
    labels = found[0][1]
    whole = np.mean([q for q, _ in found], axis=0)
    columns = {"entropy": _entropy(whole), "nll": -np.log(whole[np.arange(len(labels)), labels])}
    for k, (q, _) in enumerate(found):
        columns |= {f"entropy_{k}": _entropy(q), f"nll_{k}": -np.log(q[np.arange(len(labels)), labels])}
    return pd.DataFrame(columns)


def _entropy(q: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(stats.entropy(q, axis=1))


def r6(images: pd.DataFrame, members: int) -> Ruling:
    """The ensemble beside its members. Args: images, see `ensemble`; members, how many there are so far."""
    if images.empty:
        return Ruling("undecided", f"{members} of {FEW} members", members, "not tested")
    entropies, losses = (images.filter(regex=f"^{name}_") for name in ("entropy", "nll"))
    largest, best = entropies.mean().max(), losses.mean().idxmin()
    gain = Interval.of(images["nll"] - losses[best])
    evidence = (
        f"mean entropy {images['entropy'].mean():.3f} nats, of the members at most {largest:.3f}; NLL less that of the "
        f"best member {gain.said(3)} images, of {entropies.shape[1]} members"
    )
    higher = images["entropy"].mean() > largest
    verdict = "refuted" if not higher else "supported" if gain.below(0) else "undecided"
    share = float((images["entropy"] > entropies.max(axis=1)).mean())
    said = f"above every member on {share:.0%} of {len(images)} images"
    return Ruling(verdict, evidence, FEW, survives(share >= IMAGES_ABOVE, known=True), said)


def r7(runs: pd.DataFrame, betas: Sequence[float]) -> Ruling:
    """The bottleneck's KL falls with beta, and at the smallest accuracy stays."""
    table = pd.DataFrame({beta: values(runs, BOTTLENECK, "kl", beta) for beta in sorted(betas)}).dropna()
    falls = (table.diff(axis=1).iloc[:, 1:] < 0).all(axis=1)
    cost = Interval.of(pairs(values(runs, BOTTLENECK, "accuracy", min(betas)), values(runs, PLAIN, "accuracy")))
    means = (
        ", ".join(f"{mean:.1f} nats at {beta:g}" for beta, mean in table.mean().items()) if len(table) else "unknown"
    )
    evidence = (
        f"mean KL {means}; it falls in {int(falls.sum())} of {len(falls)} seeds; accuracy at {min(betas):g} less "
        f"that of the plain layers {cost.said()}"
    )
    n = min(len(table), cost.n)
    verdict = "supported" if falls.all() and cost.within(SAME_ACCURACY) else "undecided"
    if not falls.all() or cost.outside(SAME_ACCURACY):
        verdict = "refuted"
    return Ruling(verdict if n >= SEEDS else "undecided", evidence, n)
