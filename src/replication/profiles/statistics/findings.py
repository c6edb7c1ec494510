"""Statistics of the recorded profiles: tables, and claims C2 and C3."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pandas as pd

from replication.core import published
from replication.core.findings import Findings
from replication.core.verdict import Hypothesis, Verdict, hypotheses_of
from replication.profiles import record
from replication.profiles.settings import NETWORKS
from replication.profiles.statistics import claims, same_function


def statistics(scale: str) -> Findings:
    """Everything, from the records alone. The layers of each network are the table of its name."""
    recorded = {name: record.frame(record.read_record(record.record_path(scale, name))) for name in NETWORKS}
    recorded = {name: layers for name, layers in recorded.items() if len(layers)}
    if not recorded:
        return Findings()
    present = {name: record.own(layers) for name, layers in recorded.items()}
    everything, all_ = (pd.concat(each.values(), ignore_index=True) for each in (present, recorded))
    tables = {
        "weight-scale": claims.scale_table(everything),
        "empirical": claims.empirical_layers(everything),
        "relative": same_function.relative_table(everything),
        "transposed": same_function.transposed_table(all_),
        "same-function": same_function.table(all_),
        "means": same_function.means(all_),
    }
    if "vgg16" in present:
        vgg16 = present["vgg16"]
        tables["beside-published"] = claims.beside_published(vgg16, published.read("profiles"))
        tables["vgg16-layers"] = layer_by_layer(vgg16)
    facts: dict[str, Any] = {}
    if len(tables["same-function"]):
        ruling, measure = same_function.h7(tables["same-function"])
        facts["hypotheses"] = {"H7": ruling}
        facts["measures"] = {} if measure is None else {"H7": asdict(measure)}
    kept = {name: table for name, table in tables.items() if len(table)}
    return Findings(present | kept, metrics={name: len(layers) for name, layers in present.items()}, facts=facts)


def verdicts(findings: Mapping[str, Findings]) -> dict[str, Verdict]:
    vgg16, resnet50, unet = (findings["profiles"].table(network) for network in NETWORKS)
    return {"C2": claims.c2(vgg16), "C3": claims.c3(vgg16, resnet50, unet)}


def hypotheses(findings: Mapping[str, Findings]) -> list[Hypothesis]:
    """H7, of one trained network: no family."""
    return hypotheses_of(findings["profiles"].facts, "")


def layer_by_layer(layers: pd.DataFrame) -> pd.DataFrame:
    """One row a layer of a network; for each kind of weights its mean, the same minus log sigma, its interquartile
    range, and the share of outliers.
    """
    kinds = claims.by_weights(layers)
    table = kinds[0][1][["layer", "name", "fan_in"]].reset_index(drop=True)
    for kind, group in kinds:
        rows = group.reset_index(drop=True)
        table[kind] = rows["mean"]
        table[f"{kind} - log sigma"] = rows["residual"]
        table[f"{kind} IQR"] = rows["q3"] - rows["q1"]
        table[f"{kind} outliers"] = (rows["outliers_low"] + rows["outliers_high"]) / rows["n"]
    return table
