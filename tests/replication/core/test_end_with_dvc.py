"""A stage of a `dvc` that is killed ends; what somebody started otherwise goes on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from replication.core.end_with_dvc import PROC

SRC = Path(__file__).parents[3] / "src"
STAGE = """
import sys, time
from replication.core.end_with_dvc import end_with_dvc
with end_with_dvc():
    print("on", flush=True)
    time.sleep(8)
"""
# In place of dvc: starts the stage through a shell, which waits for it.
STARTER = """
import os, subprocess, sys
subprocess.run(f"{sys.executable} stage.py; true", shell=True, env=os.environ | dict([sys.argv[1].split("=")]))
"""


@pytest.mark.skipif(not PROC.exists(), reason="only where /proc tells of processes")
@pytest.mark.parametrize(("variable", "ends"), [("DVC_STAGE=runs", True), ("OTHER=1", False)])
def test_a_stage_ends_within_seconds_of_its_dvc(tmp_path, variable, ends):
    (tmp_path / "stage.py").write_text(STAGE)
    (tmp_path / "starter.py").write_text(STARTER)
    environment = {name: value for name, value in os.environ.items() if name != "DVC_STAGE"} | {"PYTHONPATH": str(SRC)}
    command = [sys.executable, "starter.py", variable]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as dvc:
        assert dvc.stdout.readline() == "on\n"
        dvc.send_signal(signal.SIGKILL)
        killed = time.monotonic()
        dvc.stdout.read()  # until the stage, which holds the other end, is gone
        assert (time.monotonic() - killed < 4) == ends
