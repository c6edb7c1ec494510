"""Who trains, as the command line says it: this machine, or a Ray cluster."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from replication.core.errors import UserError
from replication.core.ray_cluster import joined
from replication.core.ray_executor import RayExecutor, Share
from replication.core.sweep import choose_device


@contextmanager
def executing(options: argparse.Namespace) -> Iterator[tuple[torch.device, RayExecutor | None]]:
    """The device to train on, and the cluster that has it; None is this machine.

    Raises:
        UserError: the options contradict one another, there is no such device, or no cluster.
    """
    if options.executor == "local":
        for name, value in (("--address", options.address), ("--cores", options.cores), ("--gpu-share", options.share)):
            if value is not None:
                raise UserError(f"{name} is for --executor ray: on this machine say --workers")
        yield choose_device(options.device), None
        return
    if options.minutes == 0:  # nothing is trained: no need of a cluster
        yield torch.device("cpu"), None
        return
    if options.address is not None and options.workers is not None:
        raise UserError("--workers is for this machine: the cluster at --address has as many as it has cores")
    with joined(options.address, options.workers) as ray:
        gpus = ray.cluster_resources().get("GPU", 0)
        if options.device == "cuda" and not gpus:
            raise UserError("no machine of the Ray cluster has a GPU: choose --device cpu")
        device = torch.device("cuda" if gpus and options.device != "cpu" else "cpu")
        yield device, RayExecutor(ray, device, Share(options.share or 1.0, options.cores))
