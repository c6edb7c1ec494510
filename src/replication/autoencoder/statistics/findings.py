"""Statistics of one family of autoencoders: every table, verdict and number that the report shows of it."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace

import pandas as pd

from replication.autoencoder import grid, record
from replication.autoencoder.settings import AutoencoderSettings
from replication.autoencoder.statistics import (
    added,
    calibration,
    claims,
    comparisons,
    effects,
    hypotheses,
    optimiser,
    pairs,
    replay,
)
from replication.autoencoder.statistics.pairs import Plan
from replication.core import published
from replication.core.family import Family
from replication.core.findings import Findings
from replication.core.runs import Record, of_grid
from replication.core.settings import role_of
from replication.core.verdict import Hypothesis, Verdict, from_facts, hypotheses_of
from replication.statistics.t_tests import pairwise_tests, summarise

MEASURES = ("validation_mse", "stopping_epoch")
EPSILONS = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9)  # from one that hides nothing to one where every lambda ends training
DECIDED: dict[str, Callable[[pd.DataFrame, Plan], tuple[str, str]]] = {
    "H1": hypotheses.h1,
    "H1-keras": hypotheses.h1_keras,
    "H4": hypotheses.h4,
    "H4-scale": hypotheses.h4_scale,
}


def statistics(family: Family[AutoencoderSettings], settings: AutoencoderSettings) -> Findings:
    """Everything, from the family's run tables alone."""
    runs = grid.frame(of_grid(family.records, grid.paper_grid(settings)))
    control = grid.frame(of_grid(family.records, grid.control(settings)))
    found = pairs.of_variants(family.records, settings)
    compared, plan = pairs.frame(found), pairs.plan(settings)
    stopped = claims.stopped_baseline(family.records, settings)
    width = claims.tested_width(runs, settings)
    tables = {
        "runs": runs,
        "control-runs": control,
        "pairs": compared,
        "beside-published": claims.beside_published(claims.deciding(runs, settings), published.read(family.name)),
        **_of_the_grid(runs, width),
        "control": _summary(control) if control["lambda"].nunique() > 1 else pd.DataFrame(),
        "stopped-baseline": _stopped_baseline(stopped),
        "calibration": calibration.calibration_table(family.calibration_records, settings.calibration.min_deltas),
        "stopping": comparisons.summary(compared),
        "threshold": comparisons.thresholds(found),
        "determinant": comparisons.determinants(found),
        "time-to-quality": comparisons.time_to_quality(compared),
        "time-to-early-quality": comparisons.time_to_early_quality(found),
        "replay": comparisons.replays(pairs.frame(pairs.of_published(family.records, settings))),
        **_replayed(family, settings),
        "equal-epochs": comparisons.equal_epochs(pairs.frame(pairs.unstopped(family.records, settings))),
        "optimiser": optimiser.table(family.records, settings),
        **added.tables(family.records, settings, runs),
        record.NAME: record.read(family.scale, family.name),
    }
    of_family = {name: decide(compared, plan) for name, decide in DECIDED.items()}
    if role_of(family.name) == "mnist":  # of which the paper prints unguided epochs
        of_family["H11"] = optimiser.h11(tables["optimiser"], settings)
    of_family |= added.decided(tables, settings)
    variants = grid.variants(settings).values()
    decided = claims.verdicts(family.records, settings)
    numbers = effects.of_claims(*(claims.deciding(part, settings) for part in (runs, control, stopped)))
    facts = {
        "tested_width": width,
        "variant_runs": [sum(len(of_grid(family.records, part)) for part in variants), sum(map(len, variants))],
        "verdicts": {name: asdict(replace(v, effect=numbers[name])) for name, v in decided.items()},
        "hypotheses": of_family,
        "measures": {name: asdict(found) for name, found in effects.of_hypotheses(compared).items() if found},
        "plan": {
            variant: {str(width): sorted(lambdas) for width, lambdas in cells.items()}
            for variant, cells in plan.items()
        },
    }
    return Findings(tables, facts, family.metrics)


def verdicts(findings: Mapping[str, Findings]) -> dict[str, Verdict]:
    """C4, C5 and C6 of the families, and C12 from all of them."""
    given = {
        claim: from_facts(verdict)
        for found in findings.values()
        for claim, verdict in found.facts.get("verdicts", {}).items()
    }
    compared = pd.concat(
        [found.table("pairs").assign(family=name) for name, found in findings.items()], ignore_index=True
    )
    c12 = hypotheses.c12(compared, {name: plan_of(found) for name, found in findings.items()})
    return given | {"C12": replace(c12, effect=effects.c12(compared))}


def decided(findings: Mapping[str, Findings]) -> list[Hypothesis]:
    """H1, H4 and H11 to H14, one of each for a data set that has it."""
    found = [one for name, part in findings.items() for one in hypotheses_of(part.facts, name)]
    order = [*DECIDED, "H11", "H12", "H13", "H14"]
    return sorted(found, key=lambda one: order.index(one.name))


def plan_of(found: Findings) -> Plan:
    """Which lambda above 0 are to be run, by variant and width, as `pairs.plan` says."""
    return {
        variant: {int(width): set(lambdas) for width, lambdas in cells.items()}
        for variant, cells in found.facts["plan"].items()
    }


def _of_the_grid(runs: pd.DataFrame, width: int) -> dict[str, pd.DataFrame]:
    """The published protocol: means, and the tests at one width. Nothing while nothing has run."""
    if runs.empty:
        return {}
    return {"published": _summary(runs), "pairwise": _pairwise(runs, width)}


def _summary(runs: pd.DataFrame) -> pd.DataFrame:
    by = ["width", "lambda"]
    epochs, mse = (summarise(runs, by, value) for value in ("stopping_epoch", "validation_mse"))
    table = epochs.rename(columns={"mean": "stopping_epoch", "low": "epoch_low", "high": "epoch_high"}).merge(
        mse.drop(columns="n").rename(columns={"mean": "validation_mse", "low": "mse_low", "high": "mse_high"}), on=by
    )
    at_limit = (1 - runs["stopped_early"]).groupby([runs[column] for column in by]).sum().rename("at_epoch_limit")
    return table.merge(at_limit.reset_index(), on=by)


def _pairwise(runs: pd.DataFrame, width: int) -> pd.DataFrame:
    parts = []
    for value in MEASURES:
        tests = pairwise_tests(claims.lambda_samples(runs, width, value))
        tests.insert(0, "measure", value)
        parts.append(tests)
    return pd.concat(parts, ignore_index=True)


def _stopped_baseline(found: pd.DataFrame) -> pd.DataFrame:
    found = found.assign(difference=found["guided_mse"] - found["baseline_mse"]).dropna()
    if found.empty:  # no pair yet, or all have diverged
        return found
    by = ["width", "lambda"]
    means = found.groupby(by, as_index=False)[["epoch", "guided_mse", "baseline_mse"]].mean()
    return means.merge(summarise(found, by, "difference").rename(columns={"mean": "difference"}), on=by)


def _replayed(family: Family[AutoencoderSettings], settings: AutoencoderSettings) -> dict[str, pd.DataFrame]:
    """What unguided runs tell of guided ones at any epsilon, by either rounding, and in other protocols."""
    unguided = of_grid(family.records, [run for run in grid.paper_grid(settings) if run["lambda"] == 0])
    wide = [record for record in unguided if record["run"]["width"] > claims.ABOVE]
    epsilon = settings.training.epsilon
    return {
        "any-epsilon": _any_epsilon(wide, settings, keras=False),
        "any-epsilon-keras": _any_epsilon(wide, settings, keras=True),
        "keras-mean": replay.by_rounding(unguided, settings.lambdas, epsilon),
        "other-protocols": _other_protocols(family.calibration_records, settings),
    }


def _any_epsilon(wide: list[Record], settings: AutoencoderSettings, *, keras: bool) -> pd.DataFrame:
    """A row an epsilon, a column a lambda."""
    if not wide:
        return pd.DataFrame()
    watched = replay.keras_mean(wide[0]["run"]) if keras else replay.plain_sum
    table = replay.replayed_grid(wide, settings.lambdas, EPSILONS, watched)
    shown = _a_column_a_lambda(table, ["epsilon"]).sort_values("epsilon", ascending=False, ignore_index=True)
    return shown.assign(n=len(wide))


def _other_protocols(records: list[Record], settings: AutoencoderSettings) -> pd.DataFrame:
    """A row a batch size and minimum improvement, a column a lambda."""
    if not records:
        return pd.DataFrame()
    min_deltas = settings.calibration.min_deltas
    table = replay.other_protocols(records, min_deltas, settings.lambdas, settings.training.epsilon)
    return _a_column_a_lambda(table, ["batch_size", "min_delta", "n"])


def _a_column_a_lambda(table: pd.DataFrame, index: list[str]) -> pd.DataFrame:
    """Cells "stopping epoch (MSE)", with a + after the epoch where a run is capped; `index` are the columns before."""
    capped = table.get("capped", pd.Series(0, index=table.index))
    cells = [
        f"{epoch:.1f}{'+' if more else ''} ({mse:.4f})"
        for epoch, more, mse in zip(table["stopping_epoch"], capped, table["mse"], strict=True)
    ]
    shown = table.assign(cell=cells).pivot(index=index, columns="lambda", values="cell")
    return shown.rename(columns="lambda {:g}".format).rename_axis(columns=None).reset_index()
