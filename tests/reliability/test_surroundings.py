"""What is around a command: no home, an ASCII locale, few files, Ctrl-C while workers import, a store that vanishes."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import time

import pytest
from killed import settings

from replication.__main__ import main
from replication.core import executors, paths
from replication.core import sweep as sweeps

SWEEP = ["sweep", "--scale", "demo", "--family", "autoencoder-mnist", "--device", "cpu"]
SOURCES = os.pathsep.join(path for path in sys.path if path)


@pytest.fixture(autouse=True)
def _project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths.PARAMS.write_text(settings(3))


def start(*arguments, without=(), **surroundings):
    kept = {name: value for name, value in os.environ.items() if name not in without}
    return subprocess.Popen(
        [sys.executable, "-m", "replication", *arguments],
        env=kept | {"PYTHONPATH": SOURCES, "OMP_NUM_THREADS": "1"} | surroundings,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def test_without_a_home_and_with_few_files_a_sweep_trains():
    """32 files are enough; where one day they are not, one message says so."""
    program = [sys.executable, "-m", "replication", *SWEEP, "--workers", "2", "--only", "lambda=0"]
    kept = {name: value for name, value in os.environ.items() if name != "HOME" and not name.startswith("XDG_")}
    done = subprocess.run(
        program,
        env=kept | {"PYTHONPATH": SOURCES, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32)),
    )
    said = [line for line in done.stderr.splitlines() if "run/s" not in line]
    assert "2 trained now" in done.stdout or (done.returncode == 2 and len(said) <= 3), done.stderr


def test_in_an_ascii_locale_a_text_is_said_as_it_is():
    ascii_ = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    _, said = start("runs", "show", "\u00fc", **ascii_).communicate()
    assert "begins with '\u00fc'" in said.decode()


@pytest.mark.parametrize("seconds", [2.5, 4.5])
def test_ctrl_c_while_workers_import_says_one_thing_at_most(seconds):
    process = start(*SWEEP, "--workers", "2")
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=100)
    lines = [line for line in said.decode().splitlines() if line and "run/s" not in line and "image/s" not in line]
    assert process.returncode in (0, 130, -signal.SIGINT) and len(lines) <= 1, said.decode()


def test_a_store_that_vanishes_is_said(monkeypatch, capsys):
    def vanishing(*arguments):
        yield from executors.in_process(arguments[0], arguments[1], sweeps.choose_device("cpu"), arguments[3])
        shutil.rmtree(paths.store())

    monkeypatch.setattr(executors, "local_workers", vanishing)
    assert main(SWEEP) == 2
    said = capsys.readouterr().err
    assert "error: 4 runs that were trained now are no longer in .runs: it was deleted or changed" in said
