"""The numbers of C4 to C6 and C12 on made-up runs, by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from replication.autoencoder.statistics import effects

LAMBDAS = (0.0, 1e-3, 0.01, 1.0)


def runs(epochs, mse=lambda *_: 0.01, seeds=3, widths=(80, 140, 260)):
    rows = [
        {"width": w, "lambda": x, "replicate": k, "stopping_epoch": epochs(w, x, k), "validation_mse": mse(w, x, k)}
        for w in widths
        for x in LAMBDAS
        for k in range(seeds)
    ]
    return pd.DataFrame(rows)


def test_saved_epochs_are_a_share_of_each_seeds_own():
    """Widths 140 and 260: seeds save 50, 60, 70 % and 20, 20, 20 %; width 80 and lambda 0.001 have no part in it."""
    left = {(140, 0): 20, (140, 1): 16, (140, 2): 12}
    found = effects.saved(runs(lambda w, x, k: 40 if x < 0.01 or w == 80 else left.get((w, k), 32)))
    half = stats.t.isf(0.025, 4) * np.sqrt((2 * 10**2 / 4) * (2 / 3)) / 2  # pooled variance: (200 + 0) / 4
    assert found.value == pytest.approx(40) and (found.low, found.high) == pytest.approx((40 - half, 40 + half))
    assert (found.n, found.runs, found.architectures) == (6, 18, 2)
    assert found.text == "40 epochs become 24" and found.unit == effects.SAVED


def test_epochs_that_stay_are_said_to():
    found = effects.saved(runs(lambda *_: 34))
    assert (found.text, found.value, found.low, found.high) == ("34 epochs stay 34", 0, 0, 0)
    assert effects.saved(runs(lambda *_: 34, seeds=1)).low is None  # one seed has no spread
    assert effects.saved(runs(lambda *_: 34)[lambda table: table["lambda"] > 0]) is None


def test_the_price_is_large_less_small():
    found = effects.price(runs(lambda *_: 9, lambda _, x, k: (0.01 if x >= 0.01 else 0.003) + 1e-4 * k))
    assert found.value == pytest.approx(0.007) and (found.low, found.high) == pytest.approx((0.007, 0.007))
    assert found.text == "an MSE of 0.0031 becomes one of 0.0101" and found.runs == 24


@pytest.mark.parametrize(("off", "words"), [(0.0, "the same, to the last digit, in all 8"), (1e-5, "by +1e-05")])
def test_the_price_at_equal_epochs(off, words):
    rows = [
        {"width": w, "lambda": x, "replicate": k, "guided_mse": 0.01 + off, "baseline_mse": 0.01}
        for w in (80, 140, 260)
        for x in (0.01, 1.0)
        for k in (0, 1)
    ]
    found = effects.price_at_equal_epochs(pd.DataFrame(rows))
    assert words in found.text and found.value == pytest.approx(off) and found.n == 4


def test_a_verdict_that_hangs_on_scatter_says_so():
    """At 260 a lambda misses half of 40 by 0, 1 and 2 epochs; at 0.01 by 5 exactly, which no scatter explains."""
    low, high = stats.t.interval(0.95, 2, 1, 1 / np.sqrt(3))
    said = "epochs above half of the unguided ones, 95 % interval: width 260, lambda 1: "
    said += f"+1.0 ({low:+.1f} to {high:+.1f}, n = 3)"
    near = runs(lambda w, x, k: 20 + k if (w, x) == (260, 1.0) else 9 if x >= 0.01 else 40)
    assert effects.near_half(near) == said
    far = runs(lambda w, x, k: 20 + k if (w, x) == (260, 1.0) else 25 if x == 0.01 else 9 if x >= 0.01 else 40)
    assert effects.near_half(far) == ""
    assert effects.near_half(runs(lambda _w, x, _k: 9 if x >= 0.01 else 40)) == ""


def pairs(variant, epochs, unguided, width=260):
    rows = [
        {"variant": variant, "width": width, "lambda": 1.0, "replicate": k, "epochs_to_target": e}
        | {"unguided_to_target": u, "epoch": 9, "replayed_epoch": 9 + k}
        for k, (e, u) in enumerate(zip(epochs, unguided, strict=True))
    ]
    return pd.DataFrame(rows)


def test_c12_counts_epochs_where_all_runs_get_there():
    both = pd.concat([pairs("base", [12, 14, 13], [10, 10, 10]), pairs("exact-base", [np.nan, 9, 9], [8, 8, 8])])
    found = effects.c12(both)
    low, high = stats.t.interval(0.95, 2, 3, 1 / np.sqrt(3))
    assert found.ours.value == pytest.approx(3) and (found.ours.low, found.ours.high) == pytest.approx((low, high))
    assert found.after_control.value is None and "2 of 3 runs reach" in found.after_control.text


def test_h1_is_told_by_the_share_within_one_epoch():
    found = effects.told(pairs("published", [1] * 4, [1] * 4))
    assert (found.value, found.n, found.text) == (
        50,
        4,
        "unguided runs alone tell the last epoch of 2 of 4 guided ones to within one",
    )
