"""Findings of both families, through their file, beside what the statistics say of the records."""

import dataclasses

import pytest
from scipy import stats
from small_cnn_runs import ROOT, corner_alone, counted, made, strong, verdicts

from replication.core import findings
from replication.core.family import findings_of
from replication.core.findings import Findings
from replication.core.runs import write_table
from replication.core.settings import load
from replication.core.verdict import Effect, from_facts
from replication.small_cnn import grid, room
from replication.small_cnn.geometry import anchor
from replication.small_cnn.settings import CIFAR10, MNIST
from replication.small_cnn.statistics import claims
from replication.small_cnn.statistics import findings as statistics


@pytest.fixture
def found(few, few_mnist, tmp_path, monkeypatch):
    """Of runs with this gain: found(gain) -> findings by family."""
    monkeypatch.chdir(tmp_path)

    def make(gain):
        parameters, by_name = load("paper", ROOT / "params.yaml"), {}
        for settings in (few, few_mnist):
            part = dataclasses.replace(room.family(parameters, settings.family), settings=settings)
            write_table(part.table, made(settings, gain))
            by_name[part.name] = findings_of(part)
        return by_name

    return make


@pytest.mark.parametrize("gain", [lambda _: 0.0, strong, corner_alone])
def test_verdicts_are_those_of_the_records(found, few, few_mnist, published, gain):
    c7, h2, h3, h4 = verdicts(few, gain)
    by_name = found(gain)
    decided = {one.name: one for one in statistics.decided(by_name)}
    assert {name: one.verdict for name, one in decided.items() if name not in ("H6", "H15")} == {
        "H2": h2,
        "H3": h3,
        "H4-cnn": h4,
    }
    assert {one.family for one in decided.values()} == {""}
    mnist, cifar10 = made(few_mnist, gain), made(few, gain)
    all_layers, controls = (
        claims.Part(True, claims.c8_tests({p: own(settings, records, p) for p in placements}), planned)
        for settings, records, placements, planned in (
            (few, cifar10, ["all"], 1),
            (few_mnist, mnist, ["first", "all"], 3),
        )
    )
    c8 = claims.c8(all_layers, controls, published)
    given = {name: dataclasses.replace(v, effect=Effect()) for name, v in statistics.verdicts(by_name).items()}
    assert given == {"C7": c7, "C8": c8}


def test_the_secondary_outcome_stands_beside_the_last_epoch(found):
    """In `made` every last value stands after fourteen halves of it: the means of five are 0.6 times the last ones."""
    table = statistics.by_late_epochs(found(strong)).set_index("rule")
    assert table.index.tolist() == ["C7", "C8", "H2", "H3", "H4-cnn", "H6", "H15"]
    assert (table["last"] == table["late"]).all()  # 0.6 times every value: the same tests
    assert "+0.0060" in table.loc["C7", "evidence"]  # of 0.0100


def test_a_gain_of_the_last_epoch_alone_is_none_by_the_secondary_outcome(found, monkeypatch):
    of_frame = grid.frame
    monkeypatch.setattr(grid, "frame", lambda records: of_frame(records).assign(**{grid.LATE: 0.6}))
    table = statistics.by_late_epochs(found(strong)).set_index("rule")
    assert table.loc["C7", ["last", "late"]].tolist() == ["reproduced", "not reproduced"]


def own(settings, records, placement):
    """What counts; in a network of one block all layers are the first."""
    return [c for c in counted(settings, records, placement) if placement == "first" or c.architecture[0] > 1]


def test_without_mnist_the_claim_about_both_is_open(found):
    by_name = found(strong)
    alone = statistics.verdicts({CIFAR10: by_name[CIFAR10]})
    assert alone["C7"] == statistics.verdicts(by_name)["C7"] and alone["C8"].verdict == "inconclusive"
    nothing = statistics.verdicts({CIFAR10: Findings(), MNIST: Findings()})
    assert {claim: verdict.verdict for claim, verdict in nothing.items()} == {"C8": "not tested"}
    assert statistics.decided({MNIST: by_name[MNIST]}) == []


def test_the_random_positions_are_those_that_have_run(found, few):
    named = [anchor(run) for run in statistics.placebos.planned_runs(few)["random"] if run["lambda"] == 1]
    assert found(strong)[CIFAR10].facts["random_positions"] == [f"c{row + 1}{column + 1}" for row, column in named]


def test_the_file_holds_what_was_computed(few, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    part = dataclasses.replace(room.family(load("paper", ROOT / "params.yaml"), CIFAR10), settings=few)
    write_table(part.table, made(few, strong))
    computed = part.statistics()
    computed.write(tmp_path / "findings.json", "digest")
    again, _ = findings.read(tmp_path / "findings.json")
    for name, table in computed.tables.items():
        assert again.table(name).to_csv() == table.reset_index(drop=True).to_csv(), name
    assert from_facts(again.facts["verdicts"]["C7"]) == from_facts(computed.facts["verdicts"]["C7"])


def test_the_numbers_beside_c7_are_those_of_the_best_lambda(found, few, published):
    """A strong gain in both networks: the mean paired gain, with Student's interval over all pairs pooled."""
    effect = statistics.verdicts(found(strong))["C7"].effect
    tested = counted(few, made(few, strong))
    gains = [choice.gains[choice.chosen] for choice in tested]
    assert effect.ours.value == pytest.approx(sum(gain.mean() for gain in gains) / 2)
    error = (sum(gain.var(ddof=1) for gain in gains) / 2 * 2 / 10) ** 0.5 / 2
    assert effect.ours.high - effect.ours.value == pytest.approx(stats.t.isf(0.025, 18) * error)
    assert (effect.ours.n, effect.ours.runs, effect.ours.architectures) == (20, 140, 2)
    assert effect.published.value == pytest.approx(published["delta_validation_accuracy"].mean())
