"""What experiments keep, in a clone with a grid of seconds: `dvc exp apply` brings back results, not settings alone.

Their results are outputs that git does not ignore and DVC does not cache: they travel in the experiment's commit.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from replication.core.runs import read_table

ROOT = Path(__file__).parents[2]
SWEEP = "runs@autoencoder-mnist"
TABLE = Path("data/runs/demo/autoencoder-mnist.jsonl")
RESULTS = ("demo/", "/data/sources/", "/data/statistics/", "/data/verdicts/", "/dvc.lock")  # of the working tree's own
pytestmark = pytest.mark.timeout(900)  # each stage is a process, and some import torch


def call(folder, *command):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("DVC_")}
    environment |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}",
        "PYTHONPATH": str(folder / "src"),
        "DVC_NO_ANALYTICS": "1",
    }
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def listed(folder, *names):
    """Files that git has, or would take, with these options or under these names."""
    told = call(folder, "git", "ls-files", "--cached", "--others", "--exclude-standard", *names)
    return [name for name in told.splitlines() if (folder / name).is_file()]


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """The working tree as git sees it, committed, with few short runs and a quick audit of the published tables."""
    folder = tmp_path_factory.mktemp("experiments") / "project"
    for name in listed(ROOT, *(word for pattern in RESULTS for word in ("-x", pattern))):
        if not name.startswith("reports/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    yaml = YAML()
    yaml.width = 200
    params = yaml.load(folder / "params.yaml")
    tiny = {"widths": [8], "test_width": 8, "replicates": 1, "max_epochs": 12, "unstopped_widths": [8]}
    params["scales"]["demo"]["autoencoder-mnist"] |= tiny | {"variant_widths": [8]}
    params["variants"] = {"float64": params["variants"]["float64"]}
    yaml.dump(params, folder / "params.yaml")
    audit = folder / "src/replication/published_tables/audit.py"
    text = audit.read_text()
    assert "\nDRAWS = 200_000" in text and "\nREPEATS = 50_000" in text
    audit.write_text(text.replace("\nDRAWS = 200_000", "\nDRAWS = 20_000").replace("= 50_000", "= 5_000"))
    call(folder, "git", "init", "-q")
    call(folder, "git", "config", "user.email", "test@example.org")
    call(folder, "git", "config", "user.name", "test")
    call(folder, sys.executable, "-c", "from dvc.utils.hydra import apply_overrides as a; a('params.yaml', [])")
    call(folder, "git", "add", "-A")
    call(folder, "git", "commit", "-qm", "clone")
    return folder


@pytest.fixture(autouse=True)
def _settings_as_committed(clone):
    yield
    call(clone, "git", "checkout", "-q", ".")


def lambdas(folder):
    return {record["run"]["lambda"] for record in read_table(folder / TABLE)}


@pytest.mark.parametrize("scale", ["demo", "paper"])
def test_apply_brings_back_a_result_and_a_value_changes_its_line_alone(clone, scale):
    result = clone / f"data/runs/{scale}/published-audit.json"
    call(
        clone,
        "dvc",
        "exp",
        "run",
        "-n",
        f"kept-{scale}",
        "-S",
        f"scale={scale}",
        "-S",
        "lambda=0.01",
        "published-audit",
    )
    lines = 1 + (scale == "paper")
    assert call(clone, "git", "diff", "--numstat", "params.yaml").split() == [str(lines), str(lines), "params.yaml"]
    made = json.loads(result.read_text())

    result.unlink()
    call(clone, "git", "checkout", "-q", "params.yaml")
    call(clone, "dvc", "exp", "apply", f"kept-{scale}")
    assert json.loads(result.read_text()) == made
    assert "\nlambda: 0.01\n" in (clone / "params.yaml").read_text()
    assert "up to date" in call(clone, "dvc", "status", "published-audit")


def test_each_experiment_brings_back_its_own_runs_wherever_it_ran(clone):
    """In the workspace, in a temporary folder, and from the queue."""
    call(clone, "dvc", "exp", "run", "-n", "here", "-S", "lambda=0.01", SWEEP)
    call(clone, "dvc", "exp", "run", "--temp", "-n", "apart", "-S", "lambda=1.0", SWEEP)
    call(clone, "dvc", "exp", "run", "--queue", "-n", "later", "-S", "lambda=[0.01,1.0]", SWEEP)
    assert lambdas(clone) == {0, 0.01}  # neither has touched the workspace
    call(clone, "dvc", "exp", "run", "--run-all")
    for name, expected in (("apart", {0, 1.0}), ("later", {0, 0.01, 1.0}), ("here", {0, 0.01})):
        call(clone, "dvc", "exp", "apply", name)
        assert lambdas(clone) == expected
        assert "up to date" in call(clone, "dvc", "status", SWEEP)


def test_results_are_no_change_of_the_code_that_a_record_names(clone):
    call(clone, "dvc", "repro", SWEEP)
    assert listed(clone, "data/runs/demo", "data/sources")  # git does not ignore them
    shutil.rmtree(clone / ".runs")
    (clone / TABLE).unlink()
    call(clone, "dvc", "repro", "-f", "-s", SWEEP)
    head = call(clone, "git", "rev-parse", "HEAD").strip()
    assert {record["environment"]["commit"] for record in read_table(clone / TABLE)} == {head}
