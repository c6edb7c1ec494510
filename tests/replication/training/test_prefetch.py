"""Things made ahead: in order, few at a time, and not after the reader has gone."""

import threading

import pytest

from replication.training import prefetch
from replication.training.prefetch import ahead


def test_all_come_in_their_order():
    assert list(ahead(lambda n: n * n, range(20))) == [n * n for n in range(20)]
    assert list(ahead(str, [])) == []


def test_a_thread_makes_them_and_never_many_at_once():
    made = []

    def make(number):
        made.append(threading.current_thread())
        return number

    for used in ahead(make, range(50)):
        assert len(made) <= used + prefetch.AHEAD + 1
    assert set(made) != {threading.main_thread()} and len(made) == 50


def test_who_leaves_early_leaves_nothing_running():
    before, made = threading.active_count(), []
    for number in ahead(lambda n: made.append(n) or n, range(1000)):
        if number == 2:
            break
    assert threading.active_count() == before and len(made) <= 3 + prefetch.AHEAD


def test_a_failure_reaches_the_reader():
    numbers = ahead(lambda n: 1 / n, [1, 0])
    assert next(numbers) == 1
    with pytest.raises(ZeroDivisionError):
        next(numbers)
