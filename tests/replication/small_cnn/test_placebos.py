"""Placebos and the exact form, H2 and H4-cnn, on made-up records whose answer is plain."""

import dataclasses

import numpy as np
import pytest
from scipy import stats
from small_cnn_runs import exact, made, positions, strong, verdicts

from replication.small_cnn.statistics import placebos


@pytest.mark.parametrize(("less", "expected"), [(0.01, "supported"), (0.025, "undecided")])
def test_a_placebo_does_the_same_to_a_fifth_of_a_large_effect(few, less, expected):
    def harm(run):
        return (run["lambda"] == 1) * (less * (run["anchor"] == "center") - 0.1)

    assert verdicts(few, harm)[1] == expected


def test_h4_by_its_rule(few):
    runs = exact(made(few), few)

    def h4(once, strict):
        changed = dataclasses.replace(runs, table=runs.table.assign(**once), strict=runs.table.assign(**strict))
        return placebos.h4(changed, 0.005)[0]

    assert h4({"low": 0.001, "high": 0.006}, {"low": 0.001}) == "supported"
    assert h4({"low": 0.001, "high": 0.006}, {"low": -0.001}) == "undecided"  # above zero but for Bonferroni
    assert h4({"high": 0.004}, {"low": -0.001}) == "refuted"
    at_one = np.where(runs.table["lambda"] == 1.0, 0.006, 0.004)
    assert h4({"high": at_one}, {"low": -0.001}) == "undecided"


@pytest.mark.parametrize(
    ("gain", "expected"),
    [
        (lambda run: 0.01 if run["form"] == "log" and run["lambda"] == 1e-3 else 0.0, "supported"),
        (
            lambda run: 0.01 if run["epsilon"] == 0.1 and run["lambda"] == 1e-2 else -0.02 * (run["lambda"] > 0),
            "supported",
        ),
        (lambda run: 0.02 if run["form"] == "exact" else 0.0, "refuted"),
        (lambda run: 0.0 if run["form"] in ("log", "none") else -0.02, "undecided"),
    ],
)
def test_h15_by_its_rule(few, gain, expected):
    records = made(few, gain, sd=0.008 if expected == "undecided" else 0.002)
    verdict, evidence = placebos.h15(records, few, 0.005, "validation_accuracy")
    assert verdict == expected and evidence.count("n = 10") == 6
    lost = next(k for k, r in enumerate(records) if r["run"]["form"] == "log" and r["run"]["replicate"] == 9)
    assert placebos.h15(records[:lost] + records[lost + 1 :], few, 0.005, "validation_accuracy")[0] == "undecided"
    assert placebos.h15([], few, 0.005, "validation_accuracy") == ("undecided", "no runs")


def test_the_exact_form_can_help(few):
    assert verdicts(few, lambda run: 0.01 if run["form"] == "exact" else 0.0)[3] == "supported"


def test_strict_intervals_are_corrected_for_looks_and_lambdas(few):
    records = made(few, gain=strong)
    table = exact(records, few).strict
    accuracy = {
        lambda_: {
            r["run"]["replicate"]: r["metrics"]["validation_accuracy"]
            for r in records
            if r["run"]["blocks"] == 1 and (r["run"]["lambda"], r["run"]["form"]) == (lambda_, form)
        }
        for lambda_, form in ((0.0, "none"), (0.01, "exact"), (1.0, "exact"))
    }
    for lambda_ in (0.01, 1.0):
        gain = [accuracy[lambda_][k] - accuracy[0.0][k] for k in range(12)]
        (row,) = table[(table["variant"] == "exact") & (table["lambda"] == lambda_)].to_dict("records")
        interval = stats.ttest_1samp(gain, 0).confidence_interval(1 - 0.05 / 2 / 3)
        assert (row["low"], row["high"]) == pytest.approx(interval)


def test_weights_at_the_anchor(few):
    records = made(few)
    for record in records:
        record["metrics"]["anchor_weight"] = 0.3 if record["run"]["lambda"] == 0 else 0.5
    table = placebos.gains(records, few)
    weights = table[["anchor_weight", "unguided_anchor_weight"]].to_numpy()
    assert len(weights) and weights == pytest.approx(np.tile([0.5, 0.3], (len(weights), 1)))


def test_gains_at_the_best_epoch(few):
    records = made(few)
    for record in records:
        if record["run"]["anchor"] == "center":
            record["metrics"]["best_validation_accuracy"] += 0.01
    last, best = (
        placebos.gains(records, few, value=value).set_index("variant")
        for value in ("validation_accuracy", "best_validation_accuracy")
    )
    assert (best.loc["center", "gain"] - last.loc["center", "gain"]).tolist() == pytest.approx([0.01] * 3)
    differs = best.loc["center", "corner_minus"] - last.loc["center", "corner_minus"]
    assert differs.tolist() == pytest.approx([-0.01] * 3)
    assert best.loc["random", "gain"].tolist() == last.loc["random", "gain"].tolist()


def test_nine_pairs_at_one_lambda_decide_nothing(few):
    records = made(few, gain=strong)
    lacking = ("center", 1.0, 3)
    told = ("anchor", "lambda", "replicate")
    runs = positions([r for r in records if tuple(r["run"][name] for name in told) != lacking], few)
    of_h2 = runs.table[~runs.table["variant"].isin(placebos.OTHER_PULLS)]
    assert of_h2["corner_n"].min() == 9 and placebos.h2(runs, 0.005)[0] == "undecided"


def test_a_variant_that_lacks_a_lambda_decides_nothing(few):
    records = made(few, gain=strong)
    runs = positions(records, few)
    assert placebos.h2(runs, 0.005)[0] == "supported"
    table = runs.table
    moved = table.assign(corner_low=table["corner_low"] - 0.1, corner_high=table["corner_high"] - 0.1)
    harmful = dataclasses.replace(runs, table=moved)
    assert placebos.h2(harmful, 0.005)[0] == "undecided"  # the corner alone does harm
    for variant, decide in (("center", placebos.h2), ("exact", placebos.h4)):
        kept = (table["variant"] != variant) | (table["lambda"] != 1.0)
        assert decide(dataclasses.replace(runs, table=table[kept], strict=runs.strict[kept]), 0.005)[0] == "undecided"


def test_verdicts_are_given_twice(few):
    """On the first ten replicates, and on all that are planned: in between, more runs change nothing."""
    records = made(few, gain=strong)
    eleven = [r for r in records if r["run"]["replicate"] != 11]
    for kept, n in ((records, 12), (eleven, 10)):
        table = positions(kept, few).table
        table = table[~table["variant"].isin(placebos.OTHER_PULLS)]  # which have ten replicates
        assert (table["n"] == n).all() and (table["corner_n"] == n).all()
    fewer_decay = [r for r in records if r["run"]["form"] != "decay" or r["run"]["replicate"] < 3]
    assert (positions(fewer_decay, few).table.set_index("variant").loc[["corner", "center", "random"], "n"] == 12).all()
    no_placebos = [r for r in records if r["run"]["anchor"] not in ("center", "random")]
    assert set(exact(no_placebos, few).table.set_index("variant").loc["exact", "n"]) == {12}
    assert (placebos.gains(eleven, few)["n"] == [11] * 15 + [10] * 6).all()  # H15's variants have ten replicates
    row = table.iloc[0]
    ten = [
        {r["run"]["replicate"]: r["metrics"]["validation_accuracy"] for r in eleven if wanted(r["run"])}
        for wanted in (
            lambda run: (
                (run["blocks"], run["lambda"], run["anchor"], run["epsilon"]) == (1, row["lambda"], "corner", 1e-7)
            ),
            lambda run: (run["blocks"], run["lambda"]) == (1, 0),
        )
    ]
    gain = [ten[0][k] - ten[1][k] for k in range(10)]
    interval = stats.ttest_1samp(gain, 0).confidence_interval(0.975)
    assert (row["low"], row["high"]) == pytest.approx(interval)


def test_a_corner_that_does_more_harm_than_placebos_is_not_the_same(few):
    def harm(run):
        return -0.1 * (run["lambda"] == 1) * (run["anchor"] == "corner" and run["form"] == "reciprocal")

    assert verdicts(few, harm)[1] == "refuted"


def test_a_corner_must_be_better_than_both_placebos(few):
    runs = positions(made(few, gain=lambda run: 0.0 if run["anchor"] == "random" else strong(run)), few)
    assert (runs.strict["corner_low"] > 0).any() and not placebos.corner_better(runs)
