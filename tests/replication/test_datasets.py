import json
from pathlib import Path

import pytest
import torch

from replication import datasets, paths
from replication.datasets import digits, mnist
from replication.datasets.images import ImageSet
from replication.errors import UserError

RAW = Path(__file__).parents[2] / "data" / "raw"


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
    path = paths.PREPARED / "digits.safetensors"
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
    with pytest.raises(UserError, match="damaged file"):
        mnist.read(tmp_path)
