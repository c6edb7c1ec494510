"""Effects on one axis: which of a claim's numbers can stand beside one another, and where."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from replication.core.verdict import PLAIN

Measure = Mapping[str, Any]  # as claims.json has it
KINDS = {"published": "published", "ours": "ours", "after_control": "after the control"}
EDGES = (-1.0, 2.0)  # of the axis of shares; what lies outside is drawn at the edge, with its number


@dataclass(frozen=True)
class Mark:
    """A number on an axis, in percent of its width."""

    kind: str  # a key of KINDS
    at: float
    low: float  # ends of the interval, `at` where there is none
    high: float
    outside: bool  # at the edge, though the number lies beyond it

    @property
    def width(self) -> float:
        return self.high - self.low


@dataclass(frozen=True)
class Row:
    """One claim on the axis of shares of its published effect."""

    claim: Mapping[str, Any]
    marks: dict[str, Mark]
    shares: dict[str, float]

    def ends(self, kind: str) -> tuple[float, float] | None:
        """The interval, as shares, where there is one."""
        found = interval(self.claim[kind])
        published = self.claim["published"]["value"]
        return None if found is None else (found[0] / published, found[1] / published)

    @property
    def said(self) -> str:
        """What the row shows, for who cannot see it."""
        found = [f"{KINDS[kind]} {share:.2f} of the published effect" for kind, share in self.shares.items()]
        return f"{self.claim['id']}, {self.claim['title']}: {'; '.join(found)}"


def forest(claims: Iterable[Mapping[str, Any]]) -> list[Row]:
    """The claims of which the paper prints an effect and we have one, as shares of the former."""
    rows = []
    for claim in claims:
        published = claim["published"]
        alike = {kind: claim[kind] for kind in ("ours", "after_control") if comparable(claim[kind], published)}
        if claim["verdict"] not in PLAIN or "ours" not in alike or not published["value"]:
            continue  # stand-in data have no part in what the paper published
        marks = {kind: _share(kind, measure, published["value"]) for kind, measure in alike.items()}
        shares = {kind: measure["value"] / published["value"] for kind, measure in alike.items()}
        rows.append(Row(claim, marks, shares))
    return rows


def comparable(measure: Measure | None, with_: Measure | None) -> bool:
    """Whether two numbers are there, in one unit."""
    if not measure or not with_:
        return False
    return measure["value"] is not None and with_["value"] is not None and measure["unit"] == with_["unit"]


def share_axis(share: float) -> float:
    """Where a share stands, in percent of the axis."""
    low, high = EDGES
    return 100 * (min(max(share, low), high) - low) / (high - low)


def _share(kind: str, measure: Measure, published: float) -> Mark:
    value = measure["value"] / published
    ends = [end / published for end in interval(measure) or (measure["value"],) * 2]
    low, high = sorted(map(share_axis, ends))
    return Mark(kind, share_axis(value), low, high, outside=not EDGES[0] <= value <= EDGES[1])


def interval(measure: Measure) -> tuple[float, float] | None:
    """The ends of a number's interval, where it has one."""
    return None if measure["low"] is None or measure["high"] is None else (measure["low"], measure["high"])


@dataclass(frozen=True)
class Chart:
    """The numbers of one claim on an axis of its own."""

    unit: str
    marks: list[Mark]
    texts: dict[str, str]  # the number at each mark
    zero: float | None  # where it stands, if the axis has it
    said: str


def chart(claim: Mapping[str, Any]) -> Chart | None:
    """The published effect, ours and the one after the control, those in the unit of ours; None for fewer than two."""
    ours = claim["ours"]
    found = {kind: claim[kind] for kind in KINDS if comparable(claim[kind], ours)}
    if len(found) < 2:
        return None
    numbers = [0.0] + [n for m in found.values() for n in (m["value"], *(interval(m) or ()))]
    low, high = min(numbers), max(numbers)
    if low == high:
        return None
    room = 0.06 * (high - low)

    def place(number: float) -> float:
        return 100 * (number - low + room) / (high - low + 2 * room)

    marks = []
    for kind, measure in found.items():
        ends = interval(measure) or (measure["value"], measure["value"])
        marks.append(Mark(kind, place(measure["value"]), place(ends[0]), place(ends[1]), outside=False))
    texts = {kind: short(measure["value"], found.values()) for kind, measure in found.items()}
    said = "; ".join(f"{KINDS[kind]} {text}" for kind, text in texts.items())
    return Chart(ours["unit"], marks, texts, place(0.0), f"{said} ({ours['unit']})")


def short(value: float, among: Iterable[Measure]) -> str:
    """A number with as many digits as the smallest of its kind that is not zero needs for two."""
    sizes = [abs(measure["value"]) for measure in among if measure["value"]]
    digits = next((d for d in range(7) if round(min(sizes), d) >= 10 ** (1 - d)), 6) if sizes else 0
    return f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}") if round(value, digits) else "0"


def said_number(measure: Measure) -> str:
    """Value and interval in words."""
    value = "" if measure["value"] is None else f"{short(measure['value'], [measure])} {measure['unit']}, "
    return value + said_interval(measure)


def said_interval(measure: Measure) -> str:
    """The interval in words, with two digits of its width."""
    ends = interval(measure)
    count = f"n = {measure['n']} {measure['counted']}".strip() if measure["n"] else ""
    if ends is None:
        return f"interval not available{f'; {count}' if count else ''}"
    if ends[0] == ends[1]:
        return f"no spread at all{f', {count}' if count else ''}"
    digits = max(0, 1 - math.floor(math.log10(abs(ends[1] - ends[0]))))
    low, high = (f"{end:.{digits}f}".replace("-", "\N{MINUS SIGN}") for end in ends)
    return f"95 % interval {low} to {high}{f', {count}' if count else ''}"
