"""The run explorer's data: who is compared with whom, variants in words, and numbers as recorded."""

import json
import math
from pathlib import Path

import pytest
from scipy import stats

from replication.core.family import parts_of, room_names
from replication.core.run import Run
from replication.core.runs import make_record
from replication.core.settings import load
from replication.report import explorer

ROOT = Path(__file__).parents[3]
COMMON = {"dataset": "mnist", "width": 60, "replicate": 0, "precision": "float32", "patience": 7}
UNGUIDED = {"lambda": 0.0, "form": "none", "epsilon": 0.0, "monitor": "base"}
GUIDED = {"lambda": 0.01, "form": "reciprocal", "epsilon": 1e-7, "monitor": "total"}


def record(mse=0.25, **settings):
    run = Run("autoencoder-mnist", COMMON | settings)
    return make_record(run, {"validation_mse": mse}, {"validation_mse": [1.0, mse]}, 12.3456, {})


def group(*records):
    return explorer.Group("autoencoder-mnist", records)


@pytest.fixture(scope="module")
def paper():
    """The groups of the committed run tables."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        parameters = load("paper")
        parts = [part for name in room_names(parameters) for part in parts_of(parameters, name)]
        return list(explorer.groups(parts, list(parameters.families)))


def test_a_guided_run_has_the_unguided_run_of_its_seed_that_was_trained_alike():
    found = group(
        record(**UNGUIDED),
        record(**UNGUIDED | {"replicate": 1}),
        record(**UNGUIDED | {"precision": "float64"}),
        record(**UNGUIDED | {"patience": 200}),
        record(**UNGUIDED | {"rate_factor": 2.0}),
        record(**GUIDED),
        record(**GUIDED | {"precision": "float64", "monitor": "base"}),
        record(**GUIDED | {"replicate": 2}),
    )
    assert found.unguided() == [None, None, None, None, 0, 0, 2, None]


def test_in_the_paper_they_share_seeds_and_what_is_trained(paper):
    pairs = 0
    for each in paper:
        for mine, place in zip(each.records, each.unguided(), strict=True):
            if place is None:
                continue
            pairs += 1
            other = each.records[place]
            one, two = (Run(found["family"], found["run"]) for found in (mine, other))
            assert other["run"]["lambda"] == 0
            assert [one.seed(purpose) for purpose in ("weights", "order")] == [
                two.seed(purpose) for purpose in ("weights", "order")
            ]
            for name in ("precision", "patience", "max_epochs", "epochs", "min_delta"):
                assert one.settings.get(name) == two.settings.get(name)
    assert pairs > 1300


def test_in_the_paper_only_guided_runs_whose_unguided_one_is_missing_have_none(paper):
    for each in paper:
        plain = {
            Run("x", {n: v for n, v in found["run"].items() if n in ("width", "blocks", "replicate", "precision")}).key
            for found in each.records
            if found["run"]["lambda"] == 0
        }
        for mine, place in zip(each.records, each.unguided(), strict=True):
            if place is None and mine["run"]["lambda"] != 0:
                alike = {n: v for n, v in mine["run"].items() if n in ("width", "blocks", "replicate", "precision")}
                assert Run("x", alike).key not in plain


def test_every_committed_run_is_there_once(paper):
    lines = [len((ROOT / f"data/runs/paper/{each.name}.jsonl").read_text().splitlines()) for each in paper]
    assert [len(each.records) for each in paper] == lines
    assert [each.name for each in paper][:2] == ["autoencoder-mnist", "autoencoder-mnist-calibration"]


def test_a_variant_says_what_is_not_as_in_most_runs():
    found = group(
        record(**UNGUIDED),
        *(record(**GUIDED | {"replicate": k}) for k in range(5)),
        record(**GUIDED | {"epsilon": 0.001}),
        record(**GUIDED | {"monitor": "keras", "precision": "float64"}),
        record(**GUIDED | {"form": "exact", "epsilon": 0.0, "inputs": "most-variable"}),
    )
    said = [found.variant(one["run"]) for one in found.records]
    assert said[:2] == ["unguided", "modified form"]
    assert said[-3:] == [
        "modified form, epsilon 0.001",
        "modified form, float64, Keras's mean of error plus penalty watched",
        "exact form, the most variable inputs",
    ]
    assert found.about == (
        "Unless a variant says otherwise: float32, epsilon 1e-07, error plus penalty watched. "
        "All of these runs: mnist, width 60, patience 7."
    )


def test_what_no_majority_says_is_always_said():
    found = group(record(**UNGUIDED), *(record(**GUIDED | {"epsilon": 10.0**-k}) for k in (1, 2, 3)))
    assert [found.variant(one["run"]) for one in found.records][1:] == [
        f"modified form, epsilon {10.0**-k:g}" for k in (1, 2, 3)
    ]


def test_a_family_may_have_no_form():
    runs = [{"width": 2, "lambda": value, "replicate": 0} for value in (0.0, 1.0)]
    found = explorer.Group("toy", [make_record(Run("toy", run), {}, {}, 1.0, {}) for run in runs])
    assert [found.variant(run) for run in runs] == ["unguided", "guided"] and found.unguided() == [None, 0]


def test_networks_in_words():
    assert explorer.network({"width": 60}) == "width 60"
    assert explorer.network({"blocks": 1, "width": 32}) == "1 block of width 32"
    assert explorer.network({"blocks": 2, "width": 64}) == "2 blocks of width 64"
    assert explorer.network({"widths": "4-8"}) == "widths 4-8"
    assert explorer.network({"row": 3}) == "network"


def test_the_page_gets_six_digits_and_null_for_what_is_not_finite():
    found = group(record(**UNGUIDED, mse=0.123456789), record(**GUIDED, mse=math.nan))
    [family] = json.loads(explorer.content([found]))["families"]
    first, second = family["runs"]
    assert family["metrics"] == family["histories"] == ["validation_mse"]
    assert first[0] == found.records[0]["key"] and first[1] == "width 60" and first[5] == 12.346
    assert first[7:] == [[0.123457], [[1, 0.123457]]]
    assert second[4] == 0 and second[7:] == [[None], [[1, None]]]
    settings = family["shared"] | dict(zip(family["varied"], second[6], strict=True))
    assert settings == found.records[1]["run"]


def test_no_text_of_a_record_can_end_the_script():
    text = "</script><script>alert(1)</script>"
    found = group(record(**UNGUIDED), record(**GUIDED | {"form": text}))
    content = explorer.content([found])
    assert "<" not in content and json.loads(content)["families"][0]["variants"][1] == text.replace("-", " ")


def test_the_quantiles_are_students():
    quantiles = json.loads(explorer.content([]))["t"]
    assert quantiles[8] == pytest.approx(stats.t.ppf(0.975, 9), abs=1e-3) and quantiles[0] == pytest.approx(12.706)
