"""R2, R2c, R2d and R8 on made-up measurements."""

import pandas as pd
import pytest
from rivals_runs import made, paper

from replication.rivals import grid
from replication.rivals.record import RULES
from replication.rivals.settings import UNGUIDED
from replication.rivals.statistics import frames, information

SIZES = (32, 64, 128)


@pytest.fixture(scope="module")
def settings():
    return paper()


def named(settings, effect=lambda _: {}, replicates=range(10)):
    return frames.by_arm(grid.arms(settings), made(settings, effect, replicates=replicates))


def inequality(settings, kind, added, replicates=range(10)):
    records = named(settings, lambda run: added if run["blocks"] > 1 else {}, replicates)
    kept = information.kept_rows(frames.measured(records, "layers"), frames.measured(records, "errors"))
    return information.inequality(kept, kind)


def untrained_rise(epoch, _):
    return 3.0 if epoch == 0 else 0.0


def test_falls():
    assert information.falls([3.0, 3.009, 2.0]) and not information.falls([3.0, 3.02, 2.0])
    assert not information.falls([3.0, 2.0, 2.5]) and information.falls([1.0])
    assert not information.falls([3.0, 3.008, 3.016])  # small steps add up


@pytest.mark.parametrize("kind", ["about_input", "about_labels"])
def test_the_first_two_inequalities(settings, kind):
    kept = inequality(settings, kind, {"rise": untrained_rise})
    assert (kept.verdict, kept.control, kept.n) == ("supported", "survives", 5)
    assert "100% in" not in kept.evidence and "kept in 100% of 20 measurements" in kept.evidence
    as_often = inequality(settings, kind, {})
    assert (as_often.verdict, as_often.control) == ("supported", "does not survive")
    broken = inequality(settings, kind, {"rise": lambda _, rule: 3.0 * (rule == "neighbours")})
    assert broken.verdict == "refuted"
    one_width = {"rise": lambda epoch, rule: 3.0 if epoch == 0 or rule == "median" else 0.0}
    assert (inequality(settings, kind, one_width).verdict, inequality(settings, kind, one_width).control) == (
        "supported",
        "does not survive",
    )
    few = inequality(settings, kind, {"rise": untrained_rise}, range(4))
    assert (few.verdict, few.control, few.n) == ("undecided", "not tested", 4)
    none = inequality(settings, kind, {}, ())
    assert (none.verdict, none.n) == ("undecided", 0)


def test_ten_times_the_last_block_s_outputs_is_a_control_of_the_first(settings):
    added = {"rise": untrained_rise, "scaled_bits": 3.0}
    assert inequality(settings, "about_input", added).control == "does not survive"
    assert inequality(settings, "about_labels", added).control == "survives"


def test_errors(settings):
    def errors(before, after):
        return inequality(settings, "errors", {"errors": lambda epoch: after if epoch else before})

    assert (errors((1.0, 2.0), (2.0, 1.0)).verdict, errors((1.0, 2.0), (2.0, 1.0)).control) == ("supported", "survives")
    assert errors((2.0, 1.0), (2.0, 2.009)).control == "does not survive"
    assert errors((2.0, 1.0), (2.0, 2.02)).verdict == "refuted"


def test_the_width_study_counts_measurements(settings):
    records = named(settings, lambda _: {"rise": untrained_rise})
    kept = information.kept_rows(frames.measured(records, "layers"), frames.measured(records, "errors"))
    study = information.width_study(kept).set_index(["kind", "width"])
    assert study.loc["about_input", "median"].tolist() == [0.0, 10, 1.0, 20]  # two networks, five seeds, two epochs
    assert study.loc["errors", "median"].tolist() == [1.0, 5, 1.0, 10]
    assert set(study.loc["scaled"].index) == {"power"} and set(study.loc["about_labels"].index) == set(RULES)


def r8(settings, added, replicates=range(10)):
    records = named(settings, lambda _: added, replicates)
    table = information.of_maps(frames.measured(records, "maps"))
    return table, information.r8(table, SIZES)


def test_r8(settings):
    table, found = r8(settings, {})
    assert set(table["maps"]) == set(SIZES) and len(table) == 4 * 3 * 5
    assert (found.verdict, found.control, found.n) == ("supported", "survives", 5)
    assert "widths that count: power, neighbours, median, standardised" in found.evidence
    flat = {"redundancy": lambda _: 0.5}
    assert (r8(settings, flat)[1].verdict, r8(settings, flat)[1].control) == ("undecided", "does not survive")
    assert r8(settings, {"redundancy": lambda _: -0.5})[1].verdict == "refuted"
    few = r8(settings, {}, range(4))[1]
    assert (few.verdict, few.control, few.n) == ("undecided", "not tested", 4)


def test_r8_leaves_out_widths_that_saturate(settings):
    one = r8(settings, {"saturation": {"power": 6.94, "neighbours": 6.92}})[1]  # of at most 0.99 x 7 = 6.93
    assert "widths that count: neighbours, median, standardised" in one.evidence and one.verdict == "supported"
    every = r8(settings, {"saturation": dict.fromkeys(RULES, 7.0)})[1]
    assert (every.verdict, every.control) == ("undecided", "not tested") and "count: none" in every.evidence


def test_nothing_of_nothing():
    assert information.kept_rows(pd.DataFrame(), pd.DataFrame()).empty
    assert information.r8(information.of_maps(pd.DataFrame()), SIZES).n == 0
    assert information.SIZES[0] == UNGUIDED
