"""R4: lambda is chosen on other seeds than those that are scored."""

import pytest
from rivals_runs import made, paper, runs_of

from replication.rivals.statistics import best


@pytest.fixture(scope="module")
def settings():
    return paper()


def r4(settings, effect, **changes):
    runs = runs_of(settings, made(settings, effect, **changes))
    planned = {name: settings.values(arm) for name, arm in settings.arms.items()}
    table = best.chosen(runs, planned)
    return table.set_index("method"), best.r4(runs, table, planned)


def test_nothing_is_best_where_nothing_differs(settings):
    table, found = r4(settings, lambda _: {})
    assert set(table.index) == set(best.METHODS) and found.verdict == "undecided"


def test_one_is_best(settings):
    table, found = r4(
        settings, lambda run: {"nll": -0.05} if run["form"] == "penalty" and run["lambda"] == 0.328 else {}
    )
    assert table.loc["penalty", "value"] == 0.328 and table.loc["penalty", "nll_difference"] == pytest.approx(
        -0.05, abs=0.003
    )
    assert found.verdict == "supported" and found.evidence.endswith("not beaten: penalty")


def test_the_choice_does_not_see_the_scored_seeds(settings):
    def lucky(run):
        return {"nll": -0.05} if (run["form"], run["lambda"]) == ("penalty", 0.244) and run["replicate"] > 4 else {}

    table, _ = r4(settings, lucky)
    assert table.loc["penalty", "value"] != 0.244 and abs(table.loc["penalty", "nll_difference"]) < 0.01


def test_a_method_that_is_beaten_is_not_best(settings):
    effects = {"penalty": -0.05, "smoothing": -0.08, "exact": -0.08}
    _, found = r4(settings, lambda run: {"nll": effects.get(run["form"], 0.0)})
    assert found.evidence.endswith("not beaten: exact, smoothing")


def test_all_seeds_are_needed(settings):
    table, found = r4(settings, lambda _: {}, replicates=range(9))
    assert table.empty and (found.verdict, found.n) == ("undecided", 0)
    records = [r for r in made(settings) if not (r["run"]["form"] == "exact" and r["run"]["replicate"] == 2)]
    runs = runs_of(settings, records)
    planned = {name: settings.values(arm) for name, arm in settings.arms.items()}
    table = best.chosen(runs, planned)
    found = best.r4(runs, table, planned)
    assert found.verdict == "undecided" and "not all seeds yet: exact" in found.evidence
