"""Claims C2 and C3 by the rules in data/published/claims.yaml, hypothesis H5, and the fits of the decay."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import curve_fit
from scipy.stats import norm, pearsonr

from entropy_guidance.empirical_layers import empirical
from replication.core.verdict import Effect, Measure, Verdict
from replication.statistics.coverage import judged

FIRST, LAST, TOLERANCE = -2.2, -5.5, 0.3  # nats: what the text prints of Figure 1, and how near is near
LAST_LAYERS = 3
SURVIVING_SHARE = 0.25
ALIKE, STILL_ALIKE = 0.9, 0.5
MEAN_LOG_NORMAL = -(math.log(2) + np.euler_gamma) / 2  # of log|w|, w normal with sigma 1
DRAWS, SEED = 500, 20230814
OTHER = {  # what networks of another kind are, beside the paper's
    "open-nsfw": "half width, another task, norms folded",
    "open-nsfw-random": "half width",
    "platelet-unet": "three dimensions, another task",
    "platelet-unet-random": "three dimensions",
}
FEW_WEIGHTS = 20_000  # of a layer that is drawn weight by weight


@dataclass(frozen=True)
class Decay:
    """Which curve fits layer means better, by the corrected Akaike criterion (lower is better)."""

    linear: float
    exponential: float

    @property
    def better(self) -> str:
        return "exponential" if self.exponential < self.linear else "linear"

    def __str__(self) -> str:
        return f"{self.better} (AICc: exponential {self.exponential:.1f}, linear {self.linear:.1f})"


def decay(means: np.ndarray) -> Decay:
    """Fit a line and an exponential c + b exp(-k (layer - 1)) to the means of layers 1, 2, ..."""
    layers = np.arange(len(means), dtype=float)
    line = np.polyval(np.polyfit(layers, means, 1), layers)

    def exponential(x: np.ndarray, c: float, b: float, k: float) -> np.ndarray:
        return c + b * np.exp(-k * x)

    fits = []
    for k in (0.03, 0.3, 3.0):  # starts: slow, medium, fast
        start = (means[-1], means[0] - means[-1], k)
        limits = ([-np.inf, -np.inf, 1e-3], [np.inf, np.inf, 10.0])
        found, _ = curve_fit(exponential, layers, means, p0=start, bounds=limits, max_nfev=20_000)
        fits.append(exponential(layers, *found))
    curve = min(fits, key=lambda fit: float(np.sum((means - fit) ** 2)))
    return Decay(linear=_aicc(means, line, 2), exponential=_aicc(means, curve, 3))


def _aicc(values: np.ndarray, fit: np.ndarray, curve_parameters: int) -> float:
    n, k = len(values), curve_parameters + 1  # the variance is a parameter too
    variance = max(float(np.mean((values - fit) ** 2)), 1e-300)
    return n * math.log(variance) + 2 * k + 2 * k * (k + 1) / (n - k - 1)


def measures(layers: pd.DataFrame) -> dict[str, Any]:
    """What section 4 says in words, as numbers, of one network with one kind of weights."""
    means = layers["mean"].to_numpy()
    outliers = layers["outliers_low"] + layers["outliers_high"]
    share, low = outliers.sum() / layers["n"].sum(), layers["outliers_low"].sum() / max(outliers.sum(), 1)
    late = layers["layer"] > len(layers) / 2
    halves = [outliers[rows].sum() / layers.loc[rows, "n"].sum() for rows in (~late, late)]
    return {
        "first": means[0],
        "last": means[-LAST_LAYERS:].mean(),
        "decay": str(decay(means)),
        "outlier_share": share,
        "outliers": f"{share:.2%} of filters, {low:.1%} of them larger drops; {halves[0]:.2%} in the first half of the "
        f"layers, {halves[1]:.2%} in the second",
    }


def beside_published(layers: pd.DataFrame, words: list[dict[str, str]]) -> pd.DataFrame:
    """The paper's words beside our numbers. Columns: weights, what, published, ours."""
    found = {weights: measures(rows) for weights, rows in layers.groupby("weights")}
    rows = []
    for word in words:
        value = found.get(word["weights"], {}).get(word["value"], "not here")
        ours = f"{value:.3f}" if isinstance(value, float) else value
        rows.append((word["weights"], word["what"], word["published"], ours))
    return pd.DataFrame(rows, columns=["weights", "what", "published", "ours"])


def scale_table(layers: pd.DataFrame) -> pd.DataFrame:
    """Hypothesis H5, one row a kind of weights.

    Columns: network, weights, layers; mean_range, residual_range (largest minus smallest layer mean, before and after
    subtracting log sigma), share (their ratio); share_by_scale, between which shares 90 % of networks of these shapes
    lie whose weights are nothing but scale (`share_of_pure_scale`); residual (its mean over layers; -0.635 for normal
    weights, -0.451 for uniform ones); slope and r2 of the layer mean against log sigma; r2_fan_in against log fan-in;
    position_spread: largest difference between two filter positions' layer means, averaged over layers.
    """
    rows = []
    for (network, weights), group in layers.groupby(["network", "weights"], sort=False):
        means, sigma = group["mean"], group["log_sigma"]
        ranges = [np.ptp(group[column]) for column in ("mean", "residual")]
        spreads = [np.ptp(np.array(positions)) for positions in group["positions"] if np.size(positions) > 1]
        rows.append(
            {
                "network": network,
                "weights": weights,
                "layers": len(group),
                "mean_range": ranges[0],
                "residual_range": ranges[1],
                "share": ranges[1] / ranges[0],
                "share_by_scale": "{:.0%} to {:.0%}".format(*share_of_pure_scale(group)),
                "residual": group["residual"].mean(),
                "slope": np.polyfit(sigma, means, 1)[0],
                "r2": _r2(sigma, means),
                "r2_fan_in": _r2(np.log(group["fan_in"]), means),
                "position_spread": np.mean(spreads),
            }
        )
    return pd.DataFrame(rows)


def share_of_pure_scale(group: pd.DataFrame) -> tuple[float, float]:
    """The share of the range that normal weights with each layer's sigma leave: 5 % and 95 % quantiles.

    Layers of many filters enter by the normal law of their mean (variance of log|w|: pi^2 / 8), small ones drawn.
    """
    generator = np.random.default_rng(SEED)
    means, residuals = [], []
    for layer in group.itertuples():
        n, positions = int(layer.n), np.size(layer.positions)
        if n * positions <= FEW_WEIGHTS:
            weights = generator.normal(size=(DRAWS, n, positions))
            mean = np.log(np.abs(weights[:, :, 0])).mean(axis=1)
            sigma = np.log(weights.reshape(DRAWS, -1).std(axis=1))
        else:
            mean = generator.normal(MEAN_LOG_NORMAL, math.pi / math.sqrt(8 * n), DRAWS)
            sigma = np.zeros(DRAWS)
        means.append(mean + layer.log_sigma)
        residuals.append(mean - sigma)
    low, high = np.quantile(np.ptp(residuals, axis=0) / np.ptp(means, axis=0), [0.05, 0.95])
    return float(low), float(high)


def empirical_layers(layers: pd.DataFrame) -> pd.DataFrame:
    """The layers that `selection.empirical` picks, by network and weights. Columns: network, weights, layers, names."""
    rows = []
    for (network, weights), group in layers.groupby(["network", "weights"], sort=False):
        names = empirical(group)
        numbers = group.loc[group["name"].isin(names), "layer"]
        rows.append((network, weights, ", ".join(map(str, numbers)), ", ".join(names)))
    return pd.DataFrame(rows, columns=["network", "weights", "layers", "names"])


def c2(vgg16: pd.DataFrame) -> Verdict:
    """Claim C2: ImageNet's VGG16 against random weights."""
    trained, random = (_of(vgg16, weights) for weights in ("imagenet", "random"))
    if trained.empty or random.empty:
        return Verdict("not tested", "no profile of VGG16 with ImageNet weights and with random ones", "not tested", "")
    a, b = measures(trained), measures(random)
    parts = {
        "early and late": abs(a["first"] - FIRST) <= TOLERANCE and abs(a["last"] - LAST) <= TOLERANCE,
        "decay": decay(trained["mean"].to_numpy()).better == "exponential"
        and decay(random["mean"].to_numpy()).better == "linear",
        "uniformity": a["outlier_share"] < b["outlier_share"],
    }
    said = [
        f"{name}: layer 1 {m['first']:.2f}, last three {m['last']:.2f}, {m['decay']}, outliers {m['outlier_share']:.2%}"
        for name, m in (("trained", a), ("random", b))
    ]
    holds = [part for part, held in parts.items() if held]
    fails = [part for part, held in parts.items() if not held]
    said.append(f"normal weights of any scale have {outlier_share_of_normal():.2%} outliers")
    wider = (_quartile_range(trained) > _quartile_range(random)).sum()
    said.append(f"by interquartile range the trained network scatters more in {wider} of {len(trained)} layers")
    evidence = "; ".join(said) + f". Holds: {', '.join(holds) or 'nothing'}; does not: {', '.join(fails) or 'nothing'}"
    verdict = {3: "reproduced", 0: "not reproduced"}.get(sum(parts.values()), "partly")
    (row,) = scale_table(trained).to_dict("records")
    survives = row["share"] > SURVIVING_SHARE
    control = (
        f"layer means range over {row['mean_range']:.2f} nats, over {row['residual_range']:.2f} after subtracting log "
        f"sigma ({row['share']:.0%}); log sigma alone explains {row['r2']:.1%} of their variance. Without layer 1 "
        f"{np.ptp(trained['residual'][1:]) / np.ptp(trained['mean'][1:]):.0%}, and what is left changes "
        f"by {np.polyfit(np.arange(1, len(trained)), trained['residual'][1:], 1)[0]:+.3f} nats a layer"
    )
    survived = "survives" if survives else "does not survive"
    return Verdict(verdict, evidence, survived, control, effect=_fall(trained, row["share"]))


def _fall(trained: pd.DataFrame, share: float) -> Effect:
    """Nats between layer 1 and the last three, with the weights' scale and without. One network has no interval."""

    def fall(column: str) -> float:
        return float(trained[column].iloc[0] - trained[column].iloc[-LAST_LAYERS:].mean())

    first, last = trained["mean"].iloc[0], trained["mean"].iloc[-LAST_LAYERS:].mean()
    words = f"{first:.2f} nats in layer 1, {last:.2f} in the last three"
    about: dict[str, Any] = {"unit": "nats of fall", "n": 1, "counted": "network", "architectures": 1}
    left = f"without the weights' scale a fall of {fall('residual'):.2f} nats, and {share:.0%} of the range, are left"
    return Effect(ours=Measure(words, fall("mean"), **about), after_control=Measure(left, fall("residual"), **about))


def _quartile_range(layers: pd.DataFrame) -> pd.Series:
    return layers["q3"] - layers["q1"]


def outlier_share_of_normal() -> float:
    """Share of Tukey outliers of log|w| for normal w: a number of the law's, whatever its scale."""
    low, high = np.log(norm.ppf([0.625, 0.875]))  # quartiles of log|w|
    fences = np.exp([low - 1.5 * (high - low), high + 1.5 * (high - low)])
    return float(2 * norm.cdf(fences[0]) - 1 + 2 * norm.sf(fences[1]))


def c3(vgg16: pd.DataFrame, resnet50: pd.DataFrame, unet: pd.DataFrame) -> Verdict:
    """Claim C3."""
    parts: dict[str, bool | None] = {"ResNet-50 before skips": None, "U-Net at both ends": None}
    evidence, by_chance = [], []
    for part, layers, contrast, of_random in (
        ("ResNet-50 before skips", resnet50, before_skips, _other_rule),
        ("U-Net at both ends", unet, at_the_ends, lambda _: ""),
    ):
        for kind, rows in by_weights(layers):
            high, low = contrast(rows)
            said = f"{part}: {high:.2f} there, {low:.2f} elsewhere (of the layers' means)"
            if kind in OTHER:
                said += f", {OTHER[kind]}"
            if kind.endswith("random"):
                by_chance.append(said + (of_random(rows) if kind == "random" else ""))
            elif kind == "sample":
                evidence.append(f"{said} (trained on a sample of the data: decides nothing)")
            elif parts[part] is None:
                parts[part] = high > low
                scale = "log sigma {:.2f} and {:.2f}".format(*contrast(rows, "log_sigma"))
                evidence.append(f"{said}; {scale}{_of_relative(rows, contrast)}")
    imagenet, edges, random = (_of(vgg16, weights) for weights in ("imagenet", "edges", "random"))
    control, control_evidence, effect = "not tested", "", Effect()
    at_random = f"Random weights already show, {'; '.join(by_chance)}" if by_chance else ""
    parts["architecture, not data"] = None
    if len(imagenet) and len(edges):
        alike = _correlation(imagenet, edges, "mean")
        parts["architecture, not data"] = alike > ALIKE
        effect = Effect(ours=_alike(f"VGG16 for two tasks: r = {alike:.3f}", alike, imagenet))
        evidence.append(f"VGG16 for ImageNet and fine-tuned from it for edges: layer means correlate at {alike:.3f}")
        if len(random):
            to_random = max(_correlation(imagenet, random, "mean"), _correlation(edges, random, "mean"))
            residual = _correlation(imagenet, edges, "residual")
            by_chance_alike = max(_correlation(trained, random, "residual") for trained in (imagenet, edges))
            more_alike = alike > to_random and residual > max(STILL_ALIKE, by_chance_alike)
            control = "inconclusive" if more_alike else "does not survive"  # one was trained from the other
            words = f"without the weights' scale r = {residual:.3f}; with random weights up to {by_chance_alike:.3f}"
            effect = replace(effect, after_control=_alike(words, residual, imagenet))
            control_evidence = (
                f"the trained profiles correlate with each other at {alike:.3f}, with the random network's at up to "
                f"{to_random:.3f}; after subtracting log sigma with each other at {residual:.3f}, with the random "
                f"network's at up to {by_chance_alike:.3f}; one was fine-tuned from the other. {at_random}"
            )
    tested = {part: held for part, held in parts.items() if held is not None}
    missing = [part for part, held in parts.items() if held is None]
    if missing:
        evidence.append(f"not tested, no trained weights: {', '.join(missing)}")
    if not tested:
        return Verdict("not tested", "; ".join(evidence), control, control_evidence, effect=effect)
    word = "not reproduced" if not all(tested.values()) else "partly" if missing else "reproduced"
    claim = judged(word, "; ".join(evidence), len(tested), len(parts), "parts")
    return Verdict(claim.word, claim.evidence, control, control_evidence, claim.so_far, effect=effect)


def _alike(words: str, correlation: float, layers: pd.DataFrame) -> Measure:
    """Of layer means, which were not drawn by chance: no interval."""
    return Measure(words, correlation, unit="correlation", n=len(layers), counted="layers", architectures=1)


def _of(layers: pd.DataFrame, weights: str) -> pd.DataFrame:
    return layers[layers["weights"] == weights].reset_index(drop=True) if len(layers) else layers


def by_weights(layers: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The layers of each kind of weights, in the record's order."""
    return [(str(kind), rows) for kind, rows in layers.groupby("weights", sort=False)] if len(layers) else []


def before_skips(layers: pd.DataFrame, column: str = "mean") -> tuple[float, float]:
    """Means over pre-skip convolutions and over the others."""
    chosen = layers["pre_skip"].astype(bool)
    return layers.loc[chosen, column].mean(), layers.loc[~chosen, column].mean()


def _other_rule(layers: pd.DataFrame) -> str:
    """What random weights would show before skips if sigma^2 were 2 / fan-out, torchvision's choice for ResNet."""
    log_sigma = layers["shape"].map(lambda shape: math.log(2 / (shape[0] * math.prod(shape[2:]))) / 2)
    high, low = before_skips(layers.assign(mean=log_sigma))
    return f" (Glorot's rule; by He's, of the fan-out, {high - low:+.2f} between the two)"


def at_the_ends(layers: pd.DataFrame, column: str = "mean") -> tuple[float, float]:
    """Means over the first and last quarter of the layers, and over the middle half."""
    quarter = len(layers) // 4
    ends = pd.concat([layers[column][:quarter], layers[column][-quarter:]])
    return ends.mean(), layers[column][quarter:-quarter].mean()


def _of_relative(layers: pd.DataFrame, contrast: Callable[..., tuple[float, float]]) -> str:
    """The same contrast without each output's own scale, where it is recorded."""
    if "relative" not in layers or layers["relative"].isna().any():
        return ""
    return "; relative to each output's own weights {:.2f} and {:.2f}".format(*contrast(layers, "relative"))


def _correlation(a: pd.DataFrame, b: pd.DataFrame, column: str) -> float:
    return float(pearsonr(a[column], b[column]).statistic)


def _r2(x: pd.Series, y: pd.Series) -> float:
    """Share of the variance of y that a line in x explains; NaN for a constant x."""
    return float(pearsonr(x, y).statistic ** 2) if np.ptp(x) > 0 else math.nan
