"""What the committed measurements say of the cost: they are shown as they were measured."""

from collections.abc import Mapping

from replication.core.benchmarks import measurements
from replication.core.findings import Findings
from replication.core.verdict import Verdict
from replication.cost.statistics import claims


def statistics() -> Findings:
    return Findings({name: measurements(name) for name in ("guidance", "engine")})


def verdicts(findings: Mapping[str, Findings]) -> dict[str, Verdict]:
    return {"C13": claims.c13(findings["cost"].table("guidance"))}
