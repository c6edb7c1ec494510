"""A file is whole or not there; one that cannot be read is damaged only if its bytes are."""

import gzip
import json

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from ruamel.yaml import YAML
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from replication.core.errors import UserError
from replication.core.files import reading, write_text, write_whole


def test_a_folder_is_made_and_a_file_replaced(tmp_path):
    path = tmp_path / "new" / "file.json"
    write_text(path, "first")
    write_text(path, "second")
    assert path.read_text() == "second"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        RuntimeError("file write failed"),  # torch's
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_failed_write_leaves_the_old_file_and_one_message(tmp_path, error):
    def fail(temporary):
        temporary.write_text("half")
        raise error

    path = tmp_path / "file.json"
    path.write_text("old")
    with pytest.raises(UserError, match=r"cannot write .*file\.json: .*Free some space"):
        write_whole(path, fail)
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_mistake_of_the_writer_is_no_full_disk(tmp_path):
    def fail(temporary):
        temporary.write_text("half")
        raise RuntimeError("Some tensors share memory")

    with pytest.raises(RuntimeError, match="share memory"):
        write_whole(tmp_path / "file.json", fail)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_no_full_disk(tmp_path):
    (tmp_path / "file.json").mkdir()
    with pytest.raises(UserError, match=r"cannot write .*file\.json: .*See that the path can be written"):
        write_text(tmp_path / "file.json", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["file.json"]


def test_a_damaged_file_is_one_message_with_the_remedy(tmp_path):
    message = r"a\.json is damaged .JSONDecodeError: .*: restore it"
    with pytest.raises(UserError, match=message), reading(tmp_path / "a.json", "restore it"):
        json.loads("xx")


def picture(path):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 50, 3), dtype=np.uint8)).save(path)


def decoded(path):
    with Image.open(path) as file:
        return file.convert("RGB")


def unpacked(path):
    return gzip.decompress(path.read_bytes())


def hdf5(path):
    with h5py.File(path, "w") as file:
        file["weights"] = np.ones(1000)


@pytest.mark.parametrize(
    ("name", "write", "read"),
    [
        ("a.json", lambda path: path.write_text(json.dumps([1, 2, 3])), lambda path: json.loads(path.read_text())),
        ("a.yaml", lambda path: path.write_text("a: [1, 2, 3]"), lambda path: YAML(typ="safe").load(path)),
        ("a.csv", lambda path: path.write_text('a,b\n1,2\n3,"a long text"\n'), pd.read_csv),
        ("a.csv", lambda path: path.write_text(""), pd.read_csv),
        ("a.pt", lambda path: torch.save({"a": torch.ones(1000)}, path), torch.load),
        ("a.pt", lambda path: path.write_text("not what torch.save writes"), torch.load),
        ("a.pt", lambda path: path.write_text(""), torch.load),
        ("a.safetensors", lambda path: save_file({"a": torch.ones(1000)}, path), load_file),
        ("a.npy", lambda path: np.save(path, np.ones(1000)), lambda path: np.load(path, mmap_mode="c")),
        ("a.jpg", picture, decoded),
        ("a.png", picture, decoded),
        ("a.png", lambda path: path.write_text("no picture"), decoded),
        ("a.gz", lambda path: path.write_bytes(gzip.compress(bytes(9999))), unpacked),
        ("a.gz", lambda path: path.write_text("no archive"), unpacked),
        ("a.h5", hdf5, h5py.File),
        ("none.json", lambda path: path.with_name("other.json").touch(), lambda path: path.read_text()),
    ],
)
def test_what_readers_raise_on_damaged_bytes_is_damage(tmp_path, name, write, read):
    path = tmp_path / name
    write(path)
    if path.exists():
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match=r"is damaged .*: delete it"), reading(path, "delete it"):
        read(path)


def refused(path):
    raise PermissionError(13, "Permission denied", str(path))


def worn_disk(_):
    raise OSError(5, "Input/output error")


def safetensors_refused(_):
    raise OSError("Permission denied (os error 13)")  # without a number


def full_gpu(_):
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


@pytest.mark.parametrize(
    ("read", "advice"),
    [
        (refused, "See that it can be read"),
        (worn_disk, "See that it can be read"),
        (safetensors_refused, "See that it can be read"),
        (lambda _: np.empty(1 << 50), "Free some memory"),  # a pebibyte
        (lambda _: torch.empty(1 << 50), "Free some memory"),
        (full_gpu, "Free some memory"),
    ],
)
def test_what_the_system_refuses_is_not_called_damaged(tmp_path, read, advice):
    """Else the remedy, to delete it, would cost a whole file."""
    path = tmp_path / "a.pt"
    message = rf"cannot read .*a\.pt \(.*\)\. It may be whole: keep it\. {advice} and start again$"
    with pytest.raises(UserError, match=message), reading(path, "delete it"):
        read(path)


def test_a_mistake_in_the_code_is_no_damage(tmp_path):
    with pytest.raises(ImportError), reading(tmp_path / "a.pt", "delete it"):
        raise ImportError("no module of this name")
