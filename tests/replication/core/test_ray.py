"""What of the Ray executor needs no Ray: messages, who may train, and what an option means. The rest: tests/peers."""

import os
import socket
import sys
import types
from argparse import Namespace
from dataclasses import replace

import pytest
import torch

from replication.__main__ import main
from replication.core import executors, ray_cluster, ray_worker
from replication.core.errors import UserError
from replication.core.executing import executing
from replication.core.executors import Task, in_process, no_memory, returned
from replication.core.ray_cluster import joined

OPTIONS = {"executor": "local", "address": None, "cores": None, "share": None, "device": "cpu", "workers": None}


@pytest.fixture
def ray(monkeypatch):
    """A Ray that joins every cluster."""
    fake = types.ModuleType("ray")
    fake.told = []
    fake.init = lambda **options: fake.told.append(options)
    fake.shutdown = lambda: fake.told.append("shutdown")
    fake.cluster_resources = lambda: {"CPU": 4.0}
    monkeypatch.setitem(sys.modules, "ray", fake)
    monkeypatch.setattr(ray_cluster.importlib.util, "find_spec", lambda _: object())
    monkeypatch.setattr(ray_cluster, "HEALTH", "raise SystemExit(0)")
    return fake


@pytest.fixture
def on_a_worker(ray):
    ray.get_runtime_context = lambda: types.SimpleNamespace(get_node_id=lambda: "node-id")


def test_without_ray_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"Ray is not installed: `pip install -e '.\[ray\]'`"), joined(None):
        pass


@pytest.mark.usefixtures("ray")
@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("ray://head:10001", "write HOST:PORT of the cluster's head"),
        ("127.0.0.1:port", "HOST:PORT is expected, for example 127.0.0.1:6379"),
        ("127.0.0.1:99999", "no Ray cluster answers at 127.0.0.1:99999"),
    ],
)
def test_addresses_that_are_none(address, message):
    with pytest.raises(UserError, match=message), joined(address):
        pass


@pytest.mark.usefixtures("ray")
def test_an_address_where_nobody_listens():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        with (
            pytest.raises(UserError, match=f"no Ray cluster answers at {address}.*`ray start --head`"),
            joined(address),
        ):
            pass


def test_a_cluster_that_refuses_is_one_line(ray):
    def refuse(**_):
        raise RuntimeError("Version mismatch: The cluster was started with\n    Ray: 2.9.0")

    ray.init = refuse
    with (
        pytest.raises(UserError, match=r"^no Ray cluster can be used at auto: Version mismatch[^\n]*$"),
        joined("auto"),
    ):
        pass


def test_whether_a_cluster_wants_a_token_is_asked_first(ray, monkeypatch):
    told = []
    ray.init = lambda **_: told.append(os.environ["RAY_AUTH_MODE"])
    with joined("auto"):
        pass
    monkeypatch.setattr(ray_cluster, "HEALTH", "import os; raise SystemExit(os.environ['RAY_AUTH_MODE'] != 'token')")
    with joined("auto"):
        pass
    assert told == ["disabled", "token"] and "RAY_AUTH_MODE" not in os.environ
    monkeypatch.setattr(ray_cluster, "HEALTH", "raise SystemExit(1)")
    with pytest.raises(UserError, match=r"no Ray cluster answers at auto.*auth_token"), joined("auto"):
        pass


def test_it_is_left_whatever_happens(ray, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ZeroDivisionError), joined(None, 3):
        _ = 1 / 0
    assert "RAY_AUTH_MODE" not in os.environ
    options, last = ray.told
    assert last == "shutdown" and options["num_cpus"] == 3 and options["address"] == "local"
    variables = options["runtime_env"]["env_vars"]
    assert variables["REPLICATION_STORE"] == str(tmp_path / ".runs")
    assert variables["REPLICATION_DATA"] == str(tmp_path / "data")
    assert variables["PYTHONPATH"].split(":")[0] == str(ray_cluster.code.SRC)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"cores": 2}, "--cores is for --executor ray"),
        ({"share": 0.5}, "--gpu-share is for --executor ray"),
        ({"executor": "ray", "address": "auto", "workers": 2}, "--workers is for this machine"),
        ({"executor": "ray", "device": "cuda"}, "no machine of the Ray cluster has a GPU"),
    ],
)
@pytest.mark.usefixtures("ray")
def test_options_that_contradict(changed, message):
    with pytest.raises(UserError, match=message), executing(Namespace(**OPTIONS | {"minutes": None} | changed)):
        pass


def test_a_cluster_is_asked_only_when_something_is_trained(ray):
    with executing(Namespace(**OPTIONS | {"executor": "ray", "minutes": 0})) as (_, cluster):
        assert cluster is None and not ray.told
    with executing(Namespace(**OPTIONS | {"executor": "ray", "minutes": 5, "cores": 2})) as (device, cluster):
        assert device.type == "cpu" and cluster.share.cores == 2


@pytest.mark.parametrize("share", ["0", "1.5", "half", "nan"])
def test_a_share_is_a_part_of_one_gpu(share, capsys):
    with pytest.raises(SystemExit):
        main(["sweep", "--family", "cnn-mnist", "--executor", "ray", "--gpu-share", share])
    assert "a share of one GPU, above 0 and at most 1" in capsys.readouterr().err


def test_a_worker_that_differs_is_refused_by_name(tmp_path):
    here = ray_worker.identity()
    theirs = replace(here, host="node7", node="abc")
    assert theirs.against(here) is None
    assert replace(theirs, torch="2.6.0+cpu").against(replace(here, torch="2.6.0+cu130")) is None
    assert replace(theirs, torch="2.6.0").against(here).startswith("node7 has torch 2.6.0, here ")
    other = replace(theirs, code="0", commit="1" * 40)
    assert other.against(here) == f"node7 has the commit {'1' * 40}, here {here.commit}"
    assert "code that differs from ours" in replace(theirs, code="0").against(here)
    assert "the training code's version 0, here 1" in replace(theirs, version=0).against(here)
    assert ray_worker.identity([str(tmp_path)]).sees and not ray_worker.identity([str(tmp_path / "no")]).sees
    assert "they have to lie on a shared disk" in replace(theirs, sees=False).against(here)


def test_data_travel_unchanged(images):
    again = ray_worker.images(ray_worker.arrays_of(images))
    assert all(torch.equal(getattr(again, name), tensor) for name, tensor in vars(images).items())
    again.train_images[0] = 0  # its own memory


def test_a_lost_task_comes_back_twice(make_run, capsys):
    task = Task([make_run(), make_run(replicate=1)])
    task.drop([{"key": task.stack[0].key}])
    assert returned(task, "it died") == [task] == returned(task, "it died")
    with pytest.raises(UserError, match=r"it died, the third over the same 1 runs. Finished runs are kept"):
        returned(task, "it died")
    assert capsys.readouterr().err.count("it died: another one trains its 1 runs") == 2
    assert returned(Task([]), "it died") == []


def test_a_gpu_that_is_too_small_is_one_message(make_run, monkeypatch, tmp_path):
    class Full:
        @staticmethod
        def train(*_):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")
            yield

    monkeypatch.setattr(executors, "find", lambda _: Full)
    monkeypatch.setattr(executors.datasets, "load", lambda _: None)
    monkeypatch.chdir(tmp_path)
    stack = [make_run(), make_run(1.0)]
    with pytest.raises(UserError) as found:
        list(in_process([stack], "none", torch.device("cpu"), float("inf")))
    assert str(found.value) == no_memory(stack)
    assert "to train 2 runs of autoencoder-test at once with batches of 16" in no_memory(stack)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (UserError("cannot write /shared/.runs/checkpoints/a.pt: No space left on device"), "No space left on device"),
        (torch.OutOfMemoryError("CUDA out of memory"), "the GPU has too little memory free to train 1 runs"),
        (ZeroDivisionError("by zero"), "training failed: ZeroDivisionError: by zero"),
    ],
    ids=["full disk", "small GPU", "ours"],
)
@pytest.mark.usefixtures("on_a_worker")
def test_what_goes_wrong_on_a_worker_is_one_message_that_names_it(error, message, images, make_run, monkeypatch):
    class Failing:
        @staticmethod
        def train(*_):
            raise error
            yield

    monkeypatch.setattr(ray_worker, "find", lambda _: Failing)
    arrays = ray_worker.arrays_of(images)
    sent = ray_worker.train([make_run()], "none", device="cpu", threads=1, arrays=arrays, shared=[])
    identity, failed = sent
    assert identity.node == "node-id" and identity.against(ray_worker.identity()) is None
    assert failed.message.startswith(f"{identity.host}: ") and message in failed.message
