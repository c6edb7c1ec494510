"""COCO's masks against hand-made ones, and what happens when files are missing, damaged or too few."""

import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from replication import data as datasets
from replication.core import paths
from replication.core.errors import UserError
from replication.data import coco, drawings
from replication.data.mapped import MappedSet

HEIGHT, WIDTH = 20, 30


def rectangle(top, left, bottom, right):
    """As COCO writes a polygon, and as numpy draws it."""
    area = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    area[top:bottom, left:right] = 1
    return [left, top, right, top, right, bottom, left, bottom], area


def annotation(outline, crowd=0):
    return {"segmentation": outline, "iscrowd": crowd}


@pytest.fixture
def raw(tmp_path):
    """Eight images of train2017 and three of val2017, each of one grey and with one rectangle."""
    folder = tmp_path / "coco"
    (folder / "annotations").mkdir(parents=True)
    for split, ids in (("train2017", range(1, 9)), ("val2017", range(101, 104))):
        (folder / split).mkdir()
        images, annotations = [], []
        for id_ in ids:
            about = {"id": id_, "file_name": f"{id_}.png", "height": HEIGHT, "width": WIDTH, "license": id_ % 8}
            Image.new("L", (WIDTH, HEIGHT), id_).save(folder / split / about["file_name"])
            images.append(about)
            outline, _ = rectangle(5, 10, 15, 20)
            annotations.append({"id": id_, "image_id": id_, "category_id": 1, **annotation([outline])})
        described = {"images": images, "annotations": annotations, "categories": []}
        (folder / "annotations" / f"instances_{split}.json").write_text(json.dumps(described))
    return folder


def read(raw, folder, **counts):
    coco.prepare(folder, raw=raw, size=16, **counts)
    return MappedSet.read(folder)


def test_the_mask_is_the_union_of_all_instances():
    outline_a, a = rectangle(2, 3, 10, 12)
    outline_b, b = rectangle(8, 10, 18, 25)
    crowd = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    crowd[:, :2] = 1  # in COCO's run lengths, down the columns: no zeros, 40 ones, 560 zeros
    about = {"id": 1, "height": HEIGHT, "width": WIDTH}
    runs = {"size": [HEIGHT, WIDTH], "counts": [0, 40, 560]}
    entry = coco.Entry("train2017", about, [annotation([outline_a, outline_b]), annotation(runs, crowd=1)])
    assert np.array_equal(coco.union_mask(entry, crowds=False), a | b)
    assert np.array_equal(coco.union_mask(entry, crowds=True), a | b | crowd)
    assert not coco.union_mask(coco.Entry("train2017", about, []), crowds=True).any()


def test_images_and_masks_are_resized_together(raw, tmp_path):
    found = read(raw, tmp_path / "prepared", train=8, validation=3)
    assert found.train_images.shape == (8, 16, 16, 3) and found.validation_targets.shape == (3, 16, 16)
    assert found.about["train"]["ids"] == list(range(1, 9))
    assert [image.unique().tolist() for image in found.train_images] == [[id_] for id_ in range(1, 9)]
    _, mask = rectangle(5, 10, 15, 20)
    rows = [int((row + 0.5) * HEIGHT / 16) for row in range(16)]  # the pixel under each new pixel's centre
    columns = [int((column + 0.5) * WIDTH / 16) for column in range(16)]
    assert np.array_equal(found.train_targets[0].numpy(), mask[np.ix_(rows, columns)])
    assert found.manifest()["train"]["object_share"] == pytest.approx(mask[np.ix_(rows, columns)].mean(), abs=1e-6)


def test_the_choice_is_seeded_and_splits_share_no_image(raw, tmp_path):
    a = read(raw, tmp_path / "a", train=4, validation=6).about
    assert len(a["train"]["ids"]) == 4
    # all of val2017, and three images of train2017 that training does not use
    assert set(a["validation"]["ids"]) > {101, 102, 103} and len(a["validation"]["ids"]) == 6
    assert not {*a["train"]["ids"]} & {*a["validation"]["ids"]}
    assert read(raw, tmp_path / "b", train=4, validation=6).about == a


def test_too_few_images_are_refused_with_the_name_that_takes_them_all(raw, tmp_path):
    with pytest.raises(UserError, match=r"holds 8 images of train2017 and 3 of val2017; 9 \+ 1.*coco-8-3 takes"):
        read(raw, tmp_path / "prepared", train=9, validation=1)
    assert not (tmp_path / "prepared").exists()


def test_a_few_bad_images_are_named_and_many_are_refused(raw, tmp_path, monkeypatch):
    (raw / "train2017" / "3.png").write_bytes(b"no image")
    (raw / "val2017" / "102.png").unlink()
    with pytest.raises(UserError, match=r"more than 1% of 11 images are missing or damaged, or .*: train2017/3.png"):
        read(raw, tmp_path / "prepared", train=8, validation=3)
    monkeypatch.setattr(coco, "LARGEST_LOSS", 0.2)
    found = read(raw, tmp_path / "prepared", train=8, validation=3)
    assert found.manifest()["left_out"] == ["train2017/3.png", "val2017/102.png"]
    assert found.about["train"]["ids"] == [1, 2, 4, 5, 6, 7, 8] and len(found.train_images) == 7
    assert found.train_images[2].unique().tolist() == [4]


def test_an_image_that_the_system_refuses_is_not_left_out(raw, tmp_path, monkeypatch):
    """Too many open files, say: the data set would lack whole images, and differ from day to day."""
    opened = Image.open

    def refuse(path, *rest):
        if path.name == "3.png":
            raise OSError(24, "Too many open files")
        return opened(path, *rest)

    monkeypatch.setattr(coco, "LARGEST_LOSS", 0.2)
    monkeypatch.setattr(Image, "open", refuse)
    with pytest.raises(OSError, match="Too many open files"):
        read(raw, tmp_path / "prepared", train=8, validation=3)


def test_only_images_that_may_be_passed_on_are_shown(raw, tmp_path):
    found = read(raw, tmp_path / "prepared", train=8, validation=3)
    licences = {101: 5, 102: 6, 103: 7}  # 6 is CC BY-ND
    assert [found.about["validation"]["ids"][row] for row in found.about["shown"]] == [101, 103]
    assert all(licences[id_] in coco.FREE_LICENCES for id_ in (101, 103))


@pytest.mark.parametrize("outline", [[], None, [[]], [[1.0, 1, 9, 9]], [[1.0, 1]], "missing"], ids=str)
def test_an_object_without_an_outline_is_named_and_not_in_the_mask(raw, tmp_path, capsys, outline):
    """As other tools write an annotation that has a box only."""
    path = raw / "annotations" / "instances_train2017.json"
    described = json.loads(path.read_text())
    changed = described["annotations"][2]
    del changed["iscrowd"]
    if outline == "missing":
        del changed["segmentation"]
    else:
        changed["segmentation"] = outline
    path.write_text(json.dumps(described))
    found = read(raw, tmp_path / "prepared", train=8, validation=3)
    assert found.about["left_out"] == []
    assert [bool(mask.any()) for mask in found.train_targets] == [id_ != 3 for id_ in range(1, 9)]
    assert capsys.readouterr().err.startswith(
        f"{path}: 1 annotations have no outline, and are missing in the masks: id 3"
    )


def test_a_polygon_without_area_hides_no_other():
    outline, area = rectangle(2, 3, 10, 12)
    entry = coco.Entry("train2017", {"height": HEIGHT, "width": WIDTH}, [annotation([[1.0, 1, 9, 9], outline])])
    assert np.array_equal(coco.union_mask(entry, crowds=False), area)


@pytest.mark.parametrize("turned", [True, False])
def test_an_image_is_turned_as_its_annotations_have_it(raw, tmp_path, turned):
    """A camera held upright notes that the image has to be turned; labelling tools show it turned."""
    pixels = np.zeros((WIDTH, HEIGHT), dtype=np.uint8) if turned else np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    pixels[-len(pixels) // 2 :] = 200  # the lower half
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    Image.fromarray(pixels).save(raw / "train2017" / "1.png", exif=exif)
    first = read(raw, tmp_path / "prepared", train=8, validation=3).train_images[0].float()
    left, upper = first[:, :8].mean(), first[:8].mean()
    assert (left > 190 and 90 < upper < 110) if turned else (upper < 10 and 90 < left < 110)


def test_a_stand_in_lacks_no_image(raw, tmp_path):
    (raw / "val2017" / "102.png").unlink()
    with pytest.raises(UserError, match="more than 0% of 11 images are missing"):
        coco.prepare(tmp_path / "prepared", raw=raw, size=16, train=8, validation=3, may_lose=False)
    assert [path.name for path in tmp_path.iterdir()] == ["coco"]


def test_archives_are_fetched_and_unpacked_once(raw, tmp_path, monkeypatch):
    fetched = []

    def fetch(urls, destination, md5, attempts, instead):
        assert attempts > 3 and instead.startswith("the folder ") and len(md5) == 32
        fetched.append(urls[0])
        destination.parent.mkdir(parents=True, exist_ok=True)
        folder = {"annotations_trainval2017": "annotations"}.get(destination.stem, destination.stem)
        with zipfile.ZipFile(destination, "w") as archive:
            for path in (raw / folder).iterdir():
                archive.write(path, f"{folder}/{path.name}")
        return destination

    monkeypatch.setattr(coco, "fetch", fetch)
    elsewhere = tmp_path / "elsewhere"
    assert read(elsewhere, tmp_path / "prepared", train=8, validation=3).about["left_out"] == []
    assert [url.rpartition("/")[2] for url in fetched] == [
        "annotations_trainval2017.zip",
        "val2017.zip",
        "train2017.zip",
    ]
    assert sorted(path.name for path in elsewhere.iterdir()) == ["annotations", "train2017", "val2017"]
    read(elsewhere, tmp_path / "again", train=8, validation=3)
    assert len(fetched) == 3


def test_the_stand_in_is_coco_format_and_has_objects(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = datasets.prepare("demo", "coco", "drawings")
    assert line == "drawings: 128 + 32 images, described in data/manifests/demo/coco.json"
    manifest = json.loads(paths.manifest("demo", "coco").read_text())
    assert 0.15 < manifest["train"]["object_share"] < 0.4 and len(manifest["shown"]) == 4
    drawn = json.loads((paths.prepared() / "drawings-raw/annotations/instances_train2017.json").read_text())
    assert {type(a["segmentation"]) for a in drawn["annotations"]} == {list, dict}
    assert len(drawn["images"]) == drawings.COUNTS["train2017"]
    # objects have colour, the rest is grey: a mask by colour alone must agree with most pixels
    found = datasets.load("drawings")
    images = found.train_images.float()
    coloured = (images.amax(dim=-1) - images.amin(dim=-1)) > 60
    assert (coloured == found.train_targets.bool()).float().mean() > 0.9


def test_a_damaged_prepared_folder_and_a_wrong_name_are_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"no data set 'coco-many': write .*, coco-TRAIN-VALIDATION"):
        datasets.load("coco-many")
    datasets.load("drawings")
    path = paths.prepared() / "drawings" / "train-images.npy"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"drawings is damaged .* delete it"):
        datasets.load("drawings")
