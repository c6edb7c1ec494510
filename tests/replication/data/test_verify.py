"""Nothing is trained on data that are not those of the manifest."""

import json
import os

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from replication import data as datasets
from replication.core import paths
from replication.core.errors import UserError
from replication.data import verify
from replication.data.images import ImageSet
from replication.data.verify import hashes, verified

MANIFEST = paths.manifest("demo", "role")


@pytest.fixture
def digits(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    datasets.prepare("demo", "role", "digits")
    return datasets.load("digits")


def changed(images, **tensors):
    return ImageSet(**(vars(images) | tensors))


def test_the_hashes_are_the_manifests_and_know_the_order(digits):
    found = verified("digits", digits, MANIFEST)
    described = json.loads(MANIFEST.read_text())
    assert [found[split] for split in ("train", "validation")] == [
        described[split]["content"] for split in ("train", "validation")
    ]
    swapped = torch.arange(len(digits.train_images)).flip(0)
    other = changed(digits, train_images=digits.train_images[swapped], train_labels=digits.train_labels[swapped])
    assert verified("digits", other, MANIFEST) == found | {"order": hashes("digits", other)["order"]}
    assert hashes("digits", other)["order"] != found["order"]


def flipped(images):
    some = images.validation_images.clone()
    some.view(-1)[5] ^= 1
    return changed(images, validation_images=some)


@pytest.mark.parametrize(
    "damage",
    [
        flipped,
        lambda images: changed(images, train_images=255 - images.train_images),
        lambda images: changed(images, train_images=images.train_images[::2], train_labels=images.train_labels[::2]),
        lambda images: changed(images, train_labels=images.train_labels.flip(0)),
    ],
    ids=["one bit", "inverted", "half", "labels"],
)
def test_other_data_are_refused(digits, damage):
    with pytest.raises(
        UserError, match=r"digits is not the one that .*role\.json describes: the \w+ split has the cont"
    ):
        verified("digits", damage(digits), MANIFEST)


def test_another_data_sets_manifest_says_nothing(digits):
    MANIFEST.write_text(json.dumps(json.loads(MANIFEST.read_text()) | {"dataset": "mnist"}))
    assert verified("digits", digits, MANIFEST) == verified("digits", digits) == hashes("digits", digits)


@pytest.mark.usefixtures("digits")
def test_a_file_that_was_changed_is_told_by_what_it_carries():
    """Stand-ins have no manifest where nothing but a sweep is called."""
    path = paths.prepared() / "digits.safetensors"
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    changed_ = datasets.load("digits")
    with pytest.raises(UserError, match=r"digits is not the one that .*digits\.safetensors describes"):
        verified("digits", changed_)
    save_file(vars(changed_), path)  # as before files carried hashes
    assert verified("digits", datasets.load("digits")) == hashes("digits", changed_)


def test_official_data_are_known_without_a_manifest(tmp_path, monkeypatch, images):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"the prepared data set mnist is not the one that mnist.py describes"):
        verified("mnist", images)


def test_memory_maps_are_read_once_then_known_by_size_and_time(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = verified("patterns", datasets.load("patterns"))
    monkeypatch.setattr(verify, "hashes", lambda *_: pytest.fail("read again"))
    assert verified("patterns", datasets.load("patterns")) == found
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    path = paths.prepared() / "patterns" / "train-images.npy"
    before = path.stat()
    stored = np.load(path, mmap_mode="r+")
    stored[0, 0, 0, 0] ^= 1
    stored.flush()
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    with pytest.raises(UserError, match=r"patterns is not the one that .*about\.json describes: the train split"):
        verified("patterns", datasets.load("patterns"))


def test_the_same_bytes_in_another_shape_are_other_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    digits = datasets.load("digits")
    n, channels, height, width = digits.train_images.shape
    wide = changed(digits, train_images=digits.train_images.reshape(n, channels, height // 2, 2 * width))
    assert hashes("digits", wide) == hashes("digits", digits)
    with pytest.raises(UserError, match=r"images of the train split have the shape \[1, \d+, \d+\], expected \[1, "):
        verified("digits", wide)
    flat = vars(digits) | {"train_images": digits.train_images.reshape(n, -1)}
    save_file(flat, path := paths.prepared() / "digits.safetensors")
    with pytest.raises(UserError, match=r"digits\.safetensors is damaged .* are no images \(N, C, H, W\)"):
        ImageSet.read(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.reshape(len(a), -1), "are no images"),
        (lambda a: a.astype(np.float32), "are no images"),
        (lambda a: a.reshape(len(a), a.shape[1] // 2, 2 * a.shape[2], 3), "are no images|have the shape"),
    ],
    ids=["flat", "numbers", "wide"],
)
def test_memory_maps_of_another_shape_are_other_data(tmp_path, monkeypatch, change, message):
    monkeypatch.chdir(tmp_path)
    datasets.load("patterns")
    path = paths.prepared() / "patterns" / "train-images.npy"
    np.save(path, change(np.load(path)))
    with pytest.raises(UserError, match=message):
        verified("patterns", datasets.load("patterns"))


def test_a_pipe_in_place_of_a_memory_map_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    datasets.load("patterns")
    path = paths.prepared() / "patterns" / "train-images.npy"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(UserError, match=r"patterns is damaged \(ValueError: it is no file"):
        datasets.load("patterns")


@pytest.mark.parametrize("flip", [b"order", b"train", b"stamp", b"digest"])
def test_hashes_that_were_changed_where_they_are_kept_are_found_anew(tmp_path, monkeypatch, flip):
    monkeypatch.chdir(tmp_path)
    data = datasets.load("patterns")
    found = verified("patterns", data)
    path = paths.prepared() / "patterns" / verify.SEEN
    content = path.read_bytes()
    place = content.index(flip) + len(flip) + 4  # within its value
    path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    monkeypatch.setattr(verify, "hashes", lambda *_: found)
    assert verified("patterns", data) == found
    for other in (b"{}", b"[]", b"", b"\xff", b'{"stamp": 1, "hashes": {}, "digest": ""}'):
        path.write_bytes(other)
        assert verified("patterns", data) == found
