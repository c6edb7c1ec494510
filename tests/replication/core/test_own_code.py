"""A folder's own code runs there, or none."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from replication.core.errors import UserError
from replication.core.own_code import check_own_code

ROOT = Path(__file__).parents[3]


@pytest.fixture
def copy(tmp_path):
    """A copy of the project's code, in which a command says so."""
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    commands = tmp_path / "src/replication/core/commands.py"
    commands.write_text(f"{commands.read_text()}\n\ndef docs(_):\n    print('of the copy')\n")
    return tmp_path


def call(folder, *command, **environment):
    """With the code of this project installed."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")} | environment
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_launcher_runs_the_code_of_its_folder(copy):
    done = call(copy, sys.executable, "src/run.py", "docs")
    assert (done.returncode, done.stdout) == (0, "of the copy\n"), done.stderr
    elsewhere = call(copy.parent, sys.executable, str(copy / "src/run.py"), "docs")
    assert elsewhere.stdout == "of the copy\n"


def test_the_installed_code_is_refused_in_a_copy(copy):
    done = call(copy, sys.executable, "-m", "replication", "docs")
    assert done.returncode == 2 and done.stdout == ""
    assert f"the code in {ROOT / 'src'}, and {copy} has code of its own" in done.stderr
    assert "Write `python src/run.py`" in done.stderr


def test_a_python_without_the_packages_is_one_message(copy):
    done = call(copy, sys.executable, "-S", "src/run.py", "docs", PYTHONPATH="")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "source .venv/bin/activate" in done.stderr and len(done.stderr.splitlines()) == 2


def test_a_folder_without_code_takes_any(tmp_path):
    check_own_code(tmp_path)
    check_own_code(ROOT)
    (tmp_path / "src").mkdir()
    (tmp_path / "src/replication").symlink_to(ROOT / "src/replication")
    check_own_code(tmp_path)
    (tmp_path / "src/replication").unlink()
    (tmp_path / "src/replication").mkdir()
    with pytest.raises(UserError, match="has code of its own"):
        check_own_code(tmp_path)


def test_every_stage_starts_with_the_launcher():
    stages = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
    told = [(stage.get("do") or stage)["cmd"] for stage in stages.values()]
    commands = [command for each in told for command in (each if isinstance(each, list) else [each])]
    assert commands and [command for command in commands if not command.startswith("python3 src/run.py ")] == []
