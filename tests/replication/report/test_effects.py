"""Where numbers stand on their axes, by hand."""

import pytest

from replication.report import effects


def measure(value, low=None, high=None, unit="accuracy", n=5):
    return {"value": value, "low": low, "high": high, "unit": unit, "n": n, "counted": "pairs", "text": ""}


def claim(published, ours, after=None, verdict="partly"):
    return {"id": "C7", "title": "A", "verdict": verdict, "published": published, "ours": ours, "after_control": after}


def test_an_effect_is_drawn_as_a_share_of_the_published_one():
    [row] = effects.forest([claim(measure(0.005), measure(0.0025, 0.0, 0.0075), measure(0.0))])
    ours, after = row.marks["ours"], row.marks["after_control"]
    assert (ours.at, ours.low, ours.high) == pytest.approx((50, 100 / 3, 250 / 3)) and not ours.outside
    assert after.at == pytest.approx(100 / 3) and after.width == 0
    assert row.said == "C7, A: ours 0.50 of the published effect; after the control 0.00 of the published effect"


def test_a_negative_published_effect_keeps_the_ends_in_order():
    [row] = effects.forest([claim(measure(-2.0), measure(-1.0, -3.0, 1.0))])
    assert row.shares["ours"] == 0.5 and row.marks["ours"].width == pytest.approx(100 * 2 / 3)


def test_what_lies_outside_is_drawn_at_the_edge():
    [row] = effects.forest([claim(measure(1.0), measure(5.0))])
    assert row.marks["ours"].at == 100 and row.marks["ours"].outside


@pytest.mark.parametrize(
    ("published", "ours"),
    [
        (measure(None), measure(1.0)),
        (measure(0.0), measure(1.0)),
        (measure(1.0), None),
        (measure(1.0, unit="MSE"), measure(1.0)),
    ],
)
def test_claims_without_two_numbers_of_a_kind_are_left_out(published, ours):
    assert effects.forest([claim(published, ours)]) == []


def test_stand_in_data_have_no_part_in_it():
    assert effects.forest([claim(measure(1.0), measure(1.0), verdict="not tested (stand-in data)")]) == []


def test_a_control_that_asks_something_else_has_no_mark():
    [row] = effects.forest([claim(measure(1.0), measure(1.0), measure(3.0, unit="p"))])
    assert list(row.marks) == ["ours"]


def test_a_claims_own_axis_begins_at_zero_and_holds_the_intervals():
    found = effects.chart(claim(measure(75.0), measure(68.9, 60.0, 80.0), measure(0.0)))
    at = {mark.kind: mark.at for mark in found.marks}
    assert at["after_control"] == found.zero == pytest.approx(100 * 0.06 / 1.12)
    assert max(mark.high for mark in found.marks) == pytest.approx(100 * 1.06 / 1.12)
    assert found.texts == {"published": "75", "ours": "69", "after_control": "0"}
    assert effects.chart(claim(measure(None), measure(1.0))) is None
    assert effects.chart(claim(measure(0.0), measure(0.0))) is None


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (measure(0.0078, 0.007789, 0.007852, n=50), "95 % interval 0.007789 to 0.007852, n = 50 pairs"),
        (measure(-0.0012, -0.0048, 0.0024), "95 % interval \N{MINUS SIGN}0.0048 to 0.0024, n = 5 pairs"),
        (measure(0.0, 0.0, 0.0), "no spread at all, n = 5 pairs"),
        (measure(1.0, n=None), "interval not available"),
    ],
)
def test_an_interval_has_two_digits_of_its_width(found, words):
    assert effects.said_interval(found) == words


def test_a_number_has_its_unit():
    said = effects.said_number(measure(68.86, 68.7, 69.0, "% of the epochs saved"))
    assert said == "69 % of the epochs saved, 95 % interval 68.70 to 69.00, n = 5 pairs"
    assert effects.said_number(measure(None, unit="")) == "interval not available; n = 5 pairs"
