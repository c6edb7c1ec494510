"""A sweep on a Ray cluster of two workers, in this machine's processes: what it loses, it trains again."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
import torch

from replication import data as datasets
from replication.core import ray_executor, ray_worker, sweep
from replication.core.errors import UserError
from replication.core.ray_cluster import joined
from replication.core.ray_executor import RayExecutor, Share
from replication.core.run import Run
from replication.core.runs import read_table, same_numbers
from replication.core.store import Store

ray = pytest.importorskip("ray", reason="ray is not installed: make test-peers")
psutil = pytest.importorskip("psutil", reason="psutil is not installed: make test-peers")
cluster_utils = pytest.importorskip("ray.cluster_utils", reason="ray is not installed: make test-peers")

ROOT = Path(__file__).parents[2]
CPU = torch.device("cpu")
TRAINER = "replication.autoencoder.training.train"
NODE = {"num_cpus": 1, "object_store_memory": 100_000_000}


@pytest.fixture(scope="module")
def cluster():
    """A head that trains nothing; every test adds its workers."""
    made = cluster_utils.Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "object_store_memory": 100_000_000, "include_dashboard": False},
    )
    yield made
    made.shutdown()


@pytest.fixture
def workers(cluster):
    """Two machines of one core."""
    nodes = [cluster.add_node(**NODE) for _ in range(2)]
    yield nodes
    for node in set(nodes) & set(cluster.worker_nodes):
        cluster.remove_node(node, allow_graceful=False)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    datasets.load("digits")


def runs(number, **changes):
    settings = {
        **{"dataset": "digits", "width": 20, "lambda": 0.01, "form": "reciprocal", "epsilon": 1e-7, "monitor": "total"},
        **{"precision": "float32", "output_activation": "sigmoid", "batch_size": 64, "learning_rate": 0.001},
        **{"patience": 99, "min_delta": 0.0, "max_epochs": 40},
    } | changes
    return [Run("autoencoder-test", {**settings, "replicate": replicate}) for replicate in range(number)]


class Sabotaged(RayExecutor):
    """Something happens after some epochs."""

    after, sabotage = 0, None

    def train(self, stacks, trainer, deadline):
        for number, epoch in enumerate(super().train(stacks, trainer, deadline), 1):
            yield epoch
            if number == self.after:
                self.sabotage()


def swept(address, chosen, place, *, after=0, sabotage=None, minutes=None):
    """The records of a sweep on the cluster, what it said, and how often each was put into the store."""
    put = Counter()

    class Counting(Store):
        def put(self, record):
            put[record["key"]] += 1
            super().put(record)

    with joined(address) as connected:
        executor = Sabotaged(connected, CPU)
        executor.after, executor.sabotage = after, sabotage
        outcome = sweep.sweep(
            chosen,
            place / "table.jsonl",
            Counting(place / "store"),
            trainer=TRAINER,
            device=CPU,
            minutes=minutes,
            cluster=executor,
        )
    return {record["key"]: record for record in read_table(place / "table.jsonl")}, outcome, put


def locally(chosen, place):
    sweep.sweep(chosen, place / "local.jsonl", Store(place / "local"), trainer=TRAINER, device=CPU, workers=2)
    return {record["key"]: record for record in read_table(place / "local.jsonl")}


def training(nodes):
    """Processes that train, by the machine that they belong to."""
    found = {}
    for node in nodes:
        [raylet] = [info.process for info in node.all_processes["raylet"]]
        children = psutil.Process(raylet.pid).children(recursive=True)
        found |= {child: node for child in children if "ray::train" in " ".join(child.cmdline())}
    return found


def assert_all_once_and_as_local_workers_have_them(chosen, records, outcome, put, place):
    assert outcome.trained == len(chosen) and set(put.values()) == {1}
    expected = locally(chosen, place)
    assert records.keys() == expected.keys() == {run.key for run in chosen}
    for key, record in records.items():
        assert same_numbers(record, expected[key]), key
        assert record["run"] == expected[key]["run"] and record["environment"]["threads"] == "1"


def test_a_worker_process_that_is_killed_costs_no_run(cluster, workers, tmp_path, capsys):
    killed = []

    def kill():
        [process, *_] = training(workers)
        process.kill()
        killed.append(process.pid)

    chosen = runs(5)
    records, outcome, put = swept(cluster.address, chosen, tmp_path, after=8, sabotage=kill)
    assert killed
    assert_all_once_and_as_local_workers_have_them(chosen, records, outcome, put, tmp_path)
    assert "a worker of the cluster was lost" in capsys.readouterr().err


def test_a_machine_that_is_lost_costs_no_run(cluster, workers, tmp_path, capsys):
    def unplug():
        cluster.remove_node(next(iter(training(workers).values())), allow_graceful=False)

    chosen = runs(5)
    records, outcome, put = swept(cluster.address, chosen, tmp_path, after=8, sabotage=unplug)
    assert len(set(cluster.worker_nodes) & set(workers)) == 1
    assert_all_once_and_as_local_workers_have_them(chosen, records, outcome, put, tmp_path)
    assert "a worker of the cluster was lost" in capsys.readouterr().err


@pytest.mark.usefixtures("workers")
def test_the_minutes_hold_and_nothing_goes_on_afterwards(cluster, workers, tmp_path):
    began = time.monotonic()
    _, outcome, _ = swept(cluster.address, runs(2, max_epochs=100_000, patience=99_999), tmp_path, minutes=0.25)
    assert outcome.missing == 2 and time.monotonic() - began < 60
    assert_nobody_trains(workers)


@pytest.mark.usefixtures("workers")
def test_ctrl_c_cancels(cluster, workers, tmp_path):
    def interrupt():
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()

    long = runs(2, max_epochs=100_000, patience=99_999)
    _, outcome, _ = swept(cluster.address, long, tmp_path, after=4, sabotage=interrupt)
    assert outcome.interrupted and outcome.trained == 0
    assert_nobody_trains(workers)


def assert_nobody_trains(nodes):
    end = time.monotonic() + 20
    while training(nodes) and time.monotonic() < end:
        time.sleep(0.2)
    assert not training(nodes)


@pytest.mark.usefixtures("workers")
def test_a_worker_with_other_code_is_refused_by_name(cluster, tmp_path, monkeypatch, capsys):
    ours = ray_worker.identity()
    other = type(ours)(**{**vars(ours), "commit": "0" * 40, "code": "0" * 16})
    monkeypatch.setattr(ray_executor.ray_worker, "identity", lambda *_: other)
    with pytest.raises(UserError, match=f"no worker may train here: {ours.host} has the commit .*, here 0000"):
        swept(cluster.address, runs(1), tmp_path)
    assert f"refused: {ours.host} has the commit" in capsys.readouterr().err


@pytest.mark.usefixtures("workers")
def test_an_error_of_a_training_is_one_message_that_names_the_machine(cluster, tmp_path):
    with pytest.raises(UserError, match=r"^[^ ]+: training failed: KeyError: 'float33'"):
        swept(cluster.address, runs(1, precision="float33"), tmp_path)


def test_a_cluster_without_room_says_what_is_wanted(cluster, monkeypatch):
    monkeypatch.setattr(ray_executor, "WITHOUT_WORKERS", 0.0)
    with joined(cluster.address) as connected:
        executor = RayExecutor(connected, CPU, Share(cores=64))
        with pytest.raises(UserError, match="no machine of the Ray cluster has 64 cores for a training of autoencoder"):
            list(executor.train([runs(1)], TRAINER, time.monotonic() + 30))


SLURM = {  # on one machine, which plays both of the job's
    "scontrol": "echo $(hostname); echo $(hostname)",
    "srun": 'while [[ $1 == --* ]]; do shift; done; exec "$@"',
    "squeue": 'date --date "@$(($(date +%s) + 3600))" +%Y-%m-%dT%H:%M:%S',
}


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_the_slurm_script_trains_a_large_network_from_files_that_all_see(tmp_path):
    """With Ray itself: a head and a worker of one core each, prepared files and checkpoints on a shared disk."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, code in SLURM.items():
        (folder / name).write_text(f"#!/bin/bash\n{code}\n")
        (folder / name).chmod(0o755)
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/activate").write_text(f'PATH="{Path(sys.executable).parent}:$PATH"\n')
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT / "src")}
    environment |= {"SLURM_JOB_ID": "1", "SLURM_JOB_NODELIST": "n[1-2]", "SLURM_CPUS_PER_TASK": "1", "PORT": str(port)}
    command = ["bash", ROOT / "examples/ray.sbatch", "sweep", "--scale", "demo", "--family", "vgg16-imagenette"]
    with (tmp_path / "log").open("w") as log:
        done = subprocess.run(command, cwd=tmp_path, env=environment, stdout=log, stderr=log, check=False)
    said = (tmp_path / "log").read_text()
    assert done.returncode == 0, said
    assert "4 runs: 0 known already, 4 trained now" in said
    weights = list((tmp_path / ".runs/weights").iterdir())
    assert len(read_table(tmp_path / "data/runs/demo/vgg16-imagenette.jsonl")) == 4 and len(weights) == 2
    assert not list((tmp_path / ".runs/ray").iterdir())
