"""R2, R2c, R2d and R8: data-processing inequalities and redundancy by matrix-based Rényi information."""

import math
from collections.abc import Sequence
from itertools import pairwise

import pandas as pd

from replication.rivals.record import IMAGES, RULES, SCALED
from replication.rivals.settings import UNGUIDED
from replication.rivals.statistics.rules import FEW, Interval, Ruling, fewest, survives

DEEP = ("blocks-2", "blocks-3")  # arms
DEEPEST = "blocks-3"
SIZES = (UNGUIDED, "maps-64", "maps-128")  # arms: one block of 32, 64 and 128 maps
RULE = "neighbours"  # of the width, for the verdict
SPLIT = "validation"
SLACK = 0.01  # bits
SHARE = 0.95
SATURATED = 0.99  # of log2 n
LOGITS = "logits"
KINDS = ("about_input", "about_labels", "errors")


def kept_rows(layers: pd.DataFrame, errors: pd.DataFrame) -> pd.DataFrame:
    """Whether each network keeps an inequality, at each measured epoch and width, on the validation images.

    Columns: kind (KINDS, and `scaled`: about_input with ten times the last block's outputs, at the power rule), arm,
    replicate, epoch, width, kept.
    """
    rows = []
    by = ["arm", "replicate", "epoch", "width"]
    if len(layers):
        own = layers[layers["arm"].isin(DEEP) & (layers["split"] == SPLIT)]
        for key, group in own.groupby(by, sort=False):
            plain = group[~group["layer"].str.contains(" x ")]
            for kind in ("about_input", "about_labels"):
                rows.append((kind, *key, falls(plain[kind].tolist())))
            if len(plain) < len(group):
                scaled = group[group["layer"].str.contains(f" x {SCALED}")]["about_input"].tolist()
                chain = plain["about_input"].tolist()
                rows.append(("scaled", *key, falls([*chain[:-2], *scaled, chain[-1]])))
    if len(errors):
        own = errors[(errors["arm"] == DEEPEST) & (errors["split"] == SPLIT)]
        rows += [
            ("errors", row.arm, row.replicate, row.epoch, row.width, falls([row.near, row.far]))
            for row in own.itertuples()
        ]
    return pd.DataFrame(rows, columns=["kind", *by, "kept"])


def falls(bits: Sequence[float]) -> bool:
    """Whether none exceeds an earlier one by more than the slack.

    >>> falls([2.0, 1.0, 1.005]), falls([2.0, 1.0, 1.5])
    (True, False)
    """
    return all(later <= min(bits[:k]) + SLACK for k, later in enumerate(bits[1:], 1))


def width_study(kept: pd.DataFrame) -> pd.DataFrame:
    """Shares of networks that keep each inequality, untrained (epoch 0) and trained (the later measurements).

    Columns: kind, width, untrained, n_untrained, trained, n_trained.
    """
    rows = []
    for (kind, width), group in kept.groupby(["kind", "width"], sort=False):
        before, after = (group[group["epoch"] == 0]["kept"], group[group["epoch"] > 0]["kept"])
        rows.append((kind, width, before.mean(), len(before), after.mean(), len(after)))
    return pd.DataFrame(rows, columns=["kind", "width", "untrained", "n_untrained", "trained", "n_trained"])


def inequality(kept: pd.DataFrame, kind: str) -> Ruling:
    """R2 (about_input), R2c (about_labels) or R2d (errors)."""
    own = kept[kept["kind"] == kind]
    seeds = own.groupby("arm")["replicate"].nunique()
    arms = [DEEPEST] if kind == "errors" else DEEP
    n = min(int(seeds.get(arm, 0)) for arm in arms)
    known = n >= FEW
    study = width_study(kept).set_index(["kind", "width"])
    if (kind, RULE) not in study.index:
        return Ruling("undecided", "no runs", 0, "not tested")
    row = study.loc[kind, RULE]
    counts = " and ".join(f"{seeds.get(arm, 0)} of {arm}" for arm in arms)
    evidence = f"kept in {row.trained:.0%} of {row.n_trained:.0f} measurements at the {RULE} rule (seeds: {counts})"
    verdict = ("supported" if row.trained >= SHARE else "refuted") if known else "undecided"
    widths = {rule: study.loc[kind, rule] for rule in RULES}
    passed = row.trained > row.untrained and all(found.trained >= SHARE for found in widths.values())
    said = "; ".join(
        f"{rule}: {found.trained:.0%} trained, {found.untrained:.0%} of {found.n_untrained:.0f} untrained"
        for rule, found in widths.items()
    )
    if kind == "about_input":
        scaled = study.loc["scaled", "power"]
        passed = passed and scaled.trained >= SHARE
        said += f"; with the last block's outputs times {SCALED}, power: {scaled.trained:.0%} trained"
    return Ruling(verdict, evidence, n, survives(passed, known=known), said)


def of_maps(maps: pd.DataFrame) -> pd.DataFrame:
    """Redundancy less synergy of the last block, seeds 0 to 4, before training and after its last epoch.

    Columns: width, maps, replicate, untrained, trained (bits, means over pairs), entropy (of all maps, trained).
    """
    columns = ["width", "maps", "replicate", "untrained", "trained", "entropy"]
    if maps.empty:
        return pd.DataFrame(columns=columns)
    own = maps[maps["arm"].isin(SIZES) & (maps["split"] == SPLIT) & (maps["replicate"] < FEW)]
    by = ["width", "maps", "replicate"]
    before = own[own["epoch"] == 0].set_index(by)["redundancy_minus_synergy"]
    after = own[own["epoch"] == own["epoch"].max()].set_index(by)
    found = after[["redundancy_minus_synergy", "entropy"]].rename(columns={"redundancy_minus_synergy": "trained"})
    return found.assign(untrained=before).reset_index()[columns]


def r8(table: pd.DataFrame, sizes: Sequence[int]) -> Ruling:
    """Redundancy is there and grows with the number of maps. Args: table, see `of_maps`; sizes, numbers of maps."""
    found: dict[str, list[Interval]] = {}
    trained: dict[str, Interval] = {}
    entropies = table.groupby(["width", "maps"])["entropy"].mean()
    whole = all((width, size) in entropies.index for width in RULES for size in sizes)
    counting = [
        width
        for width in RULES
        if whole and all(entropies[width, size] <= SATURATED * math.log2(IMAGES) for size in sizes)
    ]
    for width in RULES:
        own = table[table["width"] == width].pivot_table(index="replicate", columns="maps", values="trained")
        at = [own.get(size, pd.Series(dtype=float)) for size in sizes]
        found[width] = [Interval.of(values.dropna()) for values in at]
        found[width] += [Interval.of((b - a).dropna()) for a, b in pairwise(at)]
        smallest = table[(table["width"] == width) & (table["maps"] == sizes[0])]
        trained[width] = Interval.of((smallest["trained"] - smallest["untrained"]).dropna())
    said = "; ".join(
        f"{width}: "
        + ", ".join(f"{size} maps {interval.said(3)}" for size, interval in zip(sizes, found[width], strict=False))
        for width in RULES
    )
    evidence = f"bits, {said}; widths that count: {', '.join(counting) or 'none'}"
    n = fewest(interval for intervals in found.values() for interval in intervals)
    known = whole and n >= FEW
    verdict = "undecided"
    if known and counting:
        if all(interval.above(0) for width in counting for interval in found[width]):
            verdict = "supported"
        elif all(any(interval.below(0) for interval in found[width]) for width in counting):
            verdict = "refuted"
    passed = bool(counting) and all(trained[width].above(0) for width in counting)
    control = "; ".join(f"{width}: {interval.said(3)}" for width, interval in trained.items())
    survived = survives(passed, known=known and bool(counting))
    return Ruling(verdict, evidence, n, survived, f"trained less untrained, {control}")
