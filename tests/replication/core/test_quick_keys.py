"""A key made fast is the key: of any family, version, and settings that a record can hold."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from replication.core import quick_keys
from replication.core.records import key_of

names = st.text(min_size=1, max_size=8) | st.just("replicate")
values = st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.text(max_size=8)


@given(st.text(min_size=1), st.integers(0), st.dictionaries(names, values), st.integers(0))
@example("a", 1, {"width": 1, "lambda": 1e-7}, 0)
@example("a", 1, {"width": 1.0, "lambda": 1e-7}, 0)
@example("a", 1, {"width": 0.0}, 0)
@example("a", 1, {"width": -0.0}, 0)
@example("a", 1, {"family": "b", "version": 2}, 0)
@example("a", 1, {"form": '"replicate": 0', "0": '\\"replicate": 0'}, 12)
@settings(deadline=None)
def test_a_quick_key_is_that_of_the_plain_way(family, version, described, replicate):
    for each in (described, described | {"replicate": replicate}, {"replicate": replicate} | described):
        assert quick_keys.key_of(family, version, each) == key_of(family, version, each)


@pytest.mark.parametrize("replicate", [1.0, "1", -1, 0, 10**30])
def test_a_replicate_of_any_kind(replicate):
    assert quick_keys.key_of("a", 1, {"replicate": replicate}) == key_of("a", 1, {"replicate": replicate})
