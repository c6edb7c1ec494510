"""The parts of examples/ray.sbatch, with stand-ins for SLURM's commands."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "examples" / "ray.sbatch"
pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
COMMANDS = {
    "scontrol": 'echo "$@" >> calls; printf "node1\\nnode2\\nnode3\\n"',
    "srun": 'echo srun "$@" >> calls; echo "10.0.0.7 fe80::1"',
    "squeue": 'date --date "@$(($(date +%s) + 3630))" +%Y-%m-%dT%H:%M:%S',
    "ray": 'echo ray "$@" >> calls; test -e up',
    "sleep": "touch up",
}


@pytest.fixture
def job(tmp_path):
    """job(CODE) -> what CODE prints after the script's functions are read, in a job of three machines."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, code in COMMANDS.items():
        (folder / name).write_text(f"#!/bin/bash\n{code}\n")
        (folder / name).chmod(0o755)
    environment = os.environ | {"PATH": f"{folder}:{os.environ['PATH']}", "SLURM_JOB_ID": "42"}
    environment |= {"SLURM_JOB_NODELIST": "node[1-3]", "SLURM_CPUS_PER_TASK": "16"}

    def run(code):
        command = ["bash", "-euo", "pipefail", "-c", f"source {SCRIPT}; {code}"]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run.folder = tmp_path
    return run


def calls(job):
    return (job.folder / "calls").read_text().splitlines()


def test_bash_reads_it():
    subprocess.run(["bash", "-n", SCRIPT], check=True)


def test_it_knows_its_machines_and_their_addresses(job):
    assert job("nodes").split() == ["node1", "node2", "node3"]
    assert calls(job) == ["show hostnames node[1-3]"]
    assert job("address_of node2") == "10.0.0.7\n"
    assert "--nodelist=node2 hostname --ip-address" in calls(job)[-1]


def test_the_sweep_ends_before_the_job(job):
    assert int(job("minutes")) == 55
    assert int(job("LAST_MINUTES=20; minutes")) == 40


def test_ray_gets_what_slurm_gave(job):
    job("start_on node2 --address=10.0.0.7:6379; wait")
    [call] = calls(job)
    assert "--nodelist=node2 ray start --address=10.0.0.7:6379 --num-cpus=16 --num-gpus=0" in call
    job("SLURM_GPUS_ON_NODE=8; start_on node1 --head; wait")
    assert "--num-gpus=8" in calls(job)[-1] and calls(job)[-1].endswith("--block")


def test_it_waits_for_the_head(job):
    job("wait_for 10.0.0.7:6379")
    assert calls(job) == ["ray health-check --address 10.0.0.7:6379"] * 2  # it was up at the second look


def test_the_whole_of_it(job):
    """Head first, then the workers, then the sweep with the minutes that are left; nothing stays behind."""
    activate = job.folder / ".venv/bin/activate"
    activate.parent.mkdir(parents=True)
    activate.write_text("python() { echo python $* >> calls; }\n")
    (job.folder / "up").touch()
    began = time.monotonic()
    job("main sweep --family cnn-mnist")
    found = calls(job)
    kinds = ["ray start --head" if "--head" in c else "ray start" if "ray start" in c else c.split()[0] for c in found]
    assert sorted(kinds) == sorted(["show", "srun", "ray start --head", "ray", "ray start", "ray start", "python"])
    assert "python -m replication sweep --family cnn-mnist --executor ray --address 10.0.0.7:6379 --minutes 55" in found
    assert time.monotonic() - began < 30
