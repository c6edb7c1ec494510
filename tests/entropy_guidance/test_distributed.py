"""Wrapped, sharded and parallel models, each in a process of its own: one rank, gloo."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "src"
START = """
import copy, warnings
import torch
import torch.distributed as dist
from torch import nn
from entropy_guidance import EntropyGuidance, profile

warnings.simplefilter("ignore")
dist.init_process_group("gloo")
torch.manual_seed(0)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.used, self.auxiliary, self.conv = nn.Linear(4, 4), nn.Linear(4, 4), nn.Conv2d(1, 2, 3)

    def forward(self, x):
        return self.used(x)


model, x = Net(), torch.randn(2, 4)
layers = {"used": 1e-1, "auxiliary": 1e-1, "conv": 1e-2}
plain = copy.deepcopy(model)
(plain(x).square().mean() + EntropyGuidance(plain, layers)()).backward()


def same(found):
    for (name, a), b in zip(plain.named_parameters(), found.parameters()):
        b = b.grad.full_tensor() if hasattr(b.grad, "full_tensor") else b.grad
        assert (a.grad is None) == (b is None) and (b is None or torch.allclose(a.grad, b)), name
"""
DDP = """
for around in (False, True):
    own = copy.deepcopy(model)
    parallel = nn.parallel.DistributedDataParallel(own, find_unused_parameters=True)
    guidance = EntropyGuidance(parallel if around else own, layers)
    for _ in range(2):  # gradients are there at the second
        own.zero_grad()
        (parallel(x).square().mean() + guidance()).backward()
    for name, a in plain.named_parameters():
        b = own.get_parameter(name).grad
        assert (a.grad is None or not a.grad.any()) == (b is None or not b.any()), name
        assert a.grad is None or torch.allclose(a.grad, b), name
"""
FSDP = """
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

own = copy.deepcopy(model)
mesh = init_device_mesh("cpu", (1,))
for layer in (own.used, own.auxiliary, own.conv):
    fully_shard(layer, mesh=mesh)
fully_shard(own, mesh=mesh)
(own(x).square().mean() + EntropyGuidance(own, layers)()).backward()
same(own)
assert profile(own).summary()["mean"].tolist() == profile(model).summary()["mean"].tolist()
"""


@pytest.mark.parametrize("code", [DDP, FSDP], ids=["DDP", "FSDP2"])
def test_a_training_step_has_the_gradients_of_a_plain_one(code):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "RANK": "0", "WORLD_SIZE": "1"}
    environment["PYTHONPATH"] = str(SOURCES)
    code = f"{START}\n{code}\ndist.destroy_process_group()"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
