"""An archive is unpacked whole, into its folder and nowhere else."""

import io
import shutil
import tarfile
import zipfile
from types import SimpleNamespace

import pytest

from replication.core.errors import UserError
from replication.data.archives import check_member, unpack

MEMBERS = {"inner/a.txt": b"a", "inner/deep/b.txt": b"b" * 2000}


def zipped(path, members):
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)


def tarred(path, members):
    with tarfile.open(path, "w:gz") as file:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))


WAYS = {"x.zip": zipped, "x.tgz": tarred}


@pytest.mark.parametrize("name", WAYS)
def test_a_whole_archive_becomes_its_inner_folder(name, tmp_path):
    WAYS[name](tmp_path / name, MEMBERS)
    (tmp_path / "data.tmp").mkdir()  # of an unpacking that was killed
    (tmp_path / "data.tmp" / "old").write_text("old")
    unpack(tmp_path / name, "inner", tmp_path / "data")
    assert (tmp_path / "data" / "a.txt").read_bytes() == b"a"
    assert (tmp_path / "data" / "deep" / "b.txt").read_bytes() == b"b" * 2000
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", name]


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("member", ["../beside.txt", "inner/../../beside.txt", "/tmp/beside-of-a-test.txt", "c:\\x"])
def test_a_member_that_would_leave_the_folder_is_refused(name, member, tmp_path):
    inner = tmp_path / "in"
    inner.mkdir()
    WAYS[name](inner / name, {"inner/a.txt": b"a", member: b"x"})
    with pytest.raises(UserError, match=r"damaged .*would leave the folder.*: delete it, and it is fetched again"):
        unpack(inner / name, "inner", inner / "data")
    assert [path.name for path in inner.iterdir()] == [name]
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_links_are_passed_over(tmp_path):
    with tarfile.open(tmp_path / "x.tgz", "w:gz") as file:
        link = tarfile.TarInfo("inner/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        file.addfile(link)
        info = tarfile.TarInfo("inner/a.txt")
        file.addfile(info, io.BytesIO(b""))
    unpack(tmp_path / "x.tgz", "inner", tmp_path / "data")
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["a.txt"]


@pytest.mark.parametrize("name", WAYS)
def test_what_is_no_archive_or_too_large_is_refused(name, tmp_path, monkeypatch):
    (tmp_path / name).write_bytes(b"no archive")
    with pytest.raises(UserError, match="is damaged"):
        unpack(tmp_path / name, "inner", tmp_path / "data")
    WAYS[name](tmp_path / name, {"other/a.txt": b"a"})
    with pytest.raises(UserError, match="it has no folder inner"):
        unpack(tmp_path / name, "inner", tmp_path / "data")
    WAYS[name](tmp_path / name, MEMBERS)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2000))
    with pytest.raises(UserError, match=r"cannot write .*it needs 2\.0 kB, and the disk has 2\.0 kB left"):
        unpack(tmp_path / name, "inner", tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_a_plain_name_is_fine():
    check_member("000000000001.jpg")
    for name in ("", ".", "a/..", "..", "/a"):
        with pytest.raises(ValueError, match="would leave"):
            check_member(name)
