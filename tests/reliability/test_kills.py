"""A sweep may be killed at any moment: no finished run is lost, none is trained twice, and the numbers stay."""

import random
import signal
from pathlib import Path

import pytest
from killed import DATA, Kill, Project, chain, expected_of

from replication import data as datasets

ENDS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in DATA.values():
            datasets.load(name)
    return folder / "data" / "prepared"


@pytest.mark.parametrize(("family", "steps"), [("autoencoder-mnist", range(1, 60, 2)), ("unet-coco", range(2, 60, 5))])
def test_killed_at_exact_steps(family, steps, prepared, tmp_path):
    expected = expected_of(family, tmp_path / "undisturbed", prepared)
    project = Project.at(tmp_path / "killed", family, prepared)
    chain(project, [Kill(step=step) for step in steps], expected)
    assert not project.lost and project.kills > 2


def test_killed_at_random(prepared, tmp_path):
    rng = random.Random(1)
    family = "autoencoder-mnist"
    expected = expected_of(family, tmp_path / "undisturbed", prepared)
    project = Project.at(tmp_path / "killed", family, prepared)
    chain(project, [Kill(seconds=rng.uniform(0.05, 0.5), number=number) for number in ENDS], expected)
    assert not project.lost


def test_a_lost_record_is_noticed(prepared, tmp_path):
    """The judge itself: a record that changes between two sweeps is told."""
    family = "autoencoder-mnist"
    expected = expected_of(family, tmp_path / "undisturbed", prepared)
    project = Project.at(tmp_path / "killed", family, prepared)
    project.sweep(None)
    key = min(project.finished())
    project.store.path(key).write_text("{}")
    Path(project.folder / "data/runs/demo" / f"{family}.jsonl").unlink()
    chain(project, [], expected)
    assert any("was lost, or trained again" in said for said in project.lost)
    assert any(said.endswith("was left behind") for said in project.lost)
