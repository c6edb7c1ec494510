"""Who decides a claim, and on what."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from replication.core import board, paths, published
from replication.core.board import NOT_TESTED, UNDECIDED, Exhibit
from replication.core.errors import UserError
from replication.core.family import Room
from replication.core.findings import Findings
from replication.core.verdict import Effect, Hypothesis, Measure, Verdict

ROOT = Path(__file__).parents[3]
DEMO = SimpleNamespace(scale="demo")
FOUND = Verdict("reproduced", "as often as not", "survives", "with n = 5")


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/published").symlink_to(ROOT / "data/published")
    monkeypatch.chdir(tmp_path)


def exhibit(title="Some", claims=("C4",), *, stand_in=(False,), found=FOUND):
    """A room with a part for each of `stand_in`; it decides claims and one hypothesis."""
    parts = [SimpleNamespace(name=f"{title}-{k}", stand_in=value) for k, value in enumerate(stand_in)]
    room = Room(
        title=title,
        order=1,
        parts=lambda *_: parts,
        verdicts=lambda findings: {claim: found for claim in claims if findings},
        hypotheses=lambda findings: [Hypothesis("H1", name, "supported", "so it is") for name in findings],
        sections=lambda *_: [],
    )
    return Exhibit(room, parts, {part.name: Findings() for part in parts})


def written(*shown):
    board.write(DEMO, list(shown))
    found = board.read("demo")
    verdicts = {f"{one['id']}-{one['family']}".rstrip("-"): one["verdict"] for one in found["hypotheses"]}
    return {claim["id"]: claim for claim in found["claims"]}, verdicts


def test_a_claim_has_the_verdict_of_the_room_that_decides_it():
    claims, hypotheses = written(exhibit(), exhibit("Other", ("C5", "C6")))
    assert list(claims) == [f"C{k}" for k in range(1, 14)]
    for name in ("C4", "C5", "C6"):
        found = claims[name]
        assert (found["verdict"], found["evidence"]) == (FOUND.verdict, FOUND.evidence)
        assert (found["control"], found["control_evidence"]) == (FOUND.control, FOUND.control_evidence)
        assert found["rule"]
    undecided = claims["C7"]
    assert (undecided["verdict"], undecided["evidence"]) == (NOT_TESTED.verdict, NOT_TESTED.evidence)
    assert hypotheses == {"H1-Some-0": "supported", "H1-Other-0": "supported"}


def test_a_claim_that_was_not_amended_says_so():
    """None, not NaN, which a template takes for a text."""
    written_down = {claim["id"]: claim.get("amended") for claim in published.claims()}
    claims, _ = written(exhibit())
    assert {name: claim["amended"] for name, claim in claims.items()} == written_down
    assert None in written_down.values() and any(written_down.values())


@pytest.mark.parametrize("stand_in", [(True,), (False, True)])
def test_stand_in_data_decide_nothing(stand_in):
    """Not even in one part of a room: its verdicts rest on all."""
    claims, hypotheses = written(exhibit(stand_in=stand_in), exhibit("Other", ("C5",)))
    shown = claims["C4"]
    assert (shown["verdict"], shown["control"]) == (UNDECIDED, "not tested")
    assert UNDECIDED == "not tested (stand-in data, not comparable)"
    assert (shown["evidence"], shown["control_evidence"]) == (FOUND.evidence, FOUND.control_evidence)
    assert {value for name, value in hypotheses.items() if "Some" in name} == {UNDECIDED}
    assert claims["C5"]["verdict"] == "reproduced" and hypotheses["H1-Other-0"] == "supported"


def test_two_rooms_cannot_decide_one_claim():
    with pytest.raises(UserError, match=r"^two rooms decide claim C5, one of them Other: leave it to one$"):
        written(exhibit(claims=("C4", "C5")), exhibit("Other", ("C5",)))
    assert not (paths.reports("demo") / "claims.json").exists()


def test_a_hypothesis_without_a_family_has_its_name_alone():
    shown = exhibit()
    of_all = Exhibit(
        Room(
            title="All",
            order=2,
            parts=lambda *_: [],
            verdicts=lambda _: {},
            hypotheses=lambda _: [Hypothesis("H7", "", "refuted", "so it is")],
            sections=lambda *_: [],
        ),
        [],
        {},
    )
    assert written(shown, of_all)[1] == {"H1-Some-0": "supported", "H7": "refuted"}


def test_damaged_claims_say_how_to_make_them_anew():
    written(exhibit())
    (paths.reports("demo") / "claims.json").write_text("xx")
    with pytest.raises(UserError, match=r"claims\.json is damaged .*`python -m replication verdicts` makes it anew"):
        board.read("demo")


def test_claims_of_another_version_are_not_read():
    written(exhibit())
    path = paths.reports("demo") / "claims.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 0}))
    with pytest.raises(UserError, match=r"claims\.json is damaged .*version 0, and this code reads 1"):
        board.read("demo")


NUMBER = Measure("35.4 epochs become 11.0", 68.9, 68.7, 69.0, "% of the epochs saved", 50, "pairs", 250, 5)


def test_the_numbers_of_a_claim_stand_beside_what_the_paper_prints():
    numbers = Verdict("partly", "so", "survives", "", effect=Effect(ours=NUMBER, near="by 0.1"))
    claims, _ = written(exhibit(found=numbers))
    found = claims["C4"]
    assert found["ours"] == asdict(NUMBER) and found["after_control"] is None and found["near"] == "by 0.1"
    assert (found["published"]["value"], found["published"]["unit"]) == (75, "% of the epochs saved")
    assert found["title"] == "Early stopping on MNIST" and found["command"].startswith("python -m replication")
    assert found["sentence"] == "Part of it is there; the explanation survives its control."  # claims.yaml has none


def test_what_the_paper_prints_may_depend_on_what_we_ran():
    printed = Measure("+0.0052 in the one we ran", 0.0052, unit="accuracy")
    claims, _ = written(exhibit(found=replace(FOUND, effect=Effect(published=printed))))
    assert claims["C4"]["published"] == asdict(printed) and claims["C5"]["published"]["value"] == 0.007


def test_metrics_are_results_in_units_that_five_digits_can_hold():
    """DVC prints 2e-06 as 0.0: the MSE stands in ten-thousandths. No name has a dot, which would be a level."""
    price = Measure("an MSE", 0.00782, unit="MSE")
    written(
        exhibit(found=replace(FOUND, effect=Effect(ours=NUMBER))),
        exhibit("Other", ("C5",), found=Verdict("partly", "", "survives", "", effect=Effect(ours=price))),
    )
    metrics = json.loads((paths.reports("demo") / "metrics.json").read_text())
    assert (metrics["C4_epochs"], metrics["C5_mse_e4"], metrics["C4_after"], metrics["C13_more"]) == (
        68.9,
        78.2,
        None,
        None,
    )
    assert metrics["verdicts"] == "1 yes 1 partly 11 untested"
    assert not [name for name in metrics if "." in name]
    line = [max(len(name), len(str(value))) + 2 for name, value in metrics.items()]
    assert sum(line) + len("reports/paper/metrics.json") <= 150
