"""Measured paces: the trainers themselves, on noise, scaled to all images."""

import time

import pytest
import torch

from replication.core import timing
from replication.core.family import find
from replication.core.runs import make_record
from replication.core.settings import load
from replication.data import catalogue
from replication.data.catalogue import Known
from replication.training.trainer import Epoch

CPU = torch.device("cpu")
FAMILIES = [name for name in load("demo").families if load("demo").of_scale[name] is not None]


@pytest.mark.parametrize("name", FAMILIES)
def test_every_trainer_can_be_measured_without_data(name, tmp_path, monkeypatch):
    family = find(load("demo"), name)
    runs = [run for run in family.grid if run["lambda"] != 0]
    monkeypatch.chdir(tmp_path)
    pace = timing.pace_of(runs, family.trainer, catalogue.known(family.dataset), CPU)
    assert 0 < pace.epoch < 120 and pace.once >= 0
    assert pace.estimate == (family.room in ("imagenette", "coco_unet"))
    assert not list(tmp_path.iterdir())  # neither data nor a store is left


class Sleeping:
    """A trainer whose epochs take known times: so many seconds an image, a second more before the first."""

    SECONDS = 0.0005

    def stack_size(self, run, data, device):  # noqa: ARG002
        return 1

    def one_thread(self, run):  # noqa: ARG002
        return True

    def train(self, runs, data, device):  # noqa: ARG002
        time.sleep(0.5)
        for number in range(1, 100):
            time.sleep(self.SECONDS * len(data.train_images))
            yield Epoch(number, 1, "", [])


def test_an_epoch_is_scaled_to_all_images(make_run, monkeypatch):
    monkeypatch.setattr(timing, "find", lambda _: Sleeping())
    about = Known("small images", "mnist", 8, 1, 10_000, 1_000)
    pace = timing.pace_of([make_run(batch_size=50)], "none", about, CPU)
    assert pace.epoch == pytest.approx(5, rel=0.3) and pace.once == pytest.approx(0.5, abs=0.2)
    assert not pace.estimate and not pace.alone


class Large(Sleeping):
    """Tells its clocks: two seconds a training image, one a validation image."""

    def one_thread(self, run):  # noqa: ARG002
        return False

    def train(self, runs, data, device):  # noqa: ARG002
        [run] = runs
        assert run["max_epochs"] == run["batch_size"] == 1 and data.count("train") == 2
        train, validation = 2.0 * data.count("train"), 1.0 * data.count("validation")
        history = {"train_seconds": [train], "seconds": [train + validation]}
        yield Epoch(1, 0, "", [make_record(run, {}, history, 1, {})])


def test_training_and_validation_are_scaled_each_by_its_images(make_run, monkeypatch):
    monkeypatch.setattr(timing, "find", lambda _: Large())
    before = torch.get_num_threads()
    pace = timing.pace_of([make_run(batch_size=32)], "none", Known("masks", "coco", 8, 3, 100, 30), CPU)
    assert pace == timing.Pace(epoch=2.0 * 100 + 1.0 * 30, once=0.0, estimate=True, alone=True)
    assert torch.get_num_threads() == before
