"""Statistics of one family of U-Nets: every table, verdict and number that the report shows of it."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from replication.coco_unet import grid
from replication.coco_unet.settings import UNetSettings
from replication.coco_unet.statistics import claims, tables
from replication.core import published
from replication.core.family import Family
from replication.core.findings import Findings
from replication.core.runs import Record
from replication.core.verdict import Verdict, from_facts


def statistics(family: Family[UNetSettings], settings: UNetSettings) -> Findings:
    """Everything, from the family's run table alone."""
    records, printed = family.records, published.table(3)
    runs = grid.frame(records)
    found = {"runs": runs}
    facts: dict[str, Any] = {"verdict": asdict(claims.c11(runs, printed))}
    baseline = claims.unguided(records)
    if baseline is not None:
        scores = claims.scores(records, baseline)
        ours = claims.of_protocol(scores, settings.grid.placement, settings.training.monitor)
        found |= {"scores": scores, "table3": tables.beside_published(ours, printed), "gains": tables.gains(scores)}
        facts |= {
            "data": sorted({record["environment"]["data"] for record in records}),
            "trivial": claims.trivial(baseline),
            "seconds_per_epoch": _seconds(records),
            "seconds_per_epoch_published": (printed["training_seconds"] / printed["epochs"]).tolist(),
        }
    return Findings(found, facts, family.metrics)


def verdicts(findings: Mapping[str, Findings]) -> dict[str, Verdict]:
    """C11 by the first family; by the first with several runs, where it has none itself."""
    families = [found for found in findings.values() if found.facts]
    if not families:
        return {}
    deciding = next((found for found in families if len(found.table("runs")) > 1), families[0])
    return {"C11": from_facts(deciding.facts["verdict"])}


def _seconds(records: list[Record]) -> list[float]:
    return [record["metrics"]["seconds_per_epoch"] for record in records]
