"""A file that may not grow further, as on a full disk: path, bytes needed, and what was there before is kept."""

import resource

import pytest
import torch

from replication.core.errors import UserError
from replication.core.files import write_bytes, write_text
from replication.core.run import Run
from replication.data.images import ImageSet
from replication.training import checkpoints

LIMIT, NEEDED = 1 << 20, 3 << 20  # bytes


def images(number):
    """A data set whose training images have so many bytes."""
    shapes = (1, 1, 1, number), (1,), (1, 1, 1, 1), (1,)
    return ImageSet(*(torch.zeros(shape, dtype=torch.uint8) for shape in shapes))


WAYS = {
    "a text": lambda path: write_text(path, "x" * NEEDED),
    "bytes": lambda path: write_bytes(path, bytes(NEEDED)),
    "a checkpoint": lambda path: checkpoints.save(path, Run("f", {}), {"w": torch.zeros(NEEDED, dtype=torch.uint8)}),
    "a prepared data set": lambda path: images(NEEDED).save(path),
}


@pytest.fixture
def full():
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, before[1]))
    except (OSError, ValueError) as error:
        pytest.skip(f"this system sets no limit on the size of files: {error}")
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("write", WAYS.values(), ids=WAYS.keys())
@pytest.mark.usefixtures("full")
def test_what_was_there_is_kept_and_the_message_says_what_is_needed(write, tmp_path):
    path = tmp_path / "file.bin"
    path.write_bytes(b"before")
    with pytest.raises(UserError, match=r"cannot write .*file\.bin \(it needs 3,145,7\d\d bytes\).*is kept") as caught:
        write(path)
    assert str(caught.value).count("\n") < 3
    assert path.read_bytes() == b"before" and list(tmp_path.iterdir()) == [path]


@pytest.mark.usefixtures("full")
def test_the_limit_holds_here(tmp_path):
    """Else the test above would show nothing."""
    with pytest.raises(OSError, match="File too large"):
        (tmp_path / "large").write_bytes(bytes(NEEDED))
    (tmp_path / "small").write_bytes(bytes(LIMIT))
