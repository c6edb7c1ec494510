"""What is left to train, and how long that takes: epochs expected, times measured seconds."""

import time
from types import SimpleNamespace

import pytest
import torch

from replication.core import forecast, paces, timing
from replication.core.errors import UserError
from replication.core.forecast import Forecast, Left, measure
from replication.core.paces import Pace, Paces, network
from replication.core.run import Run
from replication.core.runs import make_record
from replication.core.store import Store

CPU = torch.device("cpu")


@pytest.fixture
def known(tmp_path):
    return Paces(Store(tmp_path / "store"), CPU)


def stopping(lambda_=0.0, *, monitor="total", width=20, **changes):
    settings = {"dataset": "mnist", "width": width, "lambda": lambda_, "form": "log", "monitor": monitor}
    return Run("toy", settings | {"patience": 7, "max_epochs": 200, "batch_size": 512} | changes)


def finished(run, epochs):
    return make_record(run, {"stopping_epoch": epochs}, {}, 1, {})


def test_epochs_are_fixed_or_the_median_of_the_runs_most_alike(known):
    records = [finished(stopping(1.0, replicate=k), epochs) for k, epochs in enumerate((8, 9, 30))]
    records += [finished(stopping(0.1, width=60), 50), finished(stopping(0.0, monitor="base"), 40)]
    found = Forecast(known, records)
    assert found.epochs(stopping(1.0)) == 9  # same form, lambda, monitor and width
    assert found.epochs(stopping(1.0, width=99)) == 9  # of another width
    assert found.epochs(stopping(0.5, monitor="base")) == 40  # by the monitor alone
    assert found.epochs(stopping(1.0, monitor="keras")) == 200  # nobody like it: the most
    assert found.epochs(stopping(1.0, patience=200)) == 200  # nothing stops it
    assert found.epochs(Run("toy", {"epochs": 15})) == 15
    assert found.epochs(stopping(1.0, max_epochs=5)) == 5


def test_hours_are_measured_seconds_by_the_clock(known, monkeypatch):
    monkeypatch.setenv("REPLICATION_WORKERS", "2")
    narrow, large = Run("toy", {"width": 1, "epochs": 10}), Run("toy", {"width": 2, "epochs": 10})
    known.keep(narrow, Pace(epoch=36.0, once=10.0, estimate=False, alone=False))
    known.keep(large, Pace(epoch=360.0, once=0.0, estimate=True, alone=True))
    found = Forecast(known, [])
    assert found.seconds(narrow) == 370 and found.clock_seconds(narrow) == 185
    assert found.left([narrow]) == Left(hours=185 / 3600, estimate=False, at_most=False, untimed=0)
    unknown = Run("toy", {"width": 3, "epochs": 10})
    left = found.left([narrow, large, unknown], undescribed=4)
    assert left == Left(hours=(185 + 3600) / 3600, estimate=True, at_most=False, untimed=5)
    assert found.left([unknown]).hours is None and found.left([]).hours == 0 and found.left([], 3).hours is None


def test_hours_without_a_finished_run_are_the_most(known):
    known.keep(stopping(), Pace(epoch=1.0, once=0.0, estimate=False, alone=True))
    assert Forecast(known, []).left([stopping()]).at_most
    assert not Forecast(known, [finished(stopping(replicate=1), 9)]).left([stopping()]).at_most


def test_paces_are_kept_by_machine_and_code(known, tmp_path, monkeypatch):
    run, pace = stopping(), Pace(epoch=1.5, once=0.5, estimate=False, alone=False)
    known.keep(run, pace)
    store = Store(tmp_path / "store")
    assert Paces(store, CPU).of(run) == pace
    assert Paces(store, CPU).of(stopping(1.0)) == pace and Paces(store, CPU).of(stopping(width=60)) is None
    monkeypatch.setattr(paces.code, "digest", lambda: "another")
    assert Paces(store, CPU).of(run) is None
    assert store.keys() == set()  # it is no run


@pytest.mark.parametrize("text", ["", "{", "[]", '{"where": {}, "paces": {"toy": {"epoch": "fast"}}}'])
def test_a_damaged_file_of_paces_is_measured_anew(known, tmp_path, text):
    known.keep(stopping(), Pace(epoch=1.0, once=0.0, estimate=False, alone=True))
    known.path.write_text(text)
    assert Paces(Store(tmp_path / "store"), CPU).known == {}


def test_every_network_is_measured_once_one_of_each_family_first(known, monkeypatch):
    asked = []

    def pace_of(runs, *_):
        asked.append(network(runs[0]))
        return Pace(epoch=1.0, once=0.0, estimate=False, alone=True)

    monkeypatch.setattr(timing, "pace_of", pace_of)
    first = [stopping(width=width, replicate=k) for width in (20, 60) for k in range(2)]
    second = [Run("other", {**run.settings, "dataset": "coco-320-60"}) for run in first]
    third = [Run("strange", {**stopping().settings, "dataset": "own"})]  # nothing is known of its images
    family = SimpleNamespace(trainer="none")
    told = list(measure(known, [(family, second), (family, first), (family, third)], CPU, time.monotonic() + 60))
    assert told == asked == [network(run) for run in (first[0], second[0], first[2], second[2])]
    assert list(measure(known, [(family, first)], CPU, time.monotonic() + 60)) == []


def test_the_deadline_ends_it_and_what_cannot_be_trained_has_no_pace(known, monkeypatch):
    def slow(*_):
        time.sleep(30)

    def refused(runs, *_):
        if runs[0]["width"] == 20:
            raise UserError("too small")
        return Pace(epoch=1.0, once=0.0, estimate=False, alone=True)

    family, runs = SimpleNamespace(trainer="none"), [stopping(width=20), stopping(width=60)]
    monkeypatch.setattr(timing, "pace_of", slow)
    began = time.monotonic()
    assert len(list(measure(known, [(family, runs)], CPU, began + 0.2))) == 1 and time.monotonic() - began < 10
    monkeypatch.setattr(timing, "pace_of", refused)
    list(measure(known, [(family, runs)], CPU, time.monotonic() + 60))
    assert known.of(runs[0]) is None and known.of(runs[1]) is not None


def test_what_is_measured_is_guided_as_most_runs_are():
    runs = [stopping(), stopping(1.0, inputs="rarest"), stopping(1.0)]
    assert forecast._typical(runs) == [runs[2], runs[0], runs[1]]
