"""What is said of a value in params.yaml that does not fit."""

import math
from typing import Literal

import pytest

from replication.core.errors import UserError
from replication.core.schema import (
    LARGEST,
    Lambdas,
    NotNegative,
    Number,
    Positive,
    Share,
    Struct,
    Whole,
    Widths,
    check_keys,
    read_as,
    read_some,
)


class Training(Struct, frozen=True, kw_only=True):
    rate: Positive
    dropout: Share = 0.5


class Arm(Struct, frozen=True, kw_only=True):
    widths: Widths
    form: Literal["log", "exact"] = "log"


class Grid(Struct, frozen=True, kw_only=True):
    dataset: str
    replicates: Whole
    min_delta: NotNegative
    lambdas: Lambdas
    training: Training
    form: Literal["total", "base"] = "total"
    stop: bool = True
    rows: tuple[Whole, ...] | None = None
    limit: NotNegative | None = None
    reduction: Literal["sum", "mean"] | None = None
    steps: tuple[Training, ...] = ()
    arms: dict[str, Arm] = {}
    changes: dict[str, Number] = {}


RIGHT = {"dataset": "digits", "replicates": 1, "min_delta": 0, "lambdas": [0.0, -1], "training": {"rate": 1}}
LONG = "long" * 500


def test_what_fits_is_read_as_it_is_declared():
    more = {"rows": None, "limit": 2, "arms": {"a-b": {"widths": [3]}}, "changes": {"a": 1, "b": 1.0, "c": "x"}}
    grid = read_as(Grid, RIGHT | more, "scales.demo.some")
    assert (grid.lambdas, grid.min_delta, grid.training.dropout) == ((0.0, -1.0), 0.0, 0.5)
    assert isinstance(grid.min_delta, float) and grid.arms["a-b"].widths == (3,) and grid.limit == 2
    assert [type(value) for value in grid.changes.values()] == [int, float, str]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        # unknown
        (
            {"replicate": 1, "a": 2},
            ": unknown parameter a, replicate. Known: dataset, replicates, min_delta, lambdas, ",
        ),
        ({"training": {"rate": 1, "rates": 1}}, ".training: unknown parameter rates. Known: rate, dropout"),
        ({"training": {"rate": 1, "two\nlines": 1}}, r".training: unknown parameter 'two\nlines'. Known: rate"),
        ({"training": {"rate": 1, LONG: 1}}, ".training: unknown parameter 'longlong"),
        # missing
        ({"training": {}}, ".training: missing parameter rate"),
        # another type
        ({"dataset": 3}, ".dataset: expected a text, got 3"),
        ({"dataset": None}, ".dataset: expected a text, got None"),
        ({"replicates": "two"}, ".replicates: expected a positive whole number, got 'two'"),
        ({"replicates": 1.5}, ".replicates: expected a positive whole number, got 1.5"),
        ({"min_delta": "small"}, ".min_delta: expected a number, not negative, got 'small'"),
        ({"lambdas": 0.1}, ".lambdas: expected a list, got 0.1"),
        ({"lambdas": {"a": 1}}, ".lambdas: expected a list, got {'a': 1}"),
        ({"training": None}, ".training: expected a mapping of names, got None"),
        ({"training": [1]}, ".training: expected a mapping of names, got [1]"),
        ({"training": {1: 2}}, ".training: expected a mapping of names, got {1: 2}"),
        ({"stop": "yes"}, ".stop: expected true or false, got 'yes'"),
        ({"rows": 3}, ".rows: expected null or a list, got 3"),
        ({"limit": "high"}, ".limit: expected null or a number, not negative, got 'high'"),
        ({"arms": [1]}, ".arms: expected a mapping of names, got [1]"),
        ({"arms": {1: {"widths": [1]}}}, ".arms: expected a mapping of names, got {1: {'widths': [1]}}"),
        ({"dataset": [LONG]}, ".dataset: expected a text, got ['longlong"),
        # a bool is no number
        ({"replicates": True}, ".replicates: expected a positive whole number, got True"),
        ({"min_delta": False}, ".min_delta: expected a number, not negative, got False"),
        ({"lambdas": [True]}, ".lambdas: expected a number, got True"),
        ({"changes": {"a": True}}, ".changes.a: expected a number or a text, got True"),
        # out of range
        ({"replicates": 0}, ".replicates: expected a positive whole number, got 0"),
        ({"min_delta": -0.1}, ".min_delta: expected a number, not negative, got -0.1"),
        ({"training": {"rate": 0}}, ".training.rate: expected a positive number, got 0"),
        ({"training": {"rate": 1, "dropout": 1}}, ".dropout: expected a number, not negative and below 1, got 1"),
        ({"training": {"rate": 1, "dropout": -1}}, ".dropout: expected a number, not negative and below 1, got -1"),
        ({"lambdas": []}, ".lambdas: expected a list that is not empty, got []"),
        ({"limit": -1}, ".limit: expected null or a number, not negative, got -1"),
        # a literal
        ({"form": "both"}, ".form: got 'both', choose one of total, base"),
        ({"form": None}, ".form: got None, choose one of total, base"),
        ({"form": LONG}, ".form: got 'longlong"),
        ({"reduction": "max"}, ".reduction: got 'max', choose one of sum, mean, null"),
        # an item of a list
        ({"lambdas": [0.0, "x"]}, ".lambdas: expected a number, got 'x'"),
        ({"lambdas": [None]}, ".lambdas: expected a number, got None"),
        ({"rows": [1, 0]}, ".rows: expected a positive whole number, got 0"),
        # nested
        ({"steps": [{"rate": 1}, {"rate": -1}]}, ".steps.rate: expected a positive number, got -1"),
        ({"steps": [{"rate": 1}, {}]}, ".steps: missing parameter rate"),
        (
            {"arms": {"a": {"widths": [1]}, "b": {"widths": [2, -1]}}},
            ".arms.b.widths: expected a positive whole number",
        ),
        ({"arms": {"a": {"widths": [1], "form": "lag"}}}, ".arms.a.form: got 'lag', choose one of log, exact"),
        ({"arms": {"a": {}}}, ".arms.a: missing parameter widths"),
        ({"arms": {"a": {"widths": [1], "x y": 2}}}, ".arms.a: unknown parameter x y. Known: widths, form"),
        ({"arms": {"a": None}}, ".arms.a: expected a mapping of names, got None"),
        ({"changes": {"a": 1, "b": [2]}}, ".changes.b: expected a number or a text, got [2]"),
        # no number
        ({"min_delta": math.nan}, ".min_delta: expected a finite number, got nan"),
        ({"min_delta": math.inf}, ".min_delta: expected a finite number, got inf"),
        ({"lambdas": [0.0, -math.inf]}, ".lambdas: expected a finite number, got -inf"),
        ({"arms": {"a": {"x": math.nan}}}, ".arms.a.x: expected a finite number, got nan"),
        ({"replicates": 10**399}, f".replicates: expected a number up to {LARGEST} in size, got a larger one"),
        ({"min_delta": -(10**399)}, f".min_delta: expected a number up to {LARGEST} in size, got a larger one"),
        ({"arms": {"a": {"widths": [10**5000]}}}, f".arms.a.widths: expected a number up to {LARGEST}"),
    ],
)
def test_every_mistake_has_a_message_of_one_line(changes, message):
    with pytest.raises(UserError) as caught:
        read_as(Grid, RIGHT | changes, "scales.demo.some")
    said = str(caught.value)
    assert said.startswith(f"params.yaml, scales.demo.some{'' if message.startswith(':') else '.'}")
    assert message in said and "\n" not in said and len(said) < 3 * 120


@pytest.mark.parametrize("raw", [None, 3, [1], "x", {1: 2}])
def test_a_part_that_is_no_mapping(raw):
    with pytest.raises(UserError, match=r"params.yaml, here: expected a mapping of names, got "):
        read_as(Grid, raw, "here")


def test_a_whole_number_is_exact_as_a_float_too():
    assert read_as(Training, {"rate": LARGEST}, "here").rate == LARGEST
    with pytest.raises(UserError, match="got a larger one"):
        read_as(Training, {"rate": LARGEST + 1}, "here")


def test_some_fields_alone():
    assert read_some(Training, {"dropout": 0}, "here") == {"dropout": 0.0}
    with pytest.raises(UserError, match=r"^params.yaml, here: unknown parameter rates. Known: lambdas, rate, dropout$"):
        read_some(Training, {"rates": 1}, "here", "lambdas")
    with pytest.raises(UserError, match=r"^params.yaml, here.rate: expected a positive number, got 0$"):
        read_some(Training, {"rate": 0}, "here")


def test_the_names_of_a_mapping():
    check_keys({"a": 1, "b": 2}, {"a", "b"}, "here")
    with pytest.raises(UserError, match=r"here: unknown parameter c, d. Known: a, b"):
        check_keys({"d": 1, "c": 2, "a": 3}, {"a", "b"}, "here")
    with pytest.raises(UserError, match="here: missing parameter b"):
        check_keys({"a": 1}, {"a", "b"}, "here")


def test_types_that_are_no_struct():
    assert read_as(dict[str, Whole], {"a": 1}, "here") == {"a": 1}
    with pytest.raises(UserError, match=r"^params.yaml, here.b: expected a positive whole number, got 0$"):
        read_as(dict[str, Whole], {"a": 1, "b": 0}, "here")
