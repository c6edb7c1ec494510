"""The board: the verdict on every claim of the paper and on every hypothesis, from the findings of all parts.

It is written as claims.json, whose fields docs/claims.md explains, and in short as metrics.json, for DVC. A copy under
data/verdicts is that of the present settings, whichever the pages are of: the pipeline depends on it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from replication.core import crew, paths, published, results, strict_json
from replication.core.errors import UserError
from replication.core.family import Family, Part, Room, compute, findings_of, parts_of, room, room_names
from replication.core.files import reading, write_text
from replication.core.findings import Findings, file_of
from replication.core.missing import coverage
from replication.core.settings import Parameters
from replication.core.verdict import PLAIN, Hypothesis, Measure, Verdict

VERSION = 1  # of claims.json: raised when a field changes its meaning or goes
STAND_IN = "stand-in data, not comparable"
NOT_TESTED = Verdict("not tested", "no runs yet", "not tested", "")
UNDECIDED = f"not tested ({STAND_IN})"
TOLD = ("family", "verdict", "evidence", "control", "control_evidence", "n")  # of a hypothesis, by a family's runs


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
            claim: replace(verdict, verdict=UNDECIDED, control="not tested", so_far="", control_so_far="")
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
    rooms = {name: parts_of(parameters, name) for name in room_names(parameters)}
    missing = [part for parts in rooms.values() for part in parts if not file_of(part.scale, part.name).exists()]
    with crew.all_cores():
        for part in reversed(missing):  # the longest come last
            crew.do(partial(compute, part.scale, part.name))
    found = []
    for name, parts in rooms.items():
        found.append(Exhibit(room(name), parts, {part.name: findings_of(part) for part in parts}))
    return sorted(found, key=lambda exhibit: exhibit.room.order)


def write(parameters: Parameters, shown: list[Exhibit], folder: Path | None = None) -> Path:
    """Write claims.json beside the pages in `folder`, reports/<scale> or the one that is given, and metrics.json.

    metrics.json is always that of the present settings. The folder is returned.
    """
    folder = folder or paths.reports(parameters.scale)
    claims = _claims(shown)
    board = {
        "version": VERSION,
        "scale": parameters.scale,
        "coverage": {name: published.coverage()[name] for name in ("rule", "written", "amended")},
        "claims": claims,
        "hypotheses": sorted(_hypotheses(shown), key=_place),
        "runs": [asdict(coverage(part)) for one in shown for part in one.parts if isinstance(part, Family)],
    }
    for path in (folder / "claims.json", paths.verdicts(parameters.scale)):
        write_text(path, _json(board))
    write_text(paths.reports(parameters.scale) / "metrics.json", _json(results.of(claims)))
    return folder


def read(scale: str, folder: Path | None = None) -> dict[str, Any]:
    """claims.json as `write` left it in reports/<scale>, or in another folder."""
    path = (folder or paths.reports(scale)) / "claims.json"
    with reading(path, "`python -m replication verdicts` makes it anew"):
        board: dict[str, Any] = json.loads(path.read_text())  # a null is None: not amended
        if board["version"] != VERSION:
            raise ValueError(f"it has version {board['version']}, and this code reads {VERSION}")
    return board


def _claims(shown: list[Exhibit]) -> list[dict[str, Any]]:
    """claims.yaml with the verdicts and their numbers."""
    given: dict[str, Verdict] = {}
    for exhibit in shown:
        for claim, verdict in exhibit.verdicts().items():
            if claim in given:
                raise UserError(f"two rooms decide claim {claim}, one of them {exhibit.room.title}: leave it to one")
            given[claim] = verdict
    return [_claim(entry, given.get(entry["id"], NOT_TESTED)) for entry in published.claims()]


def _claim(entry: Mapping[str, Any], found: Verdict) -> dict[str, Any]:
    written = {"rule": None, "amended": None, "figure": None} | dict(entry)
    sentences, printed = written.pop("in_words"), written.pop("published")
    told = asdict(found)
    effect = told.pop("effect")
    tested = found.verdict in PLAIN
    plain = found.in_plain_words if tested else STAND_IN
    effect["published"] = effect["published"] or asdict(msgspec.convert(printed, Measure))
    sentence = sentences.get(found.verdict) or f"{plain[0].upper()}{plain[1:]}."
    return written | told | effect | {"sentence": sentence, "in_plain_words": plain}


def _hypotheses(shown: list[Exhibit]) -> Iterator[dict[str, Any]]:
    """hypotheses.yaml with the verdicts, one entry a data set."""
    written = {entry["id"]: entry for entry in published.read("hypotheses")}
    for exhibit in shown:
        for one in exhibit.hypotheses():
            entry: dict[str, Any] = dict.fromkeys(("rule", "amended", "figure", "table", "command")) | {
                "title": one.name
            }
            entry |= written.get(one.name, {"id": one.name})
            for name in ("figure", "table", "command"):
                entry[name] = entry[name] and entry[name].replace("FAMILY", one.family)
            told = {name: getattr(one, name) for name in TOLD}
            yield entry | told | {"published": None, "ours": one.ours and asdict(one.ours), "after_control": None}


def _place(hypothesis: Mapping[str, Any]) -> tuple[str, int, str]:
    """Ours (H) before the rivals' (R), H2 before H10; those of a number by their names, each in the families' order."""
    number = re.search(r"\d+", hypothesis["id"])
    return hypothesis["id"][0], int(number[0]) if number else 0, hypothesis["id"]


def _json(content: Any) -> str:
    return strict_json.dumps(content, indent=2) + "\n"
