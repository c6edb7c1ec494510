"""Whether records of runs agree with themselves and with one another: pure functions on records.

A check looks at records and at the files that hold them, and tells how much it has looked at and what it has found.
"""

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, NoReturn

import torch

from entropy_guidance import penalty
from replication.core import strict_json
from replication.core.made_apart import seed_of
from replication.core.provenance import NOT_RECORDED, recorded
from replication.core.records import FIRST, key_of, sealed
from replication.core.runs import CLOCKS, Record, nine_digits
from replication.training.precision import DTYPES
from replication.training.stopping import best_epoch, stopping_epoch

# Settings that say what stopping watches and when it stops, not how a step is made: runs that differ in these alone,
# twins, are the same training up to the end of the shorter one.
STOPPING = frozenset({"monitor", "patience", "min_delta", "max_epochs", "epochs"})
MONITORED = "monitored"  # name of the history of what was watched
BEST, BEST_EPOCH = "best_", "best_epoch"  # how metrics of the best epoch are named
ROUNDING = 1e-4  # relative: float32 keeps 6e-8 of a number, and over a training errors add up
WHERE = ("processor", "capability", "threads", "torch")  # of a record's environment


@dataclass(frozen=True)
class Held:
    """A record and the file that holds it."""

    file: str
    record: Record


@dataclass(frozen=True)
class Finding:
    """What is wrong with a record, or with a line that should be one."""

    file: str
    key: str
    what: str

    def __str__(self) -> str:
        return f"{self.file}  {self.key}  {self.what}"


@dataclass(frozen=True)
class Outcome:
    """What one check has looked at, for example "1,495 records", and what it has found."""

    kind: str
    looked_at: str
    findings: list[Finding]

    def __str__(self) -> str:
        return f"{self.kind}: {self.looked_at}, {_count(len(self.findings), 'finding')}"


def read(files: Mapping[str, str]) -> tuple[list[Held], Outcome]:
    """The records in some files (name -> text, a record a line), and whether all of it is JSON."""
    held, findings, lines = [], [], 0
    for file, text in files.items():
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip():
                continue
            lines += 1
            try:
                record = strict_json.loads(line)
                if not _is_record(record):
                    raise ValueError("not a run record")
            except ValueError as error:
                findings.append(Finding(file, f"line {number}", str(error)))
                continue
            held.append(Held(file, record))
            try:
                json.loads(line, parse_constant=_refuse)
            except ValueError as error:
                findings.append(Finding(file, record["key"], str(error)))
    return held, Outcome("JSON", _count(lines, "line"), findings)


def _is_record(content: Any) -> bool:
    parts = ("run", "metrics", "history", "environment")
    return (
        isinstance(content, dict)
        and content.keys() >= set(FIRST)
        and all(isinstance(content[part], dict) for part in parts)
    )


def check(held: Sequence[Held]) -> list[Outcome]:
    """Every check of records."""
    different: dict[str, Held] = {}  # a table and the store hold the same ones
    for one in held:
        different.setdefault(strict_json.dumps(one.record), one)
    once = list(different.values())
    return [keys(held), duplicates(held), histories(once), stopping(once), twins(once), orders(once)]


def keys(held: Sequence[Held]) -> Outcome:
    """A record's key is that of its settings and version, and the name of its file in the store."""
    findings = []
    for one in held:
        record, path = one.record, Path(one.file)
        if (key := key_of(record["family"], record["version"], record["run"])) != record["key"]:
            findings.append(_finding(one, f"its settings give the key {key}"))
        if path.suffix == ".json" and path.stem != record["key"]:
            findings.append(_finding(one, "its file has another name"))
    return Outcome("keys", _records(held), findings)


def digests(held: Sequence[Held], kept: Mapping[str, str]) -> Outcome:
    """A record's content has its digest: the one that it carries, or one `kept` for its key beside the tables."""
    findings, judged = [], 0
    for one in held:
        in_table = Path(one.file).suffix == ".jsonl"
        recorded_ = one.record.get("digest") or (kept.get(one.record["key"]) if in_table else None)
        judged += recorded_ is not None
        if recorded_ is not None and recorded_ != sealed(one.record)["digest"]:
            findings.append(_finding(one, "its content was changed: it has another digest than was recorded"))
    return Outcome("digests", f"{_records(held)} ({judged:,} with a digest)", findings)


def studies(found: Mapping[str, str], noted: Mapping[str, str]) -> Outcome:
    """The record of a study has the digest that was noted when it was written; both by name of file."""
    judged = found.keys() & noted.keys()
    what = "has another digest than studies.json notes: one of them was changed. Restore both, or do the study again"
    findings = [Finding(name, noted[name][:12], what) for name in sorted(judged) if found[name] != noted[name]]
    return Outcome("studies", f"{_count(len(found), 'file')} ({len(judged)} with a digest)", findings)


def duplicates(held: Sequence[Held]) -> Outcome:
    """No run is there twice, but for the same record in a table and in the store."""
    findings = []
    by_key: dict[str, Held] = {}
    by_settings: dict[Any, Held] = {}
    places: set[tuple[str, str]] = set()
    for one in held:
        record = one.record
        place = (one.file, record["key"])
        first = by_key.setdefault(record["key"], one)
        if place in places:
            findings.append(_finding(one, "is in this file more than once"))
        elif strict_json.dumps(first.record) != strict_json.dumps(record):
            what = said(differences(first.record, record))
            findings.append(_finding(one, f"is another record than in {first.file}: {what}"))
        places.add(place)
        # Python takes 1 and 1.0 for equal, a key does not
        same = by_settings.setdefault((record["family"], record["version"], frozenset(record["run"].items())), one)
        if same.record["key"] != record["key"]:
            findings.append(_finding(one, f"is the run of {same.record['key']}, with a number of another type"))
    return Outcome("duplicates", _records(held), findings)


def histories(held: Sequence[Held]) -> Outcome:
    """Metrics are what the histories say: how many epochs, the last values, the best epoch."""
    findings = [_finding(one, what) for one in held for what in _contradictions(one.record)]
    return Outcome("metrics against histories", _records(held), findings)


def _contradictions(record: Record) -> Iterator[str]:
    run, history, metrics = record["run"], record["history"], record["metrics"]
    lengths = {len(values) for values in history.values()}
    if len(lengths) != 1:
        yield f"its histories have {' and '.join(map(str, sorted(lengths))) or 'no'} epochs"
        return
    [epochs] = lengths
    if metrics.get("stopping_epoch", epochs) != epochs:
        yield f"stopping_epoch is {metrics['stopping_epoch']}, its histories have {epochs} epochs"
    if epochs > run.get("max_epochs", epochs):
        yield f"its histories have {epochs} epochs, and {run['max_epochs']} were allowed"
    if epochs != run.get("epochs", epochs):
        yield f"its histories have {epochs} epochs, and {run['epochs']} were asked for"
    for name, value in metrics.items():
        if name in history and not _same(nine_digits(value), history[name][-1]):
            yield f"{name} is {value:.9g}, its history ends with {history[name][-1]:.9g}"
    for name in _measured_at_best(record):
        epoch, value = _best(name, history[name])
        if not _same(metrics[BEST_EPOCH], epoch) or not _same(nine_digits(metrics[BEST + name]), value):
            yield (
                f"{name} is best at epoch {metrics[BEST_EPOCH]} with {metrics[BEST + name]:.9g}; by its history at "
                f"{epoch} with {value:.9g}"
            )


def stopping(held: Sequence[Held]) -> Outcome:
    """A run ended where early stopping, by what it watched, would have ended it, or at its limit of epochs."""
    ruled = [one for one in held if "patience" in one.record["run"]]
    findings, told = [], 0
    for one in ruled:
        values = watched(one.record)
        told += values is not None
        if what := _wrong_end(one.record, values):
            findings.append(_finding(one, what))
    return Outcome("early stopping", f"{_records(ruled)} (what was watched is known of {told:,})", findings)


def _wrong_end(record: Record, values: list[float] | None) -> str | None:
    run, metrics = record["run"], record["metrics"]
    epochs, stopped = len(next(iter(record["history"].values()), ())), bool(metrics.get("stopped_early"))
    due = epochs if stopped else None  # where nobody can tell, the record is believed
    if values is not None:
        due = stopping_epoch(values, run["patience"], run["min_delta"])
    if due is None and stopped:
        return f"it stopped after {epochs} epochs, and its rule goes on"
    if due is not None and due != epochs:
        return f"it ended after {epochs} epochs, and its rule stops after {due}"
    if due is not None and not stopped:
        return f"its rule stops after {due} epochs, where it ended, and it says that it was not stopped"
    if due is None and epochs != run["max_epochs"]:
        return f"it ended after {epochs} of {run['max_epochs']} epochs, and nothing stopped it"
    return None


def watched(record: Record) -> list[float] | None:
    """What stopping went by, epoch by epoch; None where the record does not hold it.

    The total of an autoencoder is recorded in its parts, base loss and entropy change, of which the penalty is a
    function in two of its forms; they are added in the training's precision, as they were.
    """
    run, history = record["run"], record["history"]
    if MONITORED in history:
        return list(history[MONITORED])
    base = [history[name] for name in _measured_at_best(record)]
    if len(base) != 1 or "monitor" not in run:
        return None
    if run["monitor"] == "base":
        return list(base[0])
    if run["monitor"] != "total" or run["form"] not in ("reciprocal", "log") or "entropy_change" not in history:
        return None
    dtype = DTYPES[run["precision"]]
    loss, change, lambda_, epsilon = (
        torch.tensor(values, dtype=dtype)
        for values in (base[0], history["entropy_change"], run["lambda"], run["epsilon"])
    )
    total: list[float] = (loss + penalty(change, lambda_, form=run["form"], epsilon=epsilon)).tolist()
    return total


def twins(held: Sequence[Held]) -> Outcome:
    """Runs that differ in nothing but what stopping watches have the same histories, up to the end of the shorter.

    Histories that agree to `ROUNDING` are counted and no finding: another processor, or another number of threads, adds
    in another order. The largest difference is told first.
    """
    groups: defaultdict[str, list[Held]] = defaultdict(list)
    for one in held:
        record = one.record
        steps = {name: value for name, value in record["run"].items() if name not in STOPPING}
        groups[key_of(record["family"], record["version"], steps)].append(one)
    pairs = [
        (one, other)
        for group in groups.values()
        for one, other in combinations(group, 2)
        if one.record["key"] != other.record["key"]  # else they are for `duplicates`
    ]
    differing = [(found, one, other) for one, other in pairs if (found := differences(one.record, other.record))]
    unlike = [three for three in differing if any(difference.relative > ROUNDING for difference in three[0])]
    rounded = len(differing) - len(unlike)
    unlike.sort(key=lambda three: -max(difference.largest for difference in three[0]))
    findings = [
        _finding(one, f"is not as its twin {other.record['key']}: {said(found)}. {made_on(one.record, other.record)}")
        for found, one, other in unlike
    ]
    looked_at = _count(len(pairs), "pair") + (f" ({rounded:,} of them equal but for rounding)" if rounded else "")
    return Outcome("twins", looked_at, findings)


def orders(held: Sequence[Held]) -> Outcome:
    """A guided run and the unguided run of its seed saw the images in one order: that of the files is the same."""
    recorded_ = [one for one in held if "order" in one.record.get("data", {})]
    unguided = {seed_of(one.record): one.record for one in recorded_ if one.record["run"]["lambda"] == 0}
    pairs = [(one, unguided.get(seed_of(one.record))) for one in recorded_ if one.record["run"]["lambda"] != 0]
    known = [(one, other) for one, other in pairs if other is not None]
    findings = [
        _finding(one, f"its data lie in another order than those of {other['key']}, the unguided run of its seed")
        for one, other in known
        if one.record["data"]["order"] != other["data"]["order"]
    ]
    return Outcome("order of the data", _count(len(known), "pair"), findings)


@dataclass(frozen=True)
class Difference:
    """Of one history in two records, up to the end of the shorter."""

    name: str
    largest: float  # absolute; infinite where one of the two is no number
    relative: float  # the largest in units of the larger of the two values
    since: int  # the first epoch, from 1, that differs

    def __str__(self) -> str:
        return f"{self.name} by up to {self.largest:.2g} since epoch {self.since}"


def differences(one: Record, other: Record) -> list[Difference]:
    """The histories that differ, in their order. What was watched is compared where both watched the same."""
    passed_over = CLOCKS | ({MONITORED} if one["run"].get("monitor") != other["run"].get("monitor") else set())
    found = []
    for name in (one["history"].keys() & other["history"].keys()) - passed_over:
        pairs = list(zip(one["history"][name], other["history"][name], strict=False))
        differing = [epoch for epoch, pair in enumerate(pairs, 1) if not _same(*pair)]
        if differing:
            apart = [(a, b) for a, b in pairs if not _same(a, b)]
            no_number = any(math.isnan(a - b) for a, b in apart)
            largest = math.inf if no_number else max(abs(a - b) for a, b in apart)
            relative = math.inf if no_number else max(abs(a - b) / max(abs(a), abs(b)) for a, b in apart)
            found.append(Difference(name, largest, relative, differing[0]))
    order = list(one["history"])
    return sorted(found, key=lambda difference: order.index(difference.name))


def made_on(one: Record, other: Record) -> str:
    """Where two records were made, for the user: one text where it is the same."""
    first, second = _where(one), _where(other)
    return f"Both: {first}" if first == second else f"The one: {first}; the other: {second}"


def _where(record: Record) -> str:
    entries = {name: recorded(record["environment"], name) for name in WHERE}
    known = [f"{name} {value}" for name, value in entries.items() if value != NOT_RECORDED]
    unknown = [name for name, value in entries.items() if value == NOT_RECORDED]
    return ", ".join(known + ([f"{', '.join(unknown)} {NOT_RECORDED}"] if unknown else []))


def said(found: Iterable[Difference]) -> str:
    """Differences, for the user."""
    return ", ".join(map(str, found)) or "the same histories"


def _measured_at_best(record: Record) -> list[str]:
    """The histories whose best value is among the metrics: validation_mse, where there is a best_validation_mse."""
    names = [name.removeprefix(BEST) for name in record["metrics"] if name.startswith(BEST) and name != BEST_EPOCH]
    return [name for name in names if name in record["history"]]


def _best(name: str, values: Sequence[float]) -> tuple[float, float]:
    """The best epoch and its value: the highest accuracy, the lowest of all else."""
    sign = -1.0 if "accuracy" in name else 1.0
    epoch, value = best_epoch([sign * value for value in values])
    return epoch, sign * value


def _same(a: float, b: float) -> bool:
    return a == b or (math.isnan(a) and math.isnan(b))


def _finding(one: Held, what: str) -> Finding:
    return Finding(one.file, one.record["key"], what)


def _records(held: Sequence[Held]) -> str:
    return _count(len(held), "record")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"it holds {constant}, which is no JSON")
