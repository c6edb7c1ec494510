"""R1, R1b, R1c, R5, R6 and R7: each verdict can be had, and none with fewer runs than the rule asks for."""

import numpy as np
import pandas as pd
import pytest
from rivals_runs import CIFAR10, MNIST, made, paper, runs_of

from replication.rivals.statistics import confidence
from replication.rivals.statistics.confidence import MATCHED

BETTER = {"nll": -0.05, "ece": -0.03}


@pytest.fixture(scope="module")
def settings():
    return paper()


def lambdas(settings):
    return settings.values(settings.arms["penalty"])


def of_form(form, added, *only):
    """An effect on the runs of a form, at some lambda."""
    return lambda run: added if run["form"] == form and (not only or run["lambda"] in only) else {}


def r1(settings, added, *only, **changes):
    return confidence.r1(
        runs_of(settings, made(settings, of_form("penalty", added, *only), **changes)), lambdas(settings)
    )


def test_r1_is_supported_at_one_lambda(settings):
    found = r1(settings, BETTER, 0.244)
    assert (found.verdict, found.n) == ("supported", 10)
    assert "at 0.244 NLL -0.0500" in found.evidence and "n = 10" in found.evidence


def test_r1_asks_for_all_three_at_one_lambda(settings):
    assert r1(settings, {"nll": -0.05}).verdict == "undecided"
    assert r1(settings, {"ece": -0.05}).verdict == "undecided"
    assert r1(settings, BETTER | {"accuracy": -0.01}).verdict == "refuted"
    assert r1(settings, {"nll": 0.05}).verdict == r1(settings, {"ece": 0.05}).verdict == "refuted"
    assert r1(settings, {"nll": 0.05}, 0.244, 1.0).verdict == "undecided"


def test_r1_is_undecided_with_nine_pairs(settings):
    found = r1(settings, BETTER, replicates=range(9))
    assert (found.verdict, found.control, found.n) == ("undecided", "not tested", 9)
    assert r1(settings, BETTER, replicates=range(1)).evidence.count("n = 1, no interval") == 15
    assert r1(settings, BETTER, replicates=()).n == 0


def test_r1_corrects_for_the_number_of_lambda(settings):
    runs = runs_of(settings, made(settings, of_form("penalty", BETTER), sd=0.02))
    many, one = confidence.r1(runs, lambdas(settings)), confidence.r1(runs, [0.244])
    assert one.evidence.split("NLL")[1][:30] != many.evidence.split("at 0.244 NLL")[1][:30]


def test_r1_s_control_is_one_temperature(settings):
    effect = of_form("penalty", BETTER)
    strong = made(settings, lambda run: effect(run) | {"scaled": -0.1})  # one temperature does more
    assert confidence.r1(runs_of(settings, strong), lambdas(settings)).control == "does not survive"
    assert r1(settings, BETTER | {"scaled": -0.1}).control == "does not survive"  # 0.05, as much as the penalty
    assert r1(settings, {"nll": -0.08, "ece": -0.03}).control == "survives"


def test_r1b_compares_at_the_same_optimum(settings):
    def r1b(added, *only, **changes):
        return confidence.r1b(
            runs_of(settings, made(settings, of_form("smoothing", added, *only), **changes)), lambdas(settings)
        )

    assert r1b({}).verdict == "supported" and len(MATCHED) == 3
    assert r1b({"nll": 0.05}, 0.1).verdict == "refuted"
    assert r1b({}, sd=0.05).verdict == "undecided" == r1b({}, replicates=range(9)).verdict
    mnist = paper(MNIST)
    found = confidence.r1b(runs_of(mnist, made(mnist)), lambdas(mnist))
    assert found.verdict == "supported" and "0.199" not in found.evidence
    assert confidence.r1b(runs_of(mnist, made(mnist)), [0.5]).verdict == "undecided"


def test_r1c_is_about_entropy(settings):
    def r1c(added, **changes):
        return confidence.r1c(runs_of(settings, made(settings, of_form("penalty", added, 0.01), **changes))).verdict

    assert r1c({"nll": 1.0}) == "supported"
    assert r1c({"entropy": 0.05}) == "refuted"
    assert r1c({}, sd=0.05) == r1c({}, replicates=range(3)) == "undecided"


def test_r5_asks_for_every_run(settings):
    unguided = of_form("none", {})

    def r5(effect, replicates=range(10)):
        records = [
            r
            for r in made(settings, effect, replicates=replicates)
            if r["run"]["width"] == 32 and r["run"]["blocks"] == 1
        ]
        return confidence.r5([r for r in records if r["run"]["form"] == "none"])

    assert r5(unguided).verdict == "supported" and "-1.00 to -1.00 (n = 10" in r5(unguided).evidence
    turns = {"course": lambda epoch: abs(epoch - 9)}
    assert r5(lambda run: turns if run["replicate"] == 3 else {}).verdict == "refuted"
    assert confidence.r5([{"history": {"validation_entropy": [2.0]}}]).n == 0  # of one epoch nothing can fall
    assert r5(unguided, range(9)).verdict == "undecided" == r5(unguided, ()).verdict


def test_r6_on_two_kinds_of_members():
    settings = paper()
    named = [
        r for r in made(settings) if r["run"]["form"] == "none" and (r["run"]["width"], r["run"]["blocks"]) == (32, 1)
    ]
    images = confidence.ensemble(named)
    assert len(images) == 50 and images.filter(regex="entropy_").shape[1] == 5
    one = np.array([0.7, 0.22, *[0.01] * 8])
    q = (2 * one + 3 * np.array([0.22, 0.7, *[0.01] * 8])) / 5  # seeds 1 and 3 against 0, 2 and 4
    assert images["entropy"].iloc[0] == pytest.approx(-(q * np.log(q)).sum(), abs=0.01)
    assert images["nll_0"].iloc[0] == pytest.approx(-np.log(0.22), abs=0.01)
    assert confidence.r6(images, 5).control == "survives"  # higher than each, on all images
    assert confidence.r6(confidence.ensemble(named[:4]), 4).evidence == "4 of 5 members"


def test_r6_by_its_parts():
    calm = {f"entropy_{k}": [0.5, 0.7] * 20 for k in range(5)}
    losses = {f"nll_{k}": [1.0, 1.2] * 20 for k in range(5)}

    def r6(entropy, nll):
        return confidence.r6(pd.DataFrame({"entropy": entropy, "nll": nll, **calm, **losses}), 5)

    lower, higher = [0.8, 0.9] * 20, [1.1, 1.2] * 20
    assert r6([0.9, 0.9] * 20, lower).verdict == "supported"
    assert r6([0.9, 0.9] * 20, higher).verdict == "undecided"
    assert r6([0.4, 0.7] * 20, lower).verdict == "refuted"
    mixed = r6([1.5, 0.6] * 20, lower)  # higher in the mean, on half of the images
    assert (mixed.verdict, mixed.control) == ("supported", "does not survive")


def test_r7(settings):
    betas = settings.values(settings.arms["bottleneck"])

    def r7(effect=lambda _: {}, **changes):
        return confidence.r7(runs_of(settings, made(settings, effect, **changes)), betas)

    assert (r7().verdict, r7().n) == ("supported", 10)
    assert r7(of_form("bottleneck", {"accuracy": -0.02}, 0.0001)).verdict == "refuted"
    assert r7(of_form("bottleneck", {"accuracy": -0.02}, 0.001)).verdict == "supported"

    def rising(run):
        return {"kl": 1e9} if run["form"] == "bottleneck" and (run["lambda"], run["replicate"]) == (0.01, 4) else {}

    assert r7(rising).verdict == "refuted" and "9 of 10 seeds" in r7(rising).evidence
    assert r7(sd=0.05).verdict == r7(replicates=range(9)).verdict == r7(replicates=()).verdict == "undecided"


def test_families_are_those_of_the_rules():
    assert paper(CIFAR10).arms.keys() > paper(MNIST).arms.keys()
