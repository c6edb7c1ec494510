"""Made-up records of the rivals, for the tests of their rules and of the report."""

import zlib
from pathlib import Path

import numpy as np
from scipy import stats

from replication.core.runs import make_record
from replication.core.settings import load
from replication.rivals import grid
from replication.rivals.record import PER_NAT, RULES
from replication.rivals.settings import read
from replication.rivals.statistics import frames

ROOT = Path(__file__).parents[2]
CIFAR10, MNIST = "rivals-cifar10", "rivals-mnist"
QUANTILES = stats.norm.ppf((np.arange(10) + 0.5) / 10)
BASE = {"accuracy": 0.63, "nll": 1.1, "ece": 0.08, "entropy": 0.9}


def paper(family=CIFAR10):
    """Settings of the paper scale."""
    return read(load("paper", ROOT / "params.yaml"), family)


def noise(run):
    """Ten replicates of a cell have ten fixed values of mean 0 and deviation 1, in an order of the cell's own."""
    cell = repr([run[name] for name in ("form", "lambda", "blocks", "width")])
    order = np.random.default_rng(zlib.crc32(cell.encode())).permutation(10)
    return (QUANTILES / QUANTILES.std(ddof=1))[order[run["replicate"]]]


def made(settings, effect=lambda _: {}, sd=0.001, replicates=range(10)):
    """A record for each run of the grid: BASE, what `effect` adds, and noise; accuracy rises along training."""
    return [record(run, effect(run), sd) for run in grid.grid(settings) if run["replicate"] in replicates]


def record(run, added, sd=0.001):
    """One record.

    Args:
        added: to BASE, by name; `epochs`: how many later than in the 7th the accuracy of 0.62 is reached; others change
            what is measured, or replace a metric or the mean of a history.
    """
    value = {name: BASE[name] + added.get(name, 0.0) + sd * noise(run) for name in BASE}
    reached = int(7 + added.get("epochs", 0))
    accuracy = [min(0.62, 0.62 - 0.05 * (reached - epoch)) for epoch in range(1, run["epochs"])] + [value["accuracy"]]
    entropy = added.get("course", lambda epoch: 2.3 - 0.09 * epoch)
    history = {
        "validation_accuracy": accuracy,
        "validation_loss": [value["nll"]] * run["epochs"],
        "validation_entropy": [entropy(epoch) for epoch in range(1, run["epochs"] + 1)],
        "validation_ece": [value["ece"]] * run["epochs"],
    }
    if run["form"].startswith("feedback") or run["form"] == "shrink":
        history |= {"lost": [0.3] * run["epochs"]}
    if run["form"].startswith("feedback"):
        history |= {"significant": [added.get("significant", 0.02)] * run["epochs"]}
    metrics = {
        "validation_accuracy": value["accuracy"],
        "validation_loss": value["nll"],
        "validation_ece": value["ece"],
        "validation_brier": 0.5,
        "validation_entropy": value["entropy"],
        "train_seconds": 60.0,
        "accuracy_on_training_images": value["accuracy"] + added.get("on_training_images", 0.1),
        "temperature": 1.2,
        "held_loss": value["nll"],
        "held_ece": 0.08,
        "scaled_loss": value["nll"] + added.get("scaled", -0.05),
        "scaled_ece": 0.02,
    }
    if run["form"] == "bottleneck":
        metrics |= {"kl": added.get("kl", 0.01 / run["lambda"] + run["replicate"] / 100)}
    return make_record(run, metrics, history, 70, {"device": "d", "torch": "t"}) | {"measured": measured(run, added)}


def measured(run, added):
    kept = {
        "reliability": {"lower": [0.2, 0.8], "images": [30, 70], "confidence": [0.25, 0.9], "accuracy": [0.3, 0.8]},
        "layers": layers(run, added),
    }
    if run["blocks"] == 3:
        errors = added.get("errors", lambda _: (2.0, 1.0))
        rows = [(epoch, rule, *errors(epoch)) for epoch in (0, 1, 15) for rule in RULES]
        places = {"epoch": 0, "width": 1, "near": 2, "far": 3}
        kept["errors"] = {name: [row[k] for row in rows] for name, k in places.items()} | {
            "split": ["validation"] * len(rows)
        }
    if run["form"] == "none":
        kept["predictions"] = predictions(run)
        redundancy = added.get("redundancy", lambda epoch: 0.5 + run["width"] / 100 + 0.2 * (epoch > 0))
        rows = [(epoch, rule) for epoch in (0, 15) for rule in RULES]
        kept["maps"] = {
            "epoch": [epoch for epoch, _ in rows],
            "width": [rule for _, rule in rows],
            "split": ["validation"] * len(rows),
            "layer": ["block1"] * len(rows),
            "entropy": [added.get("saturation", {}).get(rule, 6.0) for _, rule in rows],
            "redundancy_minus_synergy": [redundancy(epoch) + 0.001 * run["replicate"] for epoch, _ in rows],
            "unique_plus_synergy": [0.1] * len(rows),
        }
    return kept


def layers(run, added):
    """Information falls by a bit from layer to layer, but for what is added to the last."""
    names = [f"block{k}" for k in range(1, run["blocks"] + 1)] + ["logits"]
    rows = []
    for epoch in (0, 1, 15):
        for rule in RULES:
            bits = [float(5 - k) for k in range(len(names))]
            bits[-1] += added.get("rise", lambda *_: 0.0)(epoch, rule)
            rows += [(epoch, rule, name, b) for name, b in zip(names, bits, strict=True)]
            if rule == "power":
                rows.append((epoch, rule, f"{names[-2]} x 10", bits[-2] + added.get("scaled_bits", 0.0)))
    columns = {name: [row[k] for row in rows] for k, name in enumerate(("epoch", "width", "layer", "about_input"))}
    count = len(rows)
    return columns | {
        "split": ["validation"] * count,
        "entropy": [6.0] * count,
        "about_labels": columns["about_input"],
    }


def predictions(run):
    """Of 50 images the member is sure of its own class of two, and the label is the first."""
    q = np.full((50, 10), 0.01)
    q[:, 0], q[:, 1] = (0.7, 0.22) if run["replicate"] % 2 else (0.22, 0.7)
    return {"nats": (-np.log(q) * PER_NAT).round().astype(int).tolist(), "labels": [0] * 50}


def runs_of(settings, records):
    """The table of runs."""
    return frames.frame(frames.by_arm(grid.arms(settings), records))
