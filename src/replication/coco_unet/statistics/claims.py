"""Table 3 from our runs, with the error that the choice of validation images leaves, and claim C11 by its rule."""

from collections.abc import Iterable, Mapping, Set
from typing import Any

import numpy as np
import pandas as pd

from replication.coco_unet.grid import frame
from replication.core.runs import Record
from replication.core.verdict import Effect, Measure, Verdict
from replication.statistics.bootstrap import interval, resampled_sums
from replication.statistics.coverage import judged

IMAGES = (60_000, 10_000)  # the paper's training and validation images
PLACEMENT = "3-7-11-15"  # Table 3's
FEWER_EPOCHS = 0.9  # of the unguided run's: "10 % faster"
SCORES = ("accuracy", "iou")


def scores(records: Iterable[Record], baseline: Record | None) -> pd.DataFrame:
    """One row a run: as `frame`, with bootstrap intervals over validation images.

    Further columns, for each of accuracy and iou: NAME_low, NAME_high; NAME_gain, the difference from the baseline run
    measured on the same images, and NAME_gain_low, NAME_gain_high (paired); NAME_gain_equal_epochs, after the last
    epoch that both runs had. Without a baseline none of the gains.
    """
    found = list(records)
    if not found:
        return frame([])
    draws = _draws(found)
    rows = []
    for record in found:
        key = record["key"]
        row: dict[str, float | str] = {"key": key}
        for name in SCORES:
            row[f"{name}_low"], row[f"{name}_high"] = interval(draws[key][name])
            if baseline is not None:
                row[f"{name}_gain"] = record["metrics"][name] - baseline["metrics"][name]
                paired = draws[key][name] - draws[baseline["key"]][name]
                own, theirs = record["history"][name], baseline["history"][name]
                last = min(len(own), len(theirs)) - 1
                row[f"{name}_gain_equal_epochs"] = own[last] - theirs[last]
                row[f"{name}_gain_low"], row[f"{name}_gain_high"] = interval(paired)
        rows.append(row)
    return frame(found).merge(pd.DataFrame(rows), on="key")


def _draws(records: list[Record]) -> Mapping[str, Mapping[str, np.ndarray]]:
    """Key -> bootstrap values of accuracy and IoU over all pixels, the same resamples for every run."""
    names = ("tp", "fp", "fn", "tn")
    columns = np.stack([np.array(record["per_image"][name]) for record in records for name in names], axis=1)
    sums = resampled_sums(columns).reshape(-1, len(records), len(names))
    found = {}
    for place, record in enumerate(records):
        tp, fp, fn, tn = sums[:, place].T
        found[record["key"]] = {"accuracy": (tp + tn) / (tp + fp + fn + tn), "iou": tp / (tp + fp + fn)}
    return found


def unguided(records: Iterable[Record]) -> Record | None:
    """The unguided run whose seed the guided runs have."""
    return next((r for r in records if r["run"]["lambda"] == 0 and r["run"]["replicate"] == 0), None)


def trivial(record: Record) -> dict[str, float]:
    """What needs no network: accuracy of "no object anywhere", IoU of "object everywhere"."""
    counts = {name: sum(values) for name, values in record["per_image"].items()}
    share = (counts["tp"] + counts["fn"]) / sum(counts.values())
    return {"accuracy": 1 - share, "iou": share}


def of_protocol(runs: pd.DataFrame, placement: str, monitor: str) -> pd.DataFrame:
    """The unguided run and the guided ones with this placement and monitor, one a lambda."""
    guided = (runs["placement"] == placement) & (runs["monitor"] == monitor)
    return runs[((runs["lambda"] == 0) & (runs["replicate"] == 0)) | ((runs["lambda"] != 0) & guided)]


def c11(runs: pd.DataFrame, published: pd.DataFrame) -> Verdict:
    """Claim C11. `runs` as from `frame`; `published`: table3.csv."""
    total = _by_lambda(of_protocol(runs, PLACEMENT, "total"))
    if 0.0 not in total.index or len(total) < 2:
        return Verdict("not tested", "no runs of Table 3 with and without guidance", "not tested", "")
    base, guided = total.loc[0.0], total.drop(0.0)
    better = {name: int((guided[name] > base[name]).sum()) for name in SCORES}
    epochs = guided["stopping_epoch"] / base["stopping_epoch"]
    nearly_always = int((published["iou"][1:] > published["iou"][0]).sum())
    parts = {
        "accuracy better at every lambda": better["accuracy"] == len(guided),
        "IoU nearly always": better["iou"] * (len(published) - 1) >= nearly_always * len(guided),
        "fewer epochs at one lambda": bool((epochs <= FEWER_EPOCHS).any()),
    }
    quickest = guided.loc[epochs.idxmin()]
    limit = "" if quickest["stopped_early"] else " (ended by the epoch limit)"
    evidence = (
        f"accuracy better at {better['accuracy']} of {len(guided)} lambda, IoU at {better['iou']} (published: "
        f"{nearly_always} of {len(published) - 1}); fewest epochs {epochs.min():.0%} of the unguided run's, at "
        f"lambda {epochs.idxmin():g}{limit}; at equal epochs: the table of gains; {_where(base)}"
    )
    wanted = set(published["lambda"])
    control = _control(runs, guided, base, wanted)
    effect = _effect(runs, guided, base, published)
    if missing := sorted(wanted - set(total.index)):
        evidence += f"; not run: lambda {', '.join(f'{value:g}' for value in missing)}"
    if not _enough(base):
        return Verdict("inconclusive", evidence, *control, effect=effect)
    word = {3: "reproduced", 0: "not reproduced"}.get(sum(parts.values()), "partly")
    holds = ", ".join(part for part, held in parts.items() if held) or "nothing"
    claim = judged(word, f"{evidence}; holds: {holds}", len(wanted & set(total.index)), len(wanted), "lambda")
    return Verdict(claim.word, claim.evidence, *control, claim.so_far, effect=effect)


def _effect(runs: pd.DataFrame, guided: pd.DataFrame, base: pd.Series, published: pd.DataFrame) -> Effect:
    """Mean gains in accuracy over lambda. One training a lambda has no interval."""
    printed = published.set_index("lambda")["accuracy"]
    theirs = printed.drop(0.0) - printed[0.0]
    better = f"more accurate at {(theirs > 0).sum()} of {len(theirs)} lambda, by {theirs.mean():.4f} on average"
    printed_gain = Measure(better, float(theirs.mean()), unit="accuracy", architectures=1)
    gains = guided["accuracy"] - base["accuracy"]
    words = f"on {_where(base)}: at {(gains > 0).sum()} of {len(gains)}, by {gains.mean():.3f} on average"
    about: dict[str, Any] = {"unit": "accuracy", "architectures": 1}
    ours = Measure(words, float(gains.mean()), n=len(gains), counted="lambda", runs=1 + len(gains), **about)
    seeds = runs[runs["lambda"] == 0]["accuracy"]
    after = None
    if len(seeds) > 1:
        apart = float(seeds.max() - seeds.min())
        words = f"{len(seeds)} unguided runs of other seeds differ by up to {apart:.3f}"
        about |= {"unit": "accuracy between seeds"}
        after = Measure(words, apart, n=len(seeds), counted="seeds", runs=len(seeds), **about)
    return Effect(printed_gain, ours, after)


def _control(runs: pd.DataFrame, guided: pd.DataFrame, base: pd.Series, wanted: Set[float]) -> tuple[str, str]:
    seeds = runs[runs["lambda"] == 0]["accuracy"]
    watched = _by_lambda(of_protocol(runs, PLACEMENT, "base")).drop(0.0)
    said, held = [], []
    if len(seeds) > 1:
        gain, noise = (guided["accuracy"] - base["accuracy"]).mean(), seeds.max() - seeds.min()
        said.append(f"mean accuracy gain {gain:.3f}; {len(seeds)} unguided seeds differ by up to {noise:.3f}")
        held.append(gain > noise)
    if len(watched):
        better = int((watched["accuracy"] > base["accuracy"]).sum())
        fewest = (watched["stopping_epoch"] / base["stopping_epoch"]).min()
        said.append(
            f"with early stopping on the MSE accuracy is better at {better} of {len(watched)} lambda, fewest epochs "
            f"{fewest:.0%} of the unguided run's"
        )
        held.append(better == len(watched) and fewest <= FEWER_EPOCHS)
    evidence = "; ".join(said)
    if len(seeds) < 2 or not wanted - {0.0} <= set(guided.index) & set(watched.index) or not _enough(base):
        return "not tested", evidence
    return ("survives" if all(held) else "does not survive"), evidence


def _enough(run: pd.Series) -> bool:
    return bool(run["train_images"] >= IMAGES[0] and run["validation_images"] >= IMAGES[1])


def _where(run: pd.Series) -> str:
    return f"{run['train_images']:.0f} + {run['validation_images']:.0f} images"


def _by_lambda(runs: pd.DataFrame) -> pd.DataFrame:
    return runs.set_index("lambda").sort_index()
