"""Statistics of one family: every table, verdict and number that the report shows of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import pandas as pd

from replication.core.benchmarks import measurements
from replication.core.family import Family
from replication.core.findings import Findings
from replication.core.runs import Record
from replication.core.verdict import Hypothesis, Verdict
from replication.rivals.grid import arms
from replication.rivals.settings import UNGUIDED, RivalsSettings
from replication.rivals.statistics import best, confidence, feedback, frames, information
from replication.rivals.statistics.rules import FEW, Ruling

DIAGRAM = (UNGUIDED, "penalty", "smoothing", "bottleneck")  # arms of the reliability diagram
PLANE = (UNGUIDED, *information.DEEP)  # arms of the information plane
MACHINE = ["hardware", "versions"]  # columns of measured speeds


@dataclass(frozen=True)
class _Known:
    """What several tables and rules are computed from."""

    planned: Mapping[str, Sequence[float]]  # lambda of each arm
    named: Mapping[str, Sequence[Record]]  # records of each arm
    runs: pd.DataFrame
    layers: pd.DataFrame
    kept: pd.DataFrame  # inequalities
    maps: pd.DataFrame
    methods: pd.DataFrame
    sizes: Sequence[int]  # maps of a block, of R8's arms

    @classmethod
    def of(cls, family: Family[RivalsSettings], settings: RivalsSettings) -> "_Known":
        planned = {name: settings.values(arm) for name, arm in settings.arms.items()}
        named = frames.by_arm(arms(settings), family.records)
        runs, layers = frames.frame(named), frames.measured(named, "layers")
        return cls(
            planned,
            named,
            runs,
            layers,
            kept=information.kept_rows(layers, frames.measured(named, "errors")),
            maps=information.of_maps(frames.measured(named, "maps")),
            methods=best.chosen(runs, planned),
            sizes=[settings.grid.arms[arm].width or settings.grid.width for arm in information.SIZES if arm in planned],
        )


def statistics(family: Family[RivalsSettings], settings: RivalsSettings) -> Findings:
    """Everything, from the family's run table, and the speeds that are measured apart."""
    known = _Known.of(family, settings)
    tables = {
        "runs": known.runs,
        "arms": _means(known.runs),
        "against-unguided": frames.against_unguided(known.runs),
        "reliability": _reliability(known.named),
        "plane": _plane(known.layers),
        "widths": information.width_study(known.kept),
        "maps": _maps(known.maps),
        "feedback": feedback.compared(known.runs),
        "methods": known.methods,
        "cost": measurements("rivals").drop(columns=MACHINE, errors="ignore"),
        "steps": measurements("rivals-training").drop(columns=[*MACHINE, "maps"], errors="ignore"),
    }
    facts = {"hypotheses": {name: asdict(ruling) for name, ruling in _rulings(known).items()}}
    return Findings(tables, facts, family.metrics)


def _rulings(known: _Known) -> dict[str, Ruling]:
    """The rules whose arms are planned."""
    runs, planned, kept = known.runs, known.planned, known.kept
    unguided = known.named[UNGUIDED]
    rules: dict[str, tuple[Sequence[str], Callable[[], Ruling]]] = {  # the arms that a rule is about, and the rule
        "R1": (["penalty"], lambda: confidence.r1(runs, planned["penalty"])),
        "R1b": (["penalty", "smoothing"], lambda: confidence.r1b(runs, planned["penalty"])),
        "R1c": (["penalty"], lambda: confidence.r1c(runs)),
        "R2": (information.DEEP, lambda: information.inequality(kept, "about_input")),
        "R2c": (information.DEEP, lambda: information.inequality(kept, "about_labels")),
        "R2d": ([information.DEEPEST], lambda: information.inequality(kept, "errors")),
        "R3": ([feedback.FEEDBACK], lambda: feedback.r3(runs, set(planned))),
        "R3c": ([feedback.FEEDBACK], lambda: feedback.r3c(runs)),
        "R3d": ([feedback.FEEDBACK], lambda: feedback.r3d(runs)),
        "R4": (best.METHODS, lambda: best.r4(runs, known.methods, planned)),
        "R5": ([UNGUIDED], lambda: confidence.r5(unguided)),
        "R6": ([UNGUIDED], lambda: confidence.r6(confidence.ensemble(unguided), min(len(unguided), FEW))),
        "R7": ([confidence.BOTTLENECK, confidence.PLAIN], lambda: confidence.r7(runs, planned["bottleneck"])),
        "R8": (information.SIZES, lambda: information.r8(known.maps, known.sizes)),
    }
    if confidence.WEAK not in planned.get("penalty", ()):
        del rules["R1c"]
    return {name: rule() for name, (needed, rule) in rules.items() if set(needed) <= planned.keys()}


def verdicts(findings: Mapping[str, Findings]) -> dict[str, Verdict]:  # noqa: ARG001
    """No claim of the paper is decided here."""
    return {}


def decided(findings: Mapping[str, Findings]) -> list[Hypothesis]:
    """R1 to R8, hypothesis by hypothesis."""
    found = [
        Hypothesis(name, family, **ruling)
        for family, part in findings.items()
        for name, ruling in part.facts.get("hypotheses", {}).items()
    ]
    order = list(dict.fromkeys(one.name for one in found))
    return sorted(found, key=lambda one: order.index(one.name))


def _means(runs: pd.DataFrame) -> pd.DataFrame:
    """Means of every arm. Columns: arm, lambda, blocks, width, n, and what `frames.frame` has."""
    by = ["arm", "lambda", "blocks", "width"]
    shown = ["accuracy", "nll", "ece", "brier", "entropy", "epochs", "seconds", "train_seconds", "temperature"]
    shown += ["on_training_images", "kl"]
    groups = runs.groupby(by, sort=False)
    return groups[shown].mean().assign(n=groups.size()).reset_index()[[*by, "n", *shown]]


def _reliability(named: Mapping[str, Sequence[Record]]) -> pd.DataFrame:
    """The bins of the diagram's arms, all runs of a lambda together.

    Columns: arm, value (of lambda), n (runs), lower, images, confidence, accuracy.
    """
    parts = [
        pd.DataFrame(record["measured"]["reliability"]).assign(
            arm=arm, value=record["run"]["lambda"], replicate=record["run"]["replicate"]
        )
        for arm in DIAGRAM
        for record in named.get(arm, ())
    ]
    if not parts:
        return pd.DataFrame()
    bins = pd.concat(parts, ignore_index=True)
    weighted = bins.assign(**{name: bins[name] * bins["images"] for name in ("confidence", "accuracy")})
    found = weighted.groupby(["arm", "value", "lower"])[["images", "confidence", "accuracy"]].sum().reset_index()
    for name in ("confidence", "accuracy"):
        found[name] /= found["images"]
    runs = bins.groupby(["arm", "value"])["replicate"].nunique().rename("n").reset_index()
    return found.merge(runs, on=["arm", "value"])


def _plane(layers: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds. Columns: arm, split, width, layer, epoch, n, entropy, about_input, about_labels (bits)."""
    by = ["arm", "split", "width", "layer", "epoch"]
    bits = ["entropy", "about_input", "about_labels"]
    if layers.empty:
        return pd.DataFrame(columns=[*by, "n", *bits])
    groups = layers[layers["arm"].isin(PLANE)].groupby(by, sort=False)
    return groups[bits].mean().assign(n=groups.size()).reset_index()[[*by, "n", *bits]]


def _maps(maps: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds. Columns: width, maps, n, untrained, trained, entropy (bits)."""
    groups = maps.groupby(["width", "maps"], sort=False)
    shown = ["untrained", "trained", "entropy"]
    return groups[shown].mean().assign(n=groups.size()).reset_index()[["width", "maps", "n", *shown]]
