"""The first version's split from made-up and real names; reading, resizing and unpacking on a small folder tree."""

import collections
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision.datasets import Imagenette

from replication import data as datasets
from replication.core import paths
from replication.core.errors import UserError
from replication.data import imagenette, shapes
from replication.data.catalogue import known
from replication.data.download import file_md5
from replication.data.mapped import MappedSet
from replication.data.resizing import resized

REAL = Path(__file__).parents[3] / "data" / "raw" / "imagenette2"
COUNTS = {"v1": {"train": 3, "validation": 2}, "v2": {"train": 3, "validation": 2}}
# Folder of the second version, class, name, grey value
TREE = [
    ("train", "n02", "n02_7.JPEG", 10),
    ("train", "n02", "ILSVRC2012_val_00000005.JPEG", 20),
    ("train", "n01", "n01_31.JPEG", 30),
    ("val", "n01", "n01_4.JPEG", 40),
    ("val", "n01", "ILSVRC2012_val_00000002.JPEG", 50),
]


@pytest.fixture
def raw(tmp_path):
    folder = tmp_path / "imagenette2"
    for split, wnid, name, grey in TREE:
        path = folder / split / wnid / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (30, 20), grey).save(path)
    (folder / "train" / "n01" / ".DS_Store").write_bytes(b"no image")
    return folder


def read(raw, folder, version="v1", **options):
    imagenette.prepare(folder, version=version, raw=raw, size=8, counts=COUNTS, **options)
    return MappedSet.read(folder)


def test_a_files_name_tells_its_split_in_the_first_version(raw):
    files = {"train": list(raw.glob("train/*/*.JPEG")), "validation": list(raw.glob("val/*/*.JPEG"))}
    split = imagenette.split_v1(files)
    assert [file.name for file in split["validation"]] == [
        "ILSVRC2012_val_00000002.JPEG",
        "ILSVRC2012_val_00000005.JPEG",
    ]
    assert [file.name for file in split["train"]] == ["n01_31.JPEG", "n01_4.JPEG", "n02_7.JPEG"]


@pytest.mark.skipif(not REAL.exists(), reason="Imagenette is not under data/raw/imagenette2")
def test_the_real_names_give_the_first_version():
    files = {split: imagenette._files(REAL / folder) for split, folder in imagenette.FOLDERS.items()}
    assert {split: len(found) for split, found in files.items()} == imagenette.COUNTS["v2"]
    split = imagenette.split_v1(files)
    assert {name: len(found) for name, found in split.items()} == imagenette.COUNTS["v1"]
    # ImageNet has 50 validation images of each class, and no two images have one name
    assert set(collections.Counter(file.parent.name for file in split["validation"]).values()) == {50}
    assert len({file.name for found in split.values() for file in found}) == 13_394
    assert all(file.name.startswith(file.parent.name) for file in split["train"])


def test_images_are_read_resized_and_labelled(raw, tmp_path):
    data = read(raw, tmp_path / "v1")
    assert data.train_images.shape == (3, 8, 8, 3) and data.validation_images.shape == (2, 8, 8, 3)
    greys = data.train_images.float().mean(dim=(1, 2, 3)).round().int().tolist()
    assert greys == [30, 40, 10] and data.train_targets.tolist() == [0, 0, 1]  # by class, then name
    assert data.validation_targets.tolist() == [0, 1]
    assert data.about["validation"]["ids"] == [
        "n01/ILSVRC2012_val_00000002.JPEG",
        "n02/ILSVRC2012_val_00000005.JPEG",
    ]
    manifest = data.manifest()
    assert manifest["classes"] == ["n01", "n02"] and manifest["train"]["per_class"] == [2, 1]
    second = read(raw, tmp_path / "v2", "v2")
    assert second.train_images.float().mean(dim=(1, 2, 3)).round().int().tolist() == [30, 20, 10]
    assert second.manifest()["train"]["content"] != manifest["train"]["content"]


@pytest.mark.parametrize("resizing", ["pillow", "keras"])
def test_images_are_resized_as_the_setting_says(raw, tmp_path, resizing):
    noise = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    path = raw / "val" / "n01" / "n01_4.JPEG"
    path.unlink()
    Image.fromarray(noise).save(path.with_suffix(".png"))
    expected = resized(Image.fromarray(noise), 8, resizing)
    data = read(raw, tmp_path / "v1", resizing=resizing)
    assert np.array_equal(data.train_images[1].numpy(), expected) and data.manifest()["resizing"] == resizing


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("imagenette-v1", {"version": "v1", "size": 224, "resizing": "pillow"}),
        ("imagenette-keras-v2", {"version": "v2", "size": 224, "resizing": "keras"}),
        ("imagenette-keras-v1-64", {"version": "v1", "size": 64, "resizing": "keras"}),
    ],
)
def test_the_name_says_split_side_and_resizing(name, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = {}
    monkeypatch.setattr(imagenette, "prepare", lambda folder, **options: asked.update(options) or folder.mkdir())
    with pytest.raises(UserError, match=r"about\.json"):
        datasets.load(name)
    assert asked == expected and known(name).side == expected["size"]


def test_the_first_validation_images_come_without_preparing_the_set(raw):
    images = imagenette.first_images(2, raw)
    assert images.shape == (2, 224, 224, 3) and images.dtype == np.uint8
    assert images[:, 0, 0, 0].tolist() == [50, 20]  # by class, then by name
    with pytest.raises(UserError, match="holds 2 images of Imagenette's first validation split, 3 are needed"):
        imagenette.first_images(3, raw)


def test_another_number_of_images_is_refused(raw, tmp_path):
    (raw / "train" / "n02" / "n02_7.JPEG").unlink()
    with pytest.raises(UserError, match=r"split v1 has 2 \+ 2 images, expected 3 \+ 2. Add what is missing; or move"):
        read(raw, tmp_path / "v1")
    assert not (tmp_path / "v1").exists()


def test_hidden_files_are_no_images(raw, tmp_path):
    """What macOS leaves on other file systems, and notebooks."""
    (raw / "train" / "n01" / "._n01_31.JPEG").write_bytes(b"\0\5\x16\7")
    (raw / "train" / ".ipynb_checkpoints").mkdir()
    (raw / "train" / ".ipynb_checkpoints" / "n01_31-checkpoint.JPEG").write_bytes(b"half")
    assert read(raw, tmp_path / "v1").manifest()["classes"] == ["n01", "n02"]


@pytest.mark.parametrize("name", imagenette.OFFICIAL)
def test_the_folders_of_the_official_archives_are_found(raw, tmp_path, monkeypatch, name):
    monkeypatch.setenv("REPLICATION_DATA", str(tmp_path / "disk"))
    (tmp_path / "disk/raw").mkdir(parents=True)
    raw.rename(tmp_path / "disk/raw" / name)
    imagenette.prepare(tmp_path / "v1", version="v1", size=8, counts=COUNTS)
    assert len(MappedSet.read(tmp_path / "v1").train_images) == 3


def test_a_damaged_image_is_named(raw, tmp_path):
    (raw / "val" / "n01" / "n01_4.JPEG").write_bytes(b"half")
    with pytest.raises(UserError, match=r"n01_4.JPEG is damaged"):
        read(raw, tmp_path / "v1")
    assert not (tmp_path / "v1").exists()


def test_a_record_says_what_size_the_files_have(raw, tmp_path):
    assert read(raw, tmp_path / "v1").describe().endswith(", from files of 30 x 20 pixels")
    Image.new("L", (30, 21)).save(raw / "val" / "n01" / "n01_4.JPEG")
    data = read(raw, tmp_path / "several")
    assert data.manifest()["files"] == "several sizes" and data.describe().endswith(", from files of several sizes")


def test_a_damaged_prepared_folder_is_named(raw, tmp_path):
    read(raw, tmp_path / "v1")
    about = json.loads((tmp_path / "v1" / "about.json").read_text())
    about["train"]["ids"].append("one too many")
    (tmp_path / "v1" / "about.json").write_text(json.dumps(about))
    with pytest.raises(UserError, match=r"v1 is damaged \(ValueError: 3 images for 4 ids\): delete it"):
        MappedSet.read(tmp_path / "v1")


def test_the_official_archive_is_torchvisions():
    assert Imagenette._ARCHIVES["320px"] == (imagenette.URL, imagenette.MD5)


def test_it_is_unpacked_from_the_archive(raw, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    archive = elsewhere / "imagenette2-320.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(raw, imagenette.UNPACKED)
    monkeypatch.setattr(imagenette, "MD5", file_md5(archive))
    data = read(elsewhere / "imagenette2", tmp_path / "v1")
    assert len(data.train_images) == 3
    assert sorted(path.name for path in elsewhere.iterdir()) == ["imagenette2", archive.name]  # the user's stays


def test_the_stand_in_is_read_as_imagenette_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = datasets.prepare("demo", "imagenette", "patterns")
    assert line.startswith("patterns: 96 + 32 images")
    manifest = json.loads(paths.manifest("demo", "imagenette").read_text())
    assert manifest["train"]["shape"] == [64, 64, 3] and len(manifest["classes"]) == len(shapes.CLASSES)
    assert sum(manifest["train"]["per_class"]) == 96 and min(manifest["train"]["per_class"]) >= 9
    # drawn into other folders than the split that is rebuilt
    moved = list((paths.prepared() / "patterns-raw" / "train").rglob("ILSVRC*"))
    assert len(moved) == 4
    with pytest.raises(UserError, match="or imagenette-keras-v1 or imagenette-keras-v2"):
        datasets.load("imagenette")
