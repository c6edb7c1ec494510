"""What is known of data sets by their names is what their readers know."""

import pytest

from replication import data
from replication.core.errors import UserError
from replication.data import catalogue, cifar10, coco, drawings, imagenette, mnist, patterns
from replication.data.catalogue import check_batches, check_kind, check_role, known


@pytest.mark.parametrize("name", ["digits", "shapes"])
def test_stand_ins_in_memory_are_as_known(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images, about = data.load(name), known(name)
    assert images.train_images.shape == (about.train, about.colours, about.side, about.side)
    assert len(images.validation_images) == about.validation


def test_the_others_are_as_their_readers_know():
    for module in (mnist, cifar10):
        about = known(module.__name__.rpartition(".")[2])
        assert {"train": about.train, "validation": about.validation} == module.COUNTS
    assert (known("cifar10").colours, known("cifar10").side) == cifar10.SHAPE[:2]
    for version, counts in imagenette.COUNTS.items():
        about = known(f"imagenette-{version}")
        assert {"train": about.train, "validation": about.validation} == counts and about.side == imagenette.SIZE
    about = known("patterns")
    assert {"train": about.train, "validation": about.validation} == patterns.COUNTS["v1"]
    assert about.side == patterns.SIZE and known("drawings").side == drawings.SIZE
    assert [known("drawings").train, known("drawings").validation] == list(drawings.COUNTS.values())
    assert known("coco-320-60").side == coco.SIZE and known("coco-crowds-320-60").train == 320
    assert known("coco-keras-crowds-320-60") == known("coco-320-60")
    assert known("imagenette-keras-v1") == known("imagenette-v1") and known("imagenette-v2-64").side == 64
    assert set(catalogue.NAMED) >= {*data.NAMES, *data.MAPPED_STAND_INS}


@pytest.mark.parametrize(
    "name",
    [
        "coco",
        "coco-0-1",
        "coco-1-0",
        "coco-118288-1",
        "coco-118287-5001",
        "coco-01-1",
        "imagenette",
        "imagenette-v3",
        "imagenette-v1-064",
        "own",
    ],
)
def test_nothing_is_known_of_others(name):
    assert known(name) is None


def test_all_of_coco_may_be_used():
    assert known("coco-118287-5000").train == 118_287


def test_a_data_set_of_another_kind_or_role():
    assert check_kind("mnist", "small images", "here") == known("mnist") and check_kind("own", "masks", "here") is None
    with pytest.raises(UserError, match=r"^params.yaml, here.dataset: drawings has images with a mask each, and small"):
        check_kind("drawings", "small images", "here")
    check_role("digits", "mnist", "here")
    check_role("coco-320-60", "coco-sample", "here")
    check_role("digits", "letters", "here")
    with pytest.raises(UserError, match=r"^params.yaml, here.dataset: digits is, or stands in for, mnist: .* says cif"):
        check_role("digits", "cifar10", "here")


def test_a_batch_has_at_most_all_images():
    check_batches(known("patterns"), [1, 96], "here")
    check_batches(None, [10**9], "here")
    with pytest.raises(UserError, match=r"here: a batch of 97 is more than the 96 training images"):
        check_batches(known("patterns"), [97, 1], "here")
