"""The board: the verdict on every claim of the paper and on every hypothesis, from the findings of all parts."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from replication.core import paths, published, strict_json
from replication.core.errors import UserError
from replication.core.family import Part, Room, findings_of, parts_of, room, room_names
from replication.core.files import reading, write_text
from replication.core.findings import Findings
from replication.core.settings import Parameters
from replication.core.verdict import Hypothesis, Verdict

STAND_IN = "stand-in data, not comparable"
NOT_TESTED = Verdict("not tested", "no runs yet", "not tested", "")
UNDECIDED = f"not tested ({STAND_IN})"


@dataclass(frozen=True)
class Exhibit:
    """One room with the findings of its parts, in the order of the report."""

    room: Room
    parts: list[Part]
    findings: Mapping[str, Findings]

    @property
    def stand_in(self) -> bool:
        return any(part.stand_in for part in self.parts)

    def verdicts(self) -> dict[str, Verdict]:
        """By claim. Stand-in data decide nothing."""
        given = dict(self.room.verdicts(self.findings))
        if not self.stand_in:
            return given
        return {
            claim: Verdict(UNDECIDED, verdict.evidence, "not tested", verdict.control_evidence)
            for claim, verdict in given.items()
        }

    def hypotheses(self) -> list[Hypothesis]:
        """The same for hypotheses."""
        found = self.room.hypotheses(self.findings)
        if not self.stand_in:
            return found
        return [
            replace(one, verdict=UNDECIDED, control="not tested" if one.control else "", control_evidence="")
            for one in found
        ]


def exhibits(parameters: Parameters) -> list[Exhibit]:
    """All rooms with their findings; what is missing or out of date is computed."""
    found = []
    for name in room_names(parameters):
        parts = parts_of(parameters, name)
        found.append(Exhibit(room(name), parts, {part.name: findings_of(part) for part in parts}))
    return sorted(found, key=lambda exhibit: exhibit.room.order)


def write(parameters: Parameters, shown: list[Exhibit]) -> Path:
    """Write reports/<scale>/claims.json and metrics.json; the folder."""
    folder = paths.reports(parameters.scale)
    write_text(folder / "claims.json", _json(_claims(shown)))
    metrics: dict[str, Any] = {}
    for exhibit in shown:
        metrics |= {name: found.metrics for name, found in exhibit.findings.items() if found.metrics}
    metrics["hypotheses"] = {
        f"{one.name}-{one.family}" if one.family else one.name: one.verdict
        for exhibit in shown
        for one in exhibit.hypotheses()
    }
    write_text(folder / "metrics.json", _json(metrics))
    return folder


def read_claims(scale: str) -> list[dict[str, Any]]:
    """claims.json as `write` left it."""
    path = paths.reports(scale) / "claims.json"
    with reading(path, "`python -m replication verdicts` makes it anew"):
        claims: list[dict[str, Any]] = json.loads(path.read_text())  # a null is None: not amended
    return claims


def _claims(shown: list[Exhibit]) -> list[dict[str, Any]]:
    """claims.yaml with the verdicts."""
    given: dict[str, Any] = {}
    for exhibit in shown:
        for claim, verdict in exhibit.verdicts().items():
            if claim in given:
                raise UserError(f"two rooms decide claim {claim}, one of them {exhibit.room.title}: leave it to one")
            given[claim] = asdict(verdict)
    return [
        {"rule": None, "amended": None} | claim | given.get(claim["id"], asdict(NOT_TESTED))
        for claim in published.read("claims")
    ]


def _json(content: Any) -> str:
    return strict_json.dumps(content, indent=2) + "\n"
