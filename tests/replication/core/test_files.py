"""A file is whole or not there."""

import json

import pytest
from safetensors import SafetensorError

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
