"""What is no file where one is expected, or never ends: nobody waits for it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from replication.core.errors import Damaged, UserError
from replication.core.files import NO_FILE, bytes_of, reading
from replication.core.records import sealed
from replication.core.run import Run
from replication.core.runs import make_record, read_table
from replication.core.settings import read
from replication.core.store import Store

ROOT = Path(__file__).parents[2]
DEEP = "[" * 2000 + "]" * 2000
NINE = ", ".join(["*{}"] * 9)
LAUGHS = "a0: &a0 [1]\n" + "".join(f"a{i}: &a{i} [{NINE.format(*[f'a{i - 1}'] * 9)}]\n" for i in range(1, 7))


@pytest.fixture(params=["pipe", "device", "folder"])
def no_file(request, tmp_path):
    """The path of a pipe that nobody writes into, of a device that never ends, or of a folder."""
    path = tmp_path / "there"
    if request.param == "pipe":
        os.mkfifo(path)
    elif request.param == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    return path


def test_no_file_is_read(no_file):
    with pytest.raises(ValueError, match=NO_FILE):
        bytes_of(str(no_file))
    with pytest.raises(Damaged), reading(no_file, "move it"):
        no_file.read_bytes()
    with pytest.raises(Damaged):
        read_table(no_file)
    with pytest.raises(UserError, match=NO_FILE):
        read(no_file)


def test_in_the_store_it_is_set_aside_and_the_others_are_used(no_file, tmp_path, capsys):
    store = Store(tmp_path / "store")
    whole, other = (sealed(make_record(Run("a", {"replicate": at}), {}, {}, 1, {})) for at in (0, 1))
    store.put(whole)
    no_file.rename(store.path(other["key"]))
    assert store.take_all(store.keys()) == {whole["key"]: whole}
    assert f"{NO_FILE}. It is kept as {store.path(other['key'])}.refused" in capsys.readouterr().err
    assert store.keys() == {whole["key"]}


def test_a_link_to_nothing_is_set_aside_and_what_was_deleted_is_not_there(tmp_path, capsys):
    store = Store(tmp_path)
    store.path("0" * 16).symlink_to("nowhere")
    assert store.take_all(["0" * 16, "1" * 16]) == {}
    assert capsys.readouterr().err.count("refused: ") == 1 and store.keys() == set()


@pytest.mark.parametrize(
    "lambda_", ["&a [*a]", "&a {b: *a}", DEEP], ids=["a list in itself", "a mapping in itself", "levels"]
)
def test_values_that_do_not_end(tmp_path, lambda_):
    path = tmp_path / "params.yaml"
    path.write_text(f"lambda: {lambda_}\n")
    with pytest.raises(UserError, match=r"params.yaml, lambda.*expected at most|nested too deeply"):
        read(path)


def test_values_of_values_are_not_counted_to_their_end(tmp_path):
    """In a process of its own: it has seconds."""
    (tmp_path / "params.yaml").write_text(LAUGHS + (ROOT / "params.yaml").read_text())
    command = [sys.executable, "-m", "replication", "check", "--scale", "demo"]
    surroundings = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        command, cwd=tmp_path, env=surroundings, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2 and "params.yaml, a" in done.stderr and "Does one hold itself?" in done.stderr
