"""The first screen says what the board says, and no more."""

import pytest

from replication.report import answer


def measure(text, value=None, **named):
    return {"text": text, "value": value, "low": None, "high": None, "unit": "", "n": 5, "counted": ""} | named


def claim(name, verdict="not tested", control="not tested", ours=None, after=None):
    return {
        "id": name,
        "verdict": verdict,
        "control": control,
        "published": measure("so", 0.005),
        "ours": ours,
        "after_control": after,
    }


def board(*given, hypotheses=()):
    named = {one["id"]: one for one in given}
    claims = [named.get(f"C{k}", claim(f"C{k}")) for k in range(1, 14)]
    return {"claims": claims, "hypotheses": list(hypotheses), "runs": [{"runs": 3, "planned": 10}]}


EARLY = claim("C4", "partly", "does not survive", measure("40 epochs become 9", 77), measure("40 epochs stay 40", 0.0))


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ([], "Not known yet."),
        ([EARLY], "Mostly not."),
        ([claim("C4", "reproduced", "survives")], "In part."),
        ([claim("C4", "reproduced", "survives"), claim("C5", "not reproduced")], "In part."),
        ([claim(f"C{k}", "reproduced", "survives") for k in range(1, 14)], "Yes."),
    ],
)
def test_the_answer_in_a_word(given, word):
    assert answer.answer(board(*given), "").word == word


def test_the_explanation_stands_only_where_the_control_took_the_effect_away():
    assert "entropy does not make it" in answer.answer(board(EARLY), "").lead
    real = claim("C4", "partly", "survives", EARLY["ours"], measure("40 epochs become 10", 75))
    found = answer.answer(board(real), "")
    assert "entropy does not make it" not in found.lead and dict(found.boxes)["To train faster?"].startswith("Perhaps.")


@pytest.mark.parametrize(("low", "first"), [(0.001, "Perhaps."), (-0.001, "We have no evidence."), (None, "We have")])
def test_accuracy_rests_on_the_interval(low, first):
    given = claim("C7", "partly", "survives", measure("+0.0050 in 5 of 9 networks", 0.005, low=low, high=0.01))
    assert dict(answer.answer(board(given), "").boxes)["For accuracy?"].startswith(first)


def test_what_is_left_is_the_exact_form_where_it_is_ahead():
    ahead = {"id": "H4", "verdict": "partly", "ours": measure("17 epochs become 13")}
    boxes = [dict(answer.answer(board(hypotheses=h), "").boxes) for h in ([ahead], [ahead | {"verdict": "undecided"}])]
    assert [box["Is anything left of the idea?"].startswith("Perhaps.") for box in boxes] == [True, False]
    more = [answer.answer(board(hypotheses=[ahead, {"id": "H12", "verdict": v}]), "") for v in ("supported", "refuted")]
    told = [dict(each.boxes)["Is anything left of the idea?"] for each in more]
    assert [each.endswith("17 epochs become 13; again so in new seeds (H12).") for each in told] == [True, False]


def test_the_demo_shows_the_artefact_and_answers_nothing():
    found = answer.answer(board(EARLY), "stand-in data")
    assert found.word == ""
    assert found.lead.startswith(
        "With guidance 40 epochs become 9; with the MSE watched alone 40 epochs stay 40 (stand-"
    )


def test_verdicts_are_counted_in_their_order():
    many = [EARLY, claim("C1", "reproduced", "survives"), claim("C2", "not tested (stand-in data)")]
    found = board(*many)
    assert answer.counts(found["claims"]) == [("reproduced", 1), ("partly", 1), ("not tested", 11)]
    assert answer.answer(found, "").controls == "2 controls were run: 1 survived, 1 did not survive."
