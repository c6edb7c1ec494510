"""The audit as findings: its record is all numbers already."""

from replication.core.findings import Findings
from replication.published_tables import audit


def statistics(scale: str) -> Findings:
    return Findings(facts=audit.read(scale))
