"""C7, C8 and the hypotheses on small CNNs in numbers: paired gains in accuracy with their intervals."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from replication.core.verdict import Effect, Measure
from replication.small_cnn.grid import ARCHITECTURE
from replication.small_cnn.statistics.claims import Choice
from replication.small_cnn.statistics.placebos import PLACEBOS
from replication.statistics.t_tests import mean_over_groups

ACCURACY = "accuracy"


def c7(tested: Sequence[Choice], published: pd.DataFrame) -> Effect:
    """The mean over the architectures that count of the paired gain at the best lambda, whose choice no interval knows.

    Published: of these architectures alone.
    """
    if not tested:
        return Effect()
    printed = published.set_index(ARCHITECTURE)["delta_validation_accuracy"]
    theirs = float(printed[[c.architecture for c in tested]].mean())
    mean, low, high = mean_over_groups([list(c.gains[c.chosen]) for c in tested])
    n, count = sum(c.n for c in tested), len(tested)
    about: dict[str, Any] = {"unit": ACCURACY, "architectures": count}
    said = f"all nine gain, {printed.min():.4f} to {printed.max():.4f}; {theirs:+.4f} in the {_networks(count)} we ran"
    ours = Measure(
        f"{mean:+.4f} at the best lambda in {count} of {len(published)} networks",
        mean,
        n=n,
        counted="pairs",
        runs=sum(c.n * (1 + c.lambdas) for c in tested),
        **about,
    ).with_interval(low, high)
    half = sum(c.split.gain for c in tested) / count
    after = ", ".join(f"{c.p_after:.2f}" for c in tested)
    control = Measure(
        f"p = {after} after the choice of lambda; {half:+.4f} at a lambda chosen on other runs", half, n=n, **about
    )
    return Effect(published=Measure(said, theirs, **about), ours=ours, after_control=control)


def _networks(count: int) -> str:
    return "one" if count == 1 else str(count)


def c8(cifar10: pd.DataFrame, mnist: Mapping[str, pd.DataFrame]) -> Effect:
    """The largest difference on MNIST. Args: gains of all layers on CIFAR-10; those on MNIST by placement."""
    parts = [part for part in mnist.values() if len(part)]
    if not parts:
        return Effect()
    gains = pd.concat(parts, ignore_index=True)
    largest = gains.loc[gains["gain"].abs().idxmax()]
    networks = len(gains[ARCHITECTURE].drop_duplicates())
    layers = "no runs" if cifar10.empty else f"{cifar10['gain'].min():+.4f} to {cifar10['gain'].max():+.4f}"
    words = (
        f"all layers on CIFAR-10: {layers}; MNIST, {_networks(networks)} of nine networks: "
        f"{largest['gain']:+.4f} at lambda {largest['lambda']:g}"
    )
    n = int(largest["n"])
    found = Measure(
        words, float(largest["gain"]), unit=ACCURACY, n=n, counted="pairs", runs=2 * n, architectures=networks
    )
    return Effect(ours=found.with_interval(largest["low"], largest["high"]))


def of_hypotheses(
    placebos: pd.DataFrame, gains: pd.DataFrame, weaker: Sequence[float], choices: Sequence[Choice]
) -> dict[str, Measure | None]:
    """What H2, H3, H4-cnn and H6 rest on.

    Args:
        placebos, gains: tables of the findings.
        weaker: the lambda of H6.
        choices: the architectures that count.
    """
    return {
        "H2": _corner_minus(placebos),
        "H3": _on_half(choices),
        "H4-cnn": _best(placebos[placebos["variant"] == "exact"] if len(placebos) else placebos, "exact form"),
        "H6": _best(gains[gains["lambda"].isin(weaker)] if len(gains) else gains, "weaker guidance"),
    }


def _corner_minus(placebos: pd.DataFrame) -> Measure | None:
    """Corner less placebo where the two differ most."""
    if placebos.empty:
        return None
    rows = placebos[placebos["variant"].isin(PLACEBOS)].dropna(subset=["corner_minus"])
    if rows.empty:
        return None
    largest = rows.loc[rows["corner_minus"].abs().idxmax()]
    words = (
        f"at lambda {largest['lambda']:g} the corner gains {largest['corner_minus']:+.4f} against a "
        f"{largest['variant']} position"
    )
    found = Measure(words, float(largest["corner_minus"]), unit=ACCURACY, n=int(largest["n"]), counted="pairs")
    return found.with_interval(largest["corner_low"], largest["corner_high"])


def _on_half(choices: Sequence[Choice]) -> Measure | None:
    if not choices:
        return None
    gain = sum(c.split.gain for c in choices) / len(choices)
    words = f"{gain:+.4f} at a lambda chosen on other runs"
    return Measure(words, gain, unit=ACCURACY, n=sum(c.n for c in choices), counted="pairs", architectures=len(choices))


def _best(rows: pd.DataFrame, what: str) -> Measure | None:
    if rows.empty:
        return None
    best = rows.loc[rows["gain"].idxmax()]
    words = f"{what}: {best['gain']:+.4f} at lambda {best['lambda']:g}, the best of {len(rows)}"
    found = Measure(words, float(best["gain"]), unit=ACCURACY, n=int(best["n"]), counted="pairs", architectures=1)
    return found.with_interval(best["low"], best["high"])
