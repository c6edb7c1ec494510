"""Stacks of runs as tasks of a Ray cluster. Their epochs stream back to the process that asked; it keeps the records.

A task that is lost, with its process or with its machine, is begun again elsewhere, `RETURNS` times at most; of its
stack only the runs that have not finished. Small data sets are put into the object store once; large ones are read from
prepared files on a shared disk, where trainers that keep checkpoints need the run store as well.
"""

import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import uuid4

import torch
from tqdm import tqdm

from replication import data as datasets
from replication.core import paths, ray_worker
from replication.core.errors import UserError
from replication.core.executors import Failed, OutOfTime, Stack, Task, returned
from replication.core.files import write_text
from replication.core.run import Run
from replication.data.images import ImageSet
from replication.training.trainer import Epoch, checkpoints, find

LOOK = 1.0  # seconds between two looks at the clock and at who is in the cluster
WITHOUT_WORKERS = 60.0  # seconds that a cluster may have nobody who can train, before the sweep gives up


@dataclass(frozen=True)
class Share:
    """What of a machine a task gets; None: what suits the trainer."""

    gpu: float = 1.0
    cores: int | None = None


@dataclass
class RayExecutor:
    """One sweep's use of a cluster."""

    ray: ModuleType
    device: torch.device
    share: Share = field(default_factory=Share)
    refused: dict[str, str] = field(default_factory=dict)  # by node, why it may not train
    _put: dict[str, Any] = field(default_factory=dict)  # by data set, its place in the object store, or None
    _token: Path = field(default_factory=lambda: paths.store() / "ray" / uuid4().hex)  # who sees it shares the store

    def stack_size(self, trainer: str, run: Run) -> int:
        """How many such runs train together, as a worker says that has such a device.

        Raises:
            UserError: no worker answers.
        """
        if self.device.type == "cpu":
            return find(trainer).stack_size(run, datasets.load(run["dataset"]), self.device)
        asked = self.ray.remote(ray_worker.stack_size).options(**self._resources(run, trainer))
        size = asked.remote(run, trainer, self.device.type, self._data(run["dataset"]))
        try:
            return int(self.ray.get(size, timeout=WITHOUT_WORKERS))
        except self.ray.exceptions.GetTimeoutError:
            raise UserError(self._nobody(run, trainer)) from None
        except self.ray.exceptions.RayTaskError as error:
            raise UserError(str(error.cause)) from None

    def train(self, stacks: Iterable[Stack], trainer: str, deadline: float) -> Iterator[Epoch]:
        """Train stacks; one is asked for when there is room for it. `deadline` in seconds of time.monotonic().

        Raises:
            UserError: a training failed, or was lost too often, or nobody in the cluster can train.
            OutOfTime: the deadline has passed.
        """
        coming = (Task(stack) for stack in stacks)
        back: deque[Task] = deque()
        running: dict[Any, Task] = {}  # by its generator
        last_room = time.monotonic()

        def following() -> Task | None:
            return back.popleft() if back else next(coming, None)

        try:
            task = following()
            while task is not None or running:
                if time.monotonic() > deadline:
                    raise OutOfTime
                while task is not None and len(running) < self._room(task.stack[0], trainer):
                    running[self._begin(task, trainer)] = task
                    task = following()
                if running:
                    last_room = time.monotonic()
                    for generator in self._ready(list(running)):
                        yield from self._step(generator, running, back)
                elif self.refused or time.monotonic() - last_room > WITHOUT_WORKERS:
                    assert task is not None
                    raise UserError(self._nobody(task.stack[0], trainer))
                else:
                    time.sleep(LOOK)
                task = task or following()
        finally:
            for generator in running:
                self._cancel(generator)
            self._token.unlink(missing_ok=True)

    def _ready(self, generators: list[Any]) -> list[Any]:
        """Those that have something to tell, within LOOK seconds."""
        try:
            ready, _ = self.ray.wait(generators, timeout=LOOK)
        except SystemError as error:  # so Ray's own code may pass Ctrl-C on
            if isinstance(error.__cause__ or error.__context__, KeyboardInterrupt):
                raise KeyboardInterrupt from None
            raise
        return list(ready)

    def _step(self, generator: Any, running: dict[Any, Task], back: deque[Task]) -> Iterator[Epoch]:
        """What a task has sent, or that it ended or was lost."""
        task = running[generator]
        try:
            event = self.ray.get(next(generator))
        except StopIteration:
            del running[generator]
            return
        except (
            self.ray.exceptions.RayTaskError
        ) as error:  # an error outside of the training, in what we send for example
            del running[generator]
            raise UserError(f"a worker could not begin: {str(error).splitlines()[-1]}") from None
        except self.ray.exceptions.RayError as error:
            del running[generator]
            self._cancel(generator)
            back += returned(task, _died(error))
            return
        if isinstance(event, ray_worker.Identity):
            if (why := event.against(ray_worker.identity())) is not None:
                del running[generator]
                self._cancel(generator)
                self._refuse(event.node, why)
                back.append(task)
        elif isinstance(event, Failed):
            raise UserError(event.message)
        elif isinstance(event, Epoch):
            task.drop(event.finished)
            yield event

    def _begin(self, task: Task, trainer: str) -> Any:
        """Its generator."""
        run = task.stack[0]
        resources = self._resources(run, trainer)
        data = self._data(run["dataset"])
        shared = [] if data is not None else [str((paths.prepared() / run["dataset"]).absolute())]
        if checkpoints(trainer):
            write_text(self._token, "Workers that see this file share the store.\n")
            shared.append(str(self._token.absolute()))
        begin = self.ray.remote(ray_worker.train).options(num_returns="streaming", max_retries=0, **resources)
        cores = int(resources["num_cpus"])
        return begin.remote(task.stack, trainer, device=self.device.type, threads=cores, arrays=data, shared=shared)

    def _resources(self, run: Run, trainer: str) -> dict[str, Any]:
        """What a task asks of a machine, which is none of those refused."""
        cores = self.share.cores
        if cores is None:
            narrow = self.device.type != "cpu" or find(trainer).one_thread(run)
            cores = 1 if narrow else max((int(node["Resources"].get("CPU", 0)) for node in self._nodes()), default=1)
        asked: dict[str, Any] = {"num_cpus": max(1, cores)}
        if self.device.type == "cuda":
            asked["num_gpus"] = self.share.gpu
        if self.refused:
            asked["label_selector"] = {"ray.io/node-id": f"!in({','.join(self.refused)})"}
        return asked

    def _room(self, run: Run, trainer: str) -> int:
        """How many such tasks the cluster can train at once."""
        asked = self._resources(run, trainer)
        needs = {"CPU": asked["num_cpus"], "GPU": asked.get("num_gpus", 0)}
        return sum(
            int(min(node["Resources"].get(kind, 0) / need for kind, need in needs.items() if need))
            for node in self._nodes()
        )

    def _nodes(self) -> list[dict[str, Any]]:
        return [node for node in self.ray.nodes() if node["Alive"] and node["NodeID"] not in self.refused]

    def _data(self, name: str) -> Any:
        """A data set's place in the object store; None of one that is read from its files."""
        if name not in self._put:
            data = datasets.load(name)
            self._put[name] = self.ray.put(ray_worker.arrays_of(data)) if isinstance(data, ImageSet) else None
        return self._put[name]

    def _refuse(self, node: str, why: str) -> None:
        if node not in self.refused:
            self.refused[node] = why
            tqdm.write(f"refused: {why}. It trains nothing here", file=sys.stderr)

    def _nobody(self, run: Run, trainer: str) -> str:
        """Why nothing can be trained, for the user."""
        if self.refused:
            return (
                f"no worker may train here: {'; '.join(self.refused.values())}. Bring all machines to one state. "
                "Finished runs are kept"
            )
        asked = self._resources(run, trainer)
        wants = f"{asked['num_cpus']} cores" + (f" and {asked['num_gpus']:g} GPUs" if "num_gpus" in asked else "")
        return f"no machine of the Ray cluster has {wants} for a training of {run.family}. Finished runs are kept"

    def _cancel(self, generator: Any) -> None:
        with suppress(Exception):  # it has ended, or the cluster has
            self.ray.cancel(generator, force=True)


def _died(error: Exception) -> str:
    """What became of a worker, for the user."""
    return f"a worker of the cluster was lost ({type(error).__name__}: {str(error).strip().splitlines()[0]})"
