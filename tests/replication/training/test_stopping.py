import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from replication.training.stopping import best_epoch, stopping_epoch

curves = st.lists(st.floats(0, 1), max_size=60)


def keras_rule(values, patience, min_delta):
    """Keras's EarlyStopping.on_epoch_end, mode min, written out from its documentation."""
    best, wait = math.inf, 0
    for epoch, value in enumerate(values):
        wait += 1
        if value < best - min_delta:
            best, wait = value, 0
            continue
        if wait >= patience and epoch > 0:
            return epoch + 1
    return None


@given(curves, st.integers(2, 8), st.sampled_from([0.0, 1e-4, 0.1]))
def test_follows_keras(values, patience, min_delta):
    assert stopping_epoch(values, patience, min_delta) == keras_rule(values, patience, min_delta)


@given(curves, st.integers(1, 8), st.sampled_from([1e-4, 0.01, 0.1]))
def test_no_minimum_improvement_stops_later_than_none(values, patience, min_delta):
    """Why a history that was recorded with 0 serves every minimum improvement (calibration)."""
    assert (stopping_epoch(values, patience, 0.0) or math.inf) >= (
        stopping_epoch(values, patience, min_delta) or math.inf
    )


def test_a_larger_minimum_improvement_may_stop_later_than_a_smaller_one():
    values = [1.0, 0.905, 0.8999] + [0.95] * 20
    assert [stopping_epoch(values, 7, d) for d in (0.0, 0.01, 0.1)] == [10, 9, 10]


def test_a_constant_loss_stops_after_patience_plus_one():
    assert stopping_epoch([1.0] * 20, patience=7, min_delta=0.0) == 8


def test_nan_is_no_improvement():
    assert stopping_epoch([1.0, 0.5] + [math.nan] * 7, patience=7, min_delta=0.0) == 9


@given(st.lists(st.floats(0, 1) | st.sampled_from([math.nan, math.inf, -math.inf]), max_size=20))
def test_the_best_epoch_is_the_first_of_the_lowest_that_are_numbers(values):
    epoch, value = best_epoch(values)
    finite = np.array(values)[np.isfinite(values)]
    if not len(finite):
        assert math.isnan(epoch) and math.isnan(value)
    else:
        assert value == finite.min() and values.index(value) == epoch - 1


def test_a_first_epoch_without_a_number_is_not_the_best():
    assert best_epoch([math.nan, 0.5, 0.2, math.nan, 0.2]) == (3, 0.2)
