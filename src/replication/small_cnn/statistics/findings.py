"""Statistics of one family of small CNNs: every table, verdict and number that the report shows of it.

C7 and the hypotheses are CIFAR-10's alone; C8 is put together from the findings of both families.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace

import numpy as np
import pandas as pd

from replication.core import published
from replication.core.family import Family
from replication.core.findings import Findings
from replication.core.runs import Record, of_grid
from replication.core.verdict import Hypothesis, Verdict, from_facts, hypotheses_of
from replication.small_cnn import grid
from replication.small_cnn.geometry import anchor
from replication.small_cnn.settings import CANDIDATE, CIFAR10, MNIST, CnnSettings
from replication.small_cnn.statistics import calibration, claims, effects, placebos
from replication.small_cnn.statistics.claims import BASELINE, Choice, Part
from replication.small_cnn.statistics.placebos import CORNER, EXACT, PLACEBOS, Decisive
from replication.statistics import power
from replication.statistics.t_tests import ALPHA

BARS = 40  # of the histogram of shuffled gains
SHOWN = np.unique(np.geomspace(4, 100, 12).round().astype(int))  # replicates whose power is shown


def statistics(family: Family[CnnSettings], settings: CnnSettings) -> Findings:
    """Everything, from the family's run tables alone. Only CIFAR-10's networks stand beside published ones."""
    records, table1 = family.records, published.table(1)
    runs = {placement: _runs(records, settings, placement) for placement in grid.PLACEMENTS}
    late_runs = {placement: claims.in_place_of_last(found) for placement, found in runs.items()}
    choices, late_choices = (
        {placement: claims.choices(found) for placement, found in outcome.items()} for outcome in (runs, late_runs)
    )
    counting, late_counting = (
        {placement: claims.counting(found, settings, table1) for placement, found in outcome.items()}
        for outcome in (choices, late_choices)
    )
    with_weaker = runs | {"first": _with_weaker(records, settings, runs["first"])}
    beside = {"first": table1} if family.name == CIFAR10 else {}
    tables = {
        **{f"table1-{name}": claims.table1(r, beside.get(name, table1.iloc[:0])) for name, r in runs.items()},
        **{f"gains-{name}": claims.gain_curves(r) for name, r in with_weaker.items()},
        "c8-tests": claims.c8_tests(counting),
        "c8-tests-late": claims.c8_tests(late_counting),
    }
    facts = {"started": {placement: bool(found) for placement, found in choices.items()}}
    if family.name != CIFAR10:
        return Findings(tables, facts, family.metrics)
    tables |= _baselines(family, settings, table1) | _of_choice(choices["first"]) | _of_placebos(records, settings)
    c7, hypotheses = _judged(records, settings, with_weaker["first"], counting["first"], claims.ACCURACY)
    late_first = claims.in_place_of_last(with_weaker["first"])
    late_c7, late_hypotheses = _judged(records, settings, late_first, late_counting["first"], grid.LATE)
    c7 = replace(c7, effect=effects.c7(counting["first"], table1))
    weaker = sorted({run["lambda"] for run in grid.weaker(settings)})
    measures = effects.of_hypotheses(tables["placebos"], tables["gains-first"], weaker, counting["first"])
    own = {
        "verdicts": {"C7": asdict(c7)},
        "measures": {name: asdict(found) for name, found in measures.items() if found},
        "hypotheses": hypotheses,
        "late": {"C7": asdict(late_c7), "hypotheses": late_hypotheses},
        "choice": _most_replicated(choices["first"]),
        "random_positions": _random_positions(records, settings),
    }
    return Findings(tables, facts | own, family.metrics)


def _judged(
    records: list[Record], settings: CnnSettings, first: pd.DataFrame, counting: list[Choice], value: str
) -> tuple[Verdict, dict[str, tuple[str, str]]]:
    """C7, and the hypotheses with their evidence, by one outcome.

    Args:
        first: runs of the first layer, weaker guidance among them, with the outcome in the accuracy's place.
        counting: architectures that count, by this outcome.
        value: its name.
    """
    table1 = published.table(1)
    smallest_gain = float(table1["delta_validation_accuracy"].min())
    positions = Decisive.of(records, settings, [CORNER, *PLACEBOS], value)
    weaker = {run["lambda"] for run in grid.weaker(settings)}
    hypotheses = {
        "H2": placebos.h2(positions, smallest_gain),
        "H3": claims.h3(counting, table1),
        "H4-cnn": placebos.h4(Decisive.of(records, settings, [EXACT], value), smallest_gain),
        "H6": claims.h6(first, weaker, smallest_gain),
        "H15": placebos.h15(records, settings, smallest_gain, value),
    }
    better = placebos.corner_better(positions)
    rows = claims.table1(first[~first["lambda"].isin(weaker)], table1)
    return claims.c7(rows, counting, table1, hypotheses["H2"][0], corner_better=better), hypotheses


def verdicts(findings: Mapping[str, Findings]) -> dict[str, Verdict]:
    """C7 from CIFAR-10, and C8 from both families."""
    cifar10, mnist = (findings.get(name, Findings()) for name in (CIFAR10, MNIST))
    c7 = {claim: from_facts(verdict) for claim, verdict in cifar10.facts.get("verdicts", {}).items()}
    c8 = _c8(cifar10, mnist, "c8-tests")
    by_placement = {placement: mnist.table(f"gains-{placement}") for placement in grid.PLACEMENTS}
    return c7 | {"C8": replace(c8, effect=effects.c8(cifar10.table("gains-all"), by_placement))}


def by_late_epochs(findings: Mapping[str, Findings]) -> pd.DataFrame:
    """What each rule gives with the mean of the last five epochs: columns rule, last, late and evidence (of late).

    Empty before the first guided runs of Table 1.
    """
    cifar10, mnist = (findings.get(name, Findings()) for name in (CIFAR10, MNIST))
    late = cifar10.facts.get("late")
    if not late or late["C7"]["verdict"] == "not tested":
        return pd.DataFrame()
    given = verdicts(findings)
    rows = [
        (name, verdict.so_far or verdict.verdict, other.so_far or other.verdict, other.evidence)
        for name, verdict, other in (
            ("C7", given["C7"], from_facts(late["C7"])),
            ("C8", given["C8"], _c8(cifar10, mnist, "c8-tests-late")),
        )
    ]
    last = cifar10.facts["hypotheses"]
    rows += [(name, last[name][0], verdict, evidence) for name, (verdict, evidence) in late["hypotheses"].items()]
    return pd.DataFrame(rows, columns=["rule", "last", "late", "evidence"])


def _c8(cifar10: Findings, mnist: Findings, tests: str) -> Verdict:
    parts = _part(cifar10, tests, "all"), _part(mnist, tests, *grid.PLACEMENTS)
    return claims.c8(*parts, published.table(1))


def decided(findings: Mapping[str, Findings]) -> list[Hypothesis]:
    """H2, H3, H4-cnn, H6 and H15: of CIFAR-10 alone, so that they name no family."""
    return hypotheses_of(findings.get(CIFAR10, Findings()).facts, "")


def _runs(records: Iterable[Record], settings: CnnSettings, placement: str) -> pd.DataFrame:
    """Runs of the paper's grid, with the unguided ones; for all layers without networks of one block."""
    runs = grid.frame(of_grid(records, grid.paper_grid(settings, placement)))
    return runs[runs["blocks"] > 1] if placement == "all" else runs


def _with_weaker(records: list[Record], settings: CnnSettings, first: pd.DataFrame) -> pd.DataFrame:
    """The runs of the first layer, and those with weaker guidance than the paper's."""
    weaker = of_grid(records, grid.weaker(settings))
    return pd.concat([first, grid.frame(weaker)], ignore_index=True) if weaker else first


def _part(found: Findings, table: str, *placements: str) -> Part:
    """What C8 asks of one data set, at some placements; `table` holds its tests by one outcome."""
    tests, started = found.table(table), found.facts.get("started", {})
    if len(tests):
        tests = tests[tests["placement"].isin(placements)]
    blocks = published.table(1)["blocks"]  # in a network of one block all layers are the first
    planned = sum(int((blocks > (placement == "all")).sum()) for placement in placements)
    return Part(any(started.get(placement) for placement in placements), tests, planned)


def _baselines(family: Family[CnnSettings], settings: CnnSettings, table1: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Unguided runs beside the published baselines: those in use, and the candidates."""
    unguided = [record for record in family.records if record["run"]["lambda"] == BASELINE]
    in_use = calibration.baseline_table(unguided, [settings.grid.epochs], table1)
    return {
        "baselines": in_use.drop(columns=[*CANDIDATE, "epochs"], errors="ignore"),
        "calibration": calibration.beside_published(settings, family.calibration_records),
    }


def _of_choice(found: list[Choice]) -> dict[str, pd.DataFrame]:
    """H3: every architecture; of the one with most replicates the shuffled gains, and what replicates can show."""
    if not found:
        return {}
    most = _most(found)
    density, edges = np.histogram(most.shuffled.gains, BARS, density=True)
    level = ALPHA / most.lambdas
    detectable = {
        "printed": [power.detectable_gain(most.sd, int(n), ALPHA) for n in SHOWN],
        "corrected": [power.detectable_gain(most.sd, int(n), level) for n in SHOWN],
        "paired": [power.detectable_gain(most.paired_sd, int(n), level, paired=True) for n in SHOWN],
    }
    return {
        "choice": claims.choice_table(found),
        "shuffled": pd.DataFrame({"low": edges[:-1], "high": edges[1:], "density": density}),
        "power": pd.DataFrame({"n": SHOWN, **detectable}),
    }


def _most_replicated(found: list[Choice]) -> dict[str, float]:
    """The numbers of the figure on H3."""
    if not found:
        return {}
    most = _most(found)
    blocks, width = most.architecture
    return {
        "blocks": blocks,
        "width": width,
        "n": most.n,
        "lambdas": most.lambdas,
        "observed": most.shuffled.observed,
        "expected": most.shuffled.expected,
        "p_shuffled": most.shuffled.p,
        "by_choice_alone": most.by_choice_alone,
        "on_half": most.split.gain,
        "sd": most.sd,
        "paired_sd": most.paired_sd,
    }


def _most(found: list[Choice]) -> Choice:
    """The architecture with most of the first ten replicates."""
    return max(found, key=lambda choice: choice.n)


def _of_placebos(records: list[Record], settings: CnnSettings) -> dict[str, pd.DataFrame]:
    """H2 and H4: gains by variant, at the last epoch, at the best, and over the last five."""
    others = {"placebos-best-epoch": "best_validation_accuracy", "placebos-late-epochs": grid.LATE}
    weights = ["anchor_weight", "unguided_anchor_weight"]
    return {
        "placebos": placebos.gains(records, settings),
        **{
            name: placebos.gains(records, settings, value=value).drop(columns=weights) for name, value in others.items()
        },
    }


def _random_positions(records: list[Record], settings: CnnSettings) -> list[str]:
    """Where the random position of H2 lies in each replicate that has run."""
    existing = {record["key"] for record in records}
    planned = placebos.planned_runs(settings).get("random", [])
    drawn = {run["replicate"]: anchor(run) for run in planned if run.key in existing}
    return [f"c{row + 1}{column + 1}" for _, (row, column) in sorted(drawn.items())]
