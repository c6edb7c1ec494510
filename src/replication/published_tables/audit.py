"""What the published Tables 1 to 3 can and cannot support, from their numbers alone: no training, no run of ours.

The record is the same at every scale and on every run: its simulations have a fixed seed, its numbers six digits.
"""

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from replication.core import paths, published, strict_json, studies
from replication.core.files import reading
from replication.core.settings import Parameters
from replication.statistics import power, selection_effects
from replication.statistics.t_tests import ALPHA, holm, paired_difference

NAME = "published-audit"
SEED = 20230814
REPEATS = 50_000  # simulated experiments without effect (Table 1)
DRAWS = 200_000  # random choices of the baselines (Table 2)
BASELINE = 0.0
ROW = ["model", "training", "guided_layers"]  # what tells the rows of Table 2 apart

Part = dict[str, Any]


def write(parameters: Parameters) -> Path:
    """Write data/runs/<scale>/published-audit.json, atomically; the path."""
    path = paths.record(parameters.scale, NAME)
    studies.write(path, strict_json.dumps(audit(), indent=1) + "\n")
    return path


def read(scale: str) -> Part:
    """The record of a scale, empty where there is none."""
    path = paths.record(scale, NAME)
    if not path.exists():
        return {}
    with reading(path, f"`python -m replication {NAME} --scale {scale}` writes it anew"):
        record = dict(strict_json.loads(path.read_text()))
        if missing := {"facts", "table1", "table2", "table3"} - record.keys():
            raise KeyError(*missing)
    return record


def audit() -> Part:
    """The record: for each table its rows, tests and summary. Accuracies are shares."""
    facts = published.read("tables")
    values = {table: {name: fact["value"] for name, fact in part.items()} for table, part in facts.items()}
    record = {
        "table1": _table1(published.table(1), **values["table1"]),
        "table2": _table2(published.table(2), **values["table2"]),
        "table3": _table3(published.table(3), **values["table3"]),
    }
    rounded: Part = _plain({"facts": values, "seed": SEED} | record)
    return rounded


def _table1(table: pd.DataFrame, replicates: int, candidates: int) -> Part:
    gains, printed = table["delta_validation_accuracy"], table["delta_validation_p"]
    sd = pd.Series([power.implied_sd(gain, p, replicates) for gain, p in zip(gains, printed, strict=True)])
    # Standard error of a mean of replicates, times the mean of the best of k
    by_choice = selection_effects.expected_maximum(candidates) / math.sqrt(replicates)
    half_interval = stats.t.ppf(1 - ALPHA / 2, 2 * replicates - 2) * sd * math.sqrt(2 / replicates)
    rows = pd.DataFrame(
        {
            "blocks": table["blocks"],
            "width": table["width"],
            "gain": gains,
            "low": gains - half_interval,
            "high": gains + half_interval,
            "implied_sd": sd,
            "gain_by_choice": by_choice * sd,
            "p_printed": printed,
            "p_after_choice": [selection_effects.p_after_choice(p, candidates, replicates) for p in printed],
            "p_sidak": [selection_effects.sidak(p, candidates) for p in printed],
            "p_bonferroni": [selection_effects.bonferroni(p, candidates) for p in printed],
        }
    )
    rows["p_after_choice_and_rows"] = holm(rows["p_after_choice"])
    corrections = ("printed", "after_choice", "sidak", "bonferroni", "after_choice_and_rows")
    share = selection_effects.p_after_choice(ALPHA, candidates, replicates)
    simulated_share, simulated_gain = selection_effects.simulate_choice(
        candidates, replicates, repeats=REPEATS, seed=SEED
    )
    median = float(sd.median())
    alpha = ALPHA / candidates
    return {
        "rows": rows,
        "rows_below_alpha": {name: int((rows[f"p_{name}"] < ALPHA).sum()) for name in corrections},
        "no_effect": {
            "significant_share": share,
            "significant_share_simulated": simulated_share,
            "repeats": REPEATS,
            "expected_gain": by_choice * median,
            "expected_gain_simulated": simulated_gain * median,
            "all_rows_significant": share ** len(rows),
        },
        "mean_gain": gains.mean(),
        "mean_gain_beyond_choice": (gains - rows["gain_by_choice"]).mean(),
        "p_all_rows_fisher": stats.combine_pvalues(rows["p_after_choice"], method="fisher").pvalue,
        "power": [
            {
                "of": name,
                "implied_sd": value,
                "detectable_gain": power.detectable_gain(value, replicates, ALPHA),
                "detectable_gain_after_choice": power.detectable_gain(value, replicates, alpha),
                "replicates_for_0.005": power.replicates_needed(0.005, value, alpha),
            }
            for name, value in (("smallest", sd.min()), ("median", median), ("largest", sd.max()))
        ],
    }


def published_cells(table2: pd.DataFrame) -> pd.DataFrame:
    """table2.csv as accuracies, rows in the paper's order, lambda in columns."""
    return rows_by_lambda(table2, ROW, "lambda_inferred", "validation_accuracy", "mean")


def rows_by_lambda(table: pd.DataFrame, by: list[str], lambda_: str, value: str, how: str) -> pd.DataFrame:
    """A row of Table 2 a row, named as the paper names it, lambda in columns."""
    wide = table.pivot_table(index=by, columns=lambda_, values=value, aggfunc=how, sort=False)
    return wide.reindex(columns=sorted(wide.columns)).rename_axis(index=ROW, columns="lambda")


def by_choice(whole: pd.DataFrame) -> dict[str, Any]:
    """What choosing the best of each row of Table 2 does to its gain: the published one, or ours.

    Args:
        whole: one complete row or more.

    Returns:
        rows, off (rows with their best off the baseline), off_p (P of as many under no effect), within (SD within a
        row), gain: observed, expected, SD and p by relabelling, and expected_normal (SD times the mean of the best of
        k); histogram of the relabelled gains.
    """
    candidates = whole.shape[1] - 1
    gains = selection_effects.best_gains(whole, BASELINE)
    relabelled = selection_effects.relabelling_test(whole, BASELINE, draws=DRAWS, seed=SEED)
    within = selection_effects.pooled_spread(whole.to_numpy())
    off = int((gains["gain"] > 0).sum())
    counted, edges = np.histogram(relabelled.draws, bins=25)
    return {
        "rows": len(whole),
        "candidates": candidates,
        "off": off,
        "off_p": selection_effects.off_baseline_probability(off, len(whole), candidates),
        "within": asdict(within),
        "gain": {
            "observed": relabelled.observed,
            "expected_relabelled": relabelled.expected,
            "sd_relabelled": relabelled.sd,
            "p_relabelled": relabelled.p,
            "expected_normal": selection_effects.expected_maximum(candidates) * within.sd,
        },
        "histogram": {"edges": edges, "counts": counted},
    }


def _table2(table: pd.DataFrame, validation_images: int) -> Part:
    cells = published_cells(table)
    candidates = cells.shape[1] - 1
    choice = by_choice(cells)
    gains = selection_effects.best_gains(cells, BASELINE)
    unguided = cells[BASELINE].groupby(level=["model", "training"])
    repeated = selection_effects.pooled_spread(group for _, group in unguided)
    noise = selection_effects.normal_noise_test(cells, BASELINE, repeated, draws=DRAWS, seed=SEED)
    factor = selection_effects.expected_maximum(candidates)
    # The plain standard deviation of all deviations from the row means: one degree of freedom lost, not one a row
    raw = float(np.std(cells.sub(cells.mean(axis=1), axis=0).to_numpy(), ddof=1))
    guided_mean = cells.drop(columns=BASELINE).mean(axis=1)
    mean, low, high = paired_difference(guided_mean, cells[BASELINE])
    return {
        "lambdas": list(cells.columns),
        "rows": gains.reset_index().assign(
            baseline_se=[selection_effects.binomial_se(a, validation_images) for a in gains["baseline"]],
            row_sd=cells.std(axis=1).to_numpy(),
            accuracies=cells.to_numpy().tolist(),
            standard_errors=[
                [selection_effects.binomial_se(a, validation_images) for a in row] for row in cells.to_numpy()
            ],
        ),
        "columns": selection_effects.column_tests(cells, BASELINE),
        "detectable_column_difference": power.detectable_paired_difference(
            choice["within"]["sd"] * math.sqrt(2), len(cells), ALPHA / candidates
        ),
        "all_guided": {
            "difference": mean,
            "low": low,
            "high": high,
            "p_two_sided": stats.ttest_rel(guided_mean, cells[BASELINE]).pvalue,
        },
        "standard_error_at_0.8": selection_effects.binomial_se(0.8, validation_images),
        "within_row": choice["within"],
        "within_row_raw_sd": raw,
        "repeated_baselines": asdict(repeated),
        "configurations": unguided.ngroups,
        "gain": choice["gain"] | {"expected_normal_raw": factor * raw, "draws": DRAWS} | asdict(noise),
        "relabelled_histogram": choice["histogram"],
        "off_baseline": {
            "rows": len(cells),
            "off": choice["off"],
            "tied": int((gains["gain"] == 0).sum()),
            "expected": len(cells) * candidates / (candidates + 1),
            "p": choice["off_p"],
        },
        "placements": _placements(gains, validation_images),
    }


def _placements(gains: pd.DataFrame, images: int) -> pd.DataFrame:
    """The best guided placement of each model and training beside the second best, in validation images."""
    rows = []
    for (model, training), group in gains.groupby(level=["model", "training"], sort=False):
        ranked = group["best"].droplevel(["model", "training"]).sort_values(ascending=False, kind="stable")
        rows.append(
            {
                "model": model,
                "training": training,
                "first": ranked.index[0],
                "first_accuracy": ranked.iloc[0],
                "second": ranked.index[1],
                "second_accuracy": ranked.iloc[1],
                "images_between": round((ranked.iloc[0] - ranked.iloc[1]) * images),
            }
        )
    return pd.DataFrame(rows)


def _table3(table: pd.DataFrame, validation_images: int, time_saving: float) -> Part:
    seconds = table["training_seconds"] / table["epochs"]
    is_baseline = table["lambda"] == BASELINE
    base = table[is_baseline].iloc[0]
    base_seconds = float(seconds[is_baseline].iloc[0])
    rows = pd.DataFrame(
        {
            "lambda": table["lambda"],
            "epochs": table["epochs"],
            "training_seconds": table["training_seconds"],
            "seconds_per_epoch": seconds,
            "time_ratio": table["training_seconds"] / base["training_seconds"],
            "epochs_ratio": table["epochs"] / base["epochs"],
            "seconds_per_epoch_ratio": seconds / base_seconds,
            "accuracy_difference": table["accuracy"] - base["accuracy"],
            "iou_difference": table["iou"] - base["iou"],
        }
    )
    guided = table[~is_baseline]
    fastest = rows.loc[rows["training_seconds"].idxmin()]
    noise = float(np.log(seconds).std())
    return {
        "rows": rows,
        "measures": [
            {"measure": name} | asdict(selection_effects.against_one_baseline(base[name], guided[name]))
            for name in ("accuracy", "iou")
        ],
        "accuracy_se_bound": selection_effects.binomial_se(base["accuracy"], validation_images),
        "timing": {
            "claimed_saving": time_saving,
            "fastest_lambda": fastest["lambda"],
            "fastest_saving": 1 - fastest["time_ratio"],
            "fastest_epochs_saving": 1 - fastest["epochs_ratio"],
            "fewer_epochs_rows": int((rows["epochs_ratio"] < 1).sum()),
            "fewest_epochs_saving": 1 - rows["epochs_ratio"].min(),
            "seconds_per_epoch_min": seconds.min(),
            "seconds_per_epoch_max": seconds.max(),
            "seconds_per_epoch_log_sd": noise,
            # All seven runs at the same number of epochs, with this noise in the clock alone
            "expected_saving_by_noise": 1 - math.exp(-noise * selection_effects.expected_maximum(len(guided))),
            "claimed_saving_by_noise_probability": selection_effects.best_exceeds(
                -math.log(1 - time_saving) / noise, len(guided)
            ),
        },
    }


def _plain(value: Any) -> Any:
    """Frames as lists of rows, arrays as lists, numbers with six significant digits: the same bytes everywhere."""
    if isinstance(value, pd.DataFrame):
        return _plain(value.to_dict("records"))
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(item) for item in value]
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float):
        return float(f"{value:.6g}")
    return value
