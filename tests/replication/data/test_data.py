import json
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from replication import data as datasets
from replication.core import paths
from replication.core.errors import UserError
from replication.data import cifar10, digits, mnist, shapes
from replication.data.download import file_md5
from replication.data.images import ImageSet, pixels

RAW = Path(__file__).parents[3] / "data" / "raw"


def test_the_content_hash_ignores_order_but_not_pixels_or_labels(images):
    order = torch.randperm(50, generator=torch.Generator().manual_seed(1))
    shuffled = ImageSet(
        images.train_images[order], images.train_labels[order], images.validation_images, images.validation_labels
    )
    assert shuffled.manifest() == images.manifest()
    images.train_images[0, 0, 0, 0] ^= 1
    assert shuffled.manifest() != images.manifest()


def test_prepare_writes_arrays_and_manifest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = datasets.prepare("demo", "mnist", "digits")
    assert line == "digits: 1500 + 297 images, described in data/manifests/demo/mnist.json"
    manifest = json.loads(paths.manifest("demo", "mnist").read_text())
    assert manifest["dataset"] == "digits" and manifest["train"]["shape"] == [1, 28, 28]
    assert torch.equal(datasets.load("digits").train_images, digits.read().train_images)


def test_a_damaged_prepared_file_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    datasets.load("digits")
    path = paths.prepared() / "digits.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"digits.safetensors is damaged .* delete it"):
        datasets.load("digits")


def test_digits_are_enlarged_digits():
    images = digits.read()
    assert images.train_images.shape == (1500, 1, 28, 28) and images.train_images.max() == 255
    assert set(images.validation_labels.tolist()) == set(range(10))


@pytest.mark.skipif(not (RAW / "MNIST" / "raw").exists(), reason="MNIST is not under data/raw")
def test_mnist_is_mnist():
    manifest = mnist.read(RAW).manifest()
    assert manifest["train"]["images"] == 60_000
    assert manifest["validation"]["per_class"] == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


@pytest.mark.skipif(not (RAW / "cifar-10-batches-bin").exists(), reason="CIFAR-10 is not under data/raw")
def test_cifar10_is_cifar10():
    images = cifar10.read(RAW)
    manifest = images.manifest()
    assert manifest["train"]["images"] == 50_000 and manifest["train"]["shape"] == [3, 32, 32]
    assert manifest["train"]["per_class"] == [5000] * 10 and manifest["validation"]["per_class"] == [1000] * 10
    pixels = images.train_images.numpy() / 255
    np.testing.assert_allclose(pixels.mean((0, 2, 3)), (0.49139968, 0.48215841, 0.44653091), atol=5e-9)
    np.testing.assert_allclose(pixels.std((0, 2, 3)), (0.24703223, 0.24348513, 0.26158784), atol=5e-9)


def batches(folder, colours=(1, 2, 3)):
    """Six batch files of one image each, every colour a constant."""
    folder.mkdir()
    for k, name in enumerate([*cifar10.FILES["train"], *cifar10.FILES["validation"]]):
        (folder / name).write_bytes(bytes([k]) + b"".join(bytes([colour]) * 1024 for colour in colours))


def test_cifar10_records_are_a_label_and_three_colours(tmp_path, monkeypatch):
    batches(tmp_path / cifar10.FOLDER)
    monkeypatch.setattr(ImageSet, "check", lambda *_: None)
    images = cifar10.read(tmp_path)
    assert images.train_labels.tolist() == [0, 1, 2, 3, 4] and images.validation_labels.tolist() == [5]
    assert [images.train_images[0, c].unique().tolist() for c in range(3)] == [[1], [2], [3]]


def test_cifar10_is_unpacked_from_the_official_archive(tmp_path, monkeypatch):
    batches(tmp_path / cifar10.FOLDER)
    archive = tmp_path / "raw" / "cifar-10-binary.tar.gz"
    archive.parent.mkdir()
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / cifar10.FOLDER, cifar10.FOLDER)
    monkeypatch.setattr(cifar10, "MD5", file_md5(archive))
    with pytest.raises(UserError, match=r"the train split is not CIFAR-10's \(5 images, expected 50000"):
        cifar10.read(tmp_path / "raw")
    (tmp_path / "raw" / cifar10.FOLDER / "test_batch.bin").write_bytes(b"half a record")
    with pytest.raises(UserError, match=r"test_batch.bin is damaged \(13 bytes\)"):
        cifar10.read(tmp_path / "raw")


def test_other_images_are_refused(tmp_path):
    """IDX files of the right form with the wrong content."""
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for name, count in (("train", 3), ("t10k", 2)):
        header = (2051).to_bytes(4, "big") + b"".join(n.to_bytes(4, "big") for n in (count, 28, 28))
        (folder / f"{name}-images-idx3-ubyte").write_bytes(header + bytes(count * 784))
        labels = (2049).to_bytes(4, "big") + count.to_bytes(4, "big") + bytes(count)
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(labels)
    with pytest.raises(UserError, match=r"the train split is not MNIST's \(3 images, expected 60000"):
        mnist.read(tmp_path)
    (folder / "train-images-idx3-ubyte").write_bytes(b"nonsense")
    with pytest.raises(UserError, match=r"raw is damaged .*: move the folder away"):
        mnist.read(tmp_path)


def test_mnist_is_found_under_the_names_that_other_places_give_it(tmp_path):
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for name in ("train-images.idx3-ubyte", "train-labels.idx1-ubyte", "t10k-images.idx3-ubyte"):
        (folder / name).write_bytes((2051).to_bytes(4, "big") + bytes(12))
    (folder / "t10k-labels-idx1-ubyte").write_bytes(bytes(8))
    with pytest.raises(UserError, match="move the folder away"):  # found, and damaged
        mnist.read(tmp_path)


def test_another_number_of_images_is_refused_when_they_are_prepared(tmp_path, monkeypatch, images):
    monkeypatch.chdir(tmp_path)
    images.save(paths.prepared() / "mnist.safetensors")
    with pytest.raises(
        UserError, match=r"mnist has 50 \+ 20 images, expected 60,000 \+ 10,000. Move data/prepared/mnist"
    ):
        datasets.prepare("paper", "mnist", "mnist")
    assert not paths.manifest("paper", "mnist").exists()


PREPARE = """
import sys
from replication import data
data.prepare("demo", "coco", "drawings")
"""


def test_several_processes_prepare_one_data_set(tmp_path):
    command = [sys.executable, "-c", PREPARE]
    started = [subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    said = [process.communicate()[1] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], said
    manifest = json.loads((tmp_path / "data/manifests/demo/coco.json").read_text())
    assert manifest["train"]["images"] == 128 and manifest["left_out"] == []
    left = {path.name for path in (tmp_path / "data/prepared").iterdir()}
    assert left == {"drawings", "drawings-raw", "drawings.lock"}


def test_shapes_are_ten_classes_of_colour_images():
    images = shapes.read()
    assert images.train_images.shape == (1000, 3, 32, 32) and images.validation_images.shape == (250, 3, 32, 32)
    assert torch.bincount(images.train_labels).min() > 75 and set(images.validation_labels.tolist()) == set(range(10))
    # The figure is brighter than what surrounds it: bars vary along a row far more than along a column
    kinds = {name: images.train_images[images.train_labels == k].double() for k, name in enumerate(shapes.CLASSES)}
    across, down = (kinds["bars"].mean(axis).std(-1).mean() for axis in (2, 3))
    assert across > 2 * down


def test_pixels_are_in_keras_order():
    image = torch.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    row, column, colour = 2, 3, 1
    assert pixels(image)[1, (row * 5 + column) * 3 + colour] == image[1, colour, row, column]
