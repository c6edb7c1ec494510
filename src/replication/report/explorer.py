"""The run explorer: one page with every finished run of a scale, its curves, and the unguided run of the same seed."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

from markupsafe import Markup
from scipy.special import stdtrit  # scipy.stats, which has it too, takes most of a second to import

from replication.core import strict_json
from replication.core.family import Family, Part, calibration_name
from replication.core.run import PAIRED_SETTINGS
from replication.core.runs import CLOCKS, Record

# An unguided run says these, too: a guided run is compared with the unguided one that was trained alike.
TRAINED_ALIKE = {"precision", "patience", "min_delta", "max_epochs", "epochs", "adam"}
GUIDED = PAIRED_SETTINGS - TRAINED_ALIKE
CONTROLS = {"rate_factor", "weight_factor", "bottleneck_width"}  # runs with lambda 0 that are no baseline
NETWORK = ("blocks", "width", "widths")
AXES = {"dataset", "lambda", "replicate", *NETWORK}  # what the page filters by, beside the variant
UNSAID = (None, "none", 0.0)  # a form without epsilon, a network without an anchor
FIRST = ("validation_mse", "validation_accuracy", "accuracy")  # what the page shows at first, of curves
FIRST_NUMBER = ("stopping_epoch", *FIRST)  # and of numbers
MOST_PAIRS = 200  # for which the page knows the quantiles of t
DIGITS = ".6g"

WORDS: Mapping[str, Mapping[str, str]] = {
    "form": {
        "none": "unguided",
        "reciprocal": "modified form",
        "log": "log form",
        "exact": "exact form",
        "scale": "scale form",
        "decay": "weight decay",
        "penalty": "confidence penalty",
        "smoothing": "label smoothing",
    },
    "monitor": {
        "total": "error plus penalty watched",
        "base": "error alone watched",
        "keras": "Keras's mean of error plus penalty watched",
    },
    "adam": {"keras": "Keras's epsilon of Adam"},
    "inputs": {"most-variable": "the most variable inputs"},
}


@dataclass(frozen=True)
class Group:
    """The runs of one table, in the order of network, lambda, variant and seed."""

    name: str
    records: Sequence[Record]

    @cached_property
    def varied(self) -> list[str]:
        """Settings that tell the runs apart, in the order in which records have them."""
        names = dict.fromkeys(name for record in self.records for name in record["run"])
        return [name for name in names if len({record["run"].get(name) for record in self.records}) > 1]

    @cached_property
    def shared(self) -> dict[str, Any]:
        """Settings that all runs have in common."""
        return {name: value for name, value in self.records[0]["run"].items() if name not in self.varied}

    @cached_property
    def telling(self) -> list[str]:
        """Settings that make a variant."""
        return [name for name in self.varied if name not in AXES]

    @cached_property
    def usual(self) -> dict[bool, dict[str, Any]]:
        """What over half of the guided runs (True) say of the settings that all have, and over half of the unguided."""
        runs = [record["run"] for record in self.records]
        names = [name for name in self.telling if all(name in run for run in runs)]
        found: dict[bool, dict[str, Any]] = {}
        for guided in (True, False):
            alike = [run for run in runs if (run["lambda"] != 0) == guided]
            commonest = {name: Counter(run[name] for run in alike).most_common(1)[0] for name in names if alike}
            found[guided] = {name: value for name, (value, number) in commonest.items() if 2 * number > len(alike)}
        return found

    def variant(self, run: Mapping[str, Any]) -> str:
        """A run's variant in words: what is not as usual."""
        usual = self.usual[run["lambda"] != 0]
        said = [
            words(name, run[name])
            for name in self.telling
            if name != "form" and run.get(name) not in UNSAID and run[name] != usual.get(name)
        ]
        form = words("form", run["form"]) if "form" in run else "guided" if run["lambda"] else "unguided"
        return ", ".join([form, *said])

    @property
    def about(self) -> str:
        """What the names of variants leave unsaid."""
        usual = self.usual[True] or self.usual[False]
        told = [words(name, value) for name, value in usual.items() if name != "form" and value not in UNSAID]
        always = [words(name, value) for name, value in self.shared.items() if value not in UNSAID]
        first = f"Unless a variant says otherwise: {', '.join(told)}. " if told else ""
        return f"{first}All of these runs: {', '.join(always)}."

    def unguided(self) -> list[int | None]:
        """For each run, the place of the unguided run of the same seed that was trained alike; None if there is none.

        An unguided run has none either: the page compares with it.
        """
        plain = {_identity(record): place for place, record in enumerate(self.records) if _is_plain(record)}
        return [None if _is_plain(record) else plain.get(_identity(record)) for record in self.records]


def groups(parts: Sequence[Part], names: Sequence[str]) -> Iterator[Group]:
    """The tables that have runs, in the order of the families' names: each family's, then that of its calibration."""
    families = [part for part in parts if isinstance(part, Family) and part.settings is not None]
    for family in sorted(families, key=lambda family: names.index(family.name)):
        tables = {family.name: family.records, calibration_name(family.name): family.calibration_records}
        yield from (Group(name, sorted(records, key=_order)) for name, records in tables.items() if records)


def words(name: str, value: Any) -> str:
    """One setting in words."""
    said = f"{value:g}" if isinstance(value, int | float) else str(value)
    if name in ("precision", "dataset"):
        return said
    if name == "form":
        return WORDS[name].get(said) or said.replace("-", " ")
    return WORDS.get(name, {}).get(said) or f"{name.replace('_', ' ')} {said}"


def network(run: Mapping[str, Any]) -> str:
    """Which network a run trains, in words."""
    if "blocks" in run:
        return f"{run['blocks']} block{'s' if run['blocks'] > 1 else ''} of width {run['width']}"
    return next((f"{name} {run[name]}" for name in NETWORK if name in run), "network")


def content(found: Sequence[Group]) -> Markup:
    """Everything the page shows, as JSON that may stand within a script: a line a run, for git's sake."""
    quantiles = [round(float(value), 3) for value in stdtrit(range(1, MOST_PAIRS), 0.975)]
    families = ",\n".join(_group(group) for group in found)
    return Markup(f'{{"t": {_json(quantiles)}, "families": [\n{families}\n]}}')


def _group(group: Group) -> str:
    """A table: names once, then each run as a list."""
    metrics = _names(group, "metrics", FIRST_NUMBER)
    histories = _names(group, "history", FIRST)
    variants = [group.variant(record["run"]) for record in group.records]
    unique = [name for name, _ in Counter(variants).most_common()]
    lines = [
        _row(record, network(record["run"]), unique.index(variant), place, (group.varied, metrics, histories))
        for record, variant, place in zip(group.records, variants, group.unguided(), strict=True)
    ]
    head = {
        "name": group.name,
        "about": group.about,
        "shared": group.shared,
        "varied": group.varied,
        "variants": unique,
        "metrics": metrics,
        "histories": histories,
        "networks": [name for name, _ in groupby(network(record["run"]) for record in group.records)],
    }
    runs = ",\n".join(lines)
    return f'{_json(head)[:-1]},"runs":[\n{runs}\n]}}'


def _row(record: Record, of: str, variant: int, unguided: int | None, names: tuple[list[str], ...]) -> str:
    """A run. Args: names, of settings, metrics and histories."""
    settings, metrics, histories = names
    parts = [
        _json(record["key"]),
        _json(of),
        f"{variant}",
        _number(record["run"]["lambda"]),
        _json(unguided),
        _number(record["seconds"]),
        _json([record["run"].get(name) for name in settings]),
        _numbers(record["metrics"].get(name) for name in metrics),
        f"[{','.join(_numbers(record['history'].get(name, [])) for name in histories)}]",
    ]
    return f"[{','.join(parts)}]"


def _names(group: Group, part: str, first: Sequence[str]) -> list[str]:
    """Names of metrics or histories, those to be shown at first in front."""
    names = dict.fromkeys(name for record in group.records for name in record[part] if name not in CLOCKS)
    return sorted(names, key=lambda name: first.index(name) if name in first else len(first))


def _numbers(values: Any) -> str:
    return f"[{','.join(map(_number, values))}]"


def _number(value: float | None) -> str:
    """With six digits; null where there is none, or none that is finite."""
    text = "null" if value is None else f"{value:{DIGITS}}"
    return "null" if text in ("nan", "inf", "-inf") else text


def _json(value: Any) -> str:
    """JSON that no text within it can end the script of."""
    return strict_json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


def _order(record: Record) -> tuple[Any, ...]:
    run = record["run"]
    size = [run.get(name, 0) for name in NETWORK[:2]]
    return (
        *size,
        str(run.get("widths", "")),
        run["lambda"],
        str(run.get("form")),
        run.get("replicate", 0),
        record["key"],
    )


def _identity(record: Record) -> frozenset[tuple[str, Any]]:
    """What a run shares with its unguided run. The watched sum is left out: without a penalty it is the error."""
    return frozenset((name, value) for name, value in record["run"].items() if name not in GUIDED)


def _is_plain(record: Record) -> bool:
    run = record["run"]
    return run["lambda"] == 0 and run.get("form", "none") == "none" and not CONTROLS & run.keys()
