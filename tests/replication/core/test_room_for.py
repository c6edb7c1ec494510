"""What does not fit is refused before anything is made."""

import os
import re
import shutil
from types import SimpleNamespace

import pytest

from replication import data as datasets
from replication.__main__ import main
from replication.core import paths, room_for
from replication.core.errors import UserError


def test_a_plan_that_fits_nowhere_is_refused_with_the_estimate(tmp_path, monkeypatch, capsys):
    text = paths.PARAMS.read_text()
    monkeypatch.chdir(tmp_path)
    paths.PARAMS.write_text(re.sub(r"      replicates: \d+", "      replicates: 1000000000", text))
    assert main(["sweep", "--scale", "demo", "--family", "autoencoder-mnist", "--minutes", "0"]) == 2
    said = capsys.readouterr().err
    where = "params.yaml, scales.demo.autoencoder-mnist: widths x lambdas x replicates"
    assert f"{where} are at least 6,000,000,000 runs, which need about" in said
    assert "18.0 TB of memory and 48.0 TB of disk. There are" in said and len(said.splitlines()) <= 3


@pytest.mark.parametrize(
    ("number", "text"), [(999, "999 bytes"), (1500, "1.5 kB"), (2.5e9, "2.5 GB"), (8e15, "8,000.0 TB")]
)
def test_sizes_in_words(number, text):
    assert room_for.size(number) == text


def test_a_disk_without_room_is_said_before_a_file_is_begun(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10_000))
    room_for.check_disk(tmp_path / "new" / "data", 10_000)
    with pytest.raises(
        UserError, match=r"cannot write .*data: it needs 10\.0 kB, and the disk has 10\.0 kB left. Nothing"
    ):
        room_for.check_disk(tmp_path / "new" / "data", 10_001)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_said_before_the_first_run(tmp_path, monkeypatch):
    room_for.check_writable(tmp_path / "new" / "store")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write into .*store: Not a directory.*no run was trained"):
        room_for.check_writable(tmp_path / "file" / "store")

    def refuse(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(room_for.tempfile, "TemporaryFile", refuse)
    with pytest.raises(UserError, match=r"cannot write into .*: Permission denied. See that it can be written"):
        room_for.check_writable(tmp_path)


@pytest.mark.parametrize("call", [True, False])
def test_room_is_reserved_before_a_memory_map_is_written(tmp_path, monkeypatch, call):
    if not call:  # as on macOS
        monkeypatch.delattr(room_for.os, "posix_fallocate")
    path = tmp_path / "map"
    path.write_bytes(b"header")
    os.truncate(path, 30_000_000)  # a hole: no room is taken
    assert path.stat().st_blocks * 512 < 100_000
    room_for.reserve(path)
    assert path.stat().st_blocks * 512 >= 30_000_000
    assert path.read_bytes() == b"header" + bytes(30_000_000 - 6)


def test_a_full_disk_is_a_message_and_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(room_for.os, "posix_fallocate", full)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"train-images.npy: it needs 1.2 MB, and the disk is full. Free some space"):
        datasets.load("patterns")
    assert not [path for path in paths.prepared().iterdir() if path.name.startswith("patterns.tmp")]
    assert not (paths.prepared() / "patterns").exists()
