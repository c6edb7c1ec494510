"""Train one large model at a time, with early stopping; continued from its last epoch after a kill.

The loop knows neither images nor labels. What is learned, from which data and how success is measured is a task's
business: a module `task` of its room.

Each epoch draws its order, its augmentation and its dropout from seeds of its own, so that a training that was killed
and continued gives the numbers of one that was not: on a CPU to the last digit, on a GPU but for rounding, since its
convolutions are chosen by their speed.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from entropy_guidance import conv_entropy_change, penalty
from replication.core import paths
from replication.core.errors import Damaged
from replication.core.files import reading, set_aside, write_whole
from replication.core.provenance import environment
from replication.core.run import Run
from replication.core.runs import Record, make_record
from replication.core.store import Store
from replication.data.mapped import MappedSet
from replication.training import checkpoints
from replication.training.precision import dtype_of, low_precision
from replication.training.stopping import EarlyStopping
from replication.training.trainer import Epoch, free_memory, prepare

GPU_MEMORY_SHARE = 0.5  # of what is free, for the data


class Task(Protocol):
    """What one kind of network learns. Targets are as the data set stores them: uint8."""

    def build(self, run: Run) -> nn.Module:
        """The network with its initial weights, which depend on `run.seed("weights")` alone."""

    def guided_layers(self, model: nn.Module, run: Run) -> list[str]:
        """Names of the layers that a guided run penalises. Raises UserError where the network has no such layers."""

    def one_thread(self, run: Run) -> bool:
        """As in `Trainer`."""

    def optimizer(self, model: nn.Module, run: Run) -> torch.optim.Optimizer: ...

    def schedule(self, optimizer: torch.optim.Optimizer, run: Run) -> ReduceLROnPlateau | None:
        """What changes the learning rate, from the watched quantity after each epoch; None where it stays."""

    def augment(self, inputs: Tensor, run: Run, generator: torch.Generator) -> Tensor:
        """Training inputs, changed at random; the generator is the epoch's own, of the CPU."""

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Base loss, a mean over the batch."""

    def counts(self, output: Tensor, target: Tensor) -> Tensor:
        """Whole numbers that say how well each image was done, (B, K)."""

    def metrics(self, counts: Tensor) -> dict[str, float]:
        """Metrics from the counts of all validation images, (V, K)."""

    def watched(self, row: dict[str, float], run: Run, dtype: torch.dtype) -> float:
        """What stopping and schedule go by after an epoch; lower is better.

        Args:
            row: train_loss, validation_loss, penalty, and the metrics.
            dtype: the training's precision.
        """

    def best(self, history: dict[str, list[float]]) -> dict[str, float]:
        """Metrics of the best epoch, best_epoch (from 1) among them."""

    def extras(self, model: nn.Module, run: Run, data: MappedSet, counts: Tensor) -> dict[str, Any]:
        """What a record of the trained model holds beside metrics and history. `counts` as in `metrics`."""


class LargeModels:
    """The `Trainer` of one task."""

    CHECKPOINTS = True

    def __init__(self, task: Task) -> None:
        self.task = task

    def stack_key(self, run: Run) -> tuple[Any, ...]:
        """One kind of network after the other, paired runs side by side."""
        return (run.family, run["dataset"])

    def stack_size(self, run: Run, data: MappedSet, device: torch.device) -> int:  # noqa: ARG002
        """One."""
        return 1

    def one_thread(self, run: Run) -> bool:
        """For a narrow network: its layers are too small to be worth the threads' waiting for one another."""
        return self.task.one_thread(run)

    def cost(self, run: Run) -> float:  # noqa: ARG002
        """Equal: there is nothing to gain from an order."""
        return 1.0

    def train(self, runs: Sequence[Run], data: MappedSet, device: torch.device) -> Iterator[Epoch]:
        """Train one run, epoch by epoch, from its checkpoint if there is one. A damaged one is set aside, and said.

        Raises:
            UserError: the checkpoint cannot be read, or the run asks for layers that its network does not have.
        """
        (run,) = runs
        training = _Training(run, data, device, self.task)
        try:
            training.resume()
        except Damaged as error:
            aside = set_aside(training.checkpoint)
            print(f"{error}. It is kept as {aside}, and the run starts anew", file=sys.stderr)
            training = _Training(run, data, device, self.task)
        while not training.finished:
            yield training.epoch()


class _Training:
    def __init__(self, run: Run, data: MappedSet, device: torch.device, task: Task) -> None:
        prepare(device, run)
        self.run = run
        self.task = task
        self.device = device
        self.dtype = dtype_of(run)
        self.data = _place(data, device)
        self.model = task.build(run).to(device, self.dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.guidance = _guidance(self.model, task.guided_layers(self.model, run), run) if run["lambda"] != 0 else None
        self.optimizer = task.optimizer(self.model, run)
        self.schedule = task.schedule(self.optimizer, run)
        self.stopping = EarlyStopping(run["patience"], run["min_delta"])
        self.history: dict[str, list[float]] = {}
        self.finished = False
        self.store = Store(paths.store())

    @property
    def checkpoint(self) -> Path:
        return self.store.checkpoint(self.run.key)

    @property
    def epochs(self) -> int:
        return len(self.history.get("monitored", []))

    def epoch(self) -> Epoch:
        """One epoch of training, and validation after it."""
        start = time.perf_counter()
        train_loss = self._train_epoch(self.epochs + 1)
        train_seconds = time.perf_counter() - start
        validation_loss, counts = self._validate()
        losses = {
            "train_loss": train_loss,
            "validation_loss": validation_loss,
            "penalty": self._penalty().item(),
        }
        metrics = self.task.metrics(counts)
        row = {
            **losses,
            "monitored": self.task.watched(losses | metrics, self.run, self.dtype),
            **metrics,
            **self._learning_rate(),
            "train_seconds": train_seconds,
            "seconds": time.perf_counter() - start,
        }
        for name, value in row.items():
            self.history.setdefault(name, []).append(value)
        stopped = self._take(row["monitored"])
        self.finished = stopped or self.epochs >= self.run["max_epochs"]
        if self.finished:
            return Epoch(self.epochs, 0, self._progress(), [self._record(counts, stopped)])
        self._save_checkpoint()
        return Epoch(self.epochs, 1, self._progress(), [])

    def _take(self, monitored: float) -> bool:
        """Tell stopping and schedule of one more epoch; whether training is to stop."""
        if self.schedule is not None:
            self.schedule.step(monitored)
        return self.stopping.should_stop(monitored)

    def _learning_rate(self) -> dict[str, float]:
        """The epoch's, for the history of a training that changes it."""
        return {"learning_rate": self.optimizer.param_groups[0]["lr"]} if self.schedule is not None else {}

    def _train_epoch(self, number: int) -> float:
        """Mean base loss over the epoch's batches."""
        self.model.train()
        torch.manual_seed(self.run.seed("dropout") + number)
        generator, augmentation = (
            torch.Generator().manual_seed(self.run.seed(purpose) + number) for purpose in ("order", "augmentation")
        )
        images = self.data.count("train")
        losses = torch.zeros((), dtype=torch.float64, device=self.device)
        order = torch.randperm(images, generator=generator).to(self.data.train_images.device)
        for rows in order.split(self.run["batch_size"]):
            inputs, targets = self.data.batch("train", rows, self.device, self.dtype)
            losses += self._step(self.task.augment(inputs, self.run, augmentation), targets) * len(rows)
        return losses.item() / images

    def _step(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """One step of the optimiser; the base loss before it, in double precision. Nothing is read from the device."""
        self.optimizer.zero_grad()
        base = self.task.loss(self._forward(inputs), targets)
        (base + self._penalty()).backward()
        self.optimizer.step()
        return base.detach().double()

    def _forward(self, inputs: Tensor) -> Tensor:
        with low_precision(self.run, self.device):
            output: Tensor = self.model(inputs)
        return output.to(self.dtype)

    def _penalty(self) -> Tensor:
        """A scalar; taken from the weights in full precision, outside of autocast."""
        return self.guidance() if self.guidance is not None else torch.zeros((), device=self.device)

    @torch.no_grad()
    def _validate(self) -> tuple[float, Tensor]:
        """Base loss over all validation images, and their counts (V, K) on the CPU."""
        self.model.eval()
        images = self.data.count("validation")
        losses = torch.zeros((), dtype=torch.float64, device=self.device)
        counts = []
        order = torch.arange(images, device=self.data.validation_images.device)
        for rows in order.split(self.run["batch_size"]):
            inputs, targets = self.data.batch("validation", rows, self.device, self.dtype)
            output = self._forward(inputs)
            losses += self.task.loss(output, targets).double() * len(rows)
            counts.append(self.task.counts(output, targets))
        return losses.item() / images, torch.cat(counts).cpu()

    def _progress(self) -> str:
        """For the user: where the run stands, its speed, and the longest that it can still take."""
        last = {name: values[-1] for name, values in self.history.items()}
        seconds = sum(self.history["seconds"]) / self.epochs
        minutes = (self.run["max_epochs"] - self.epochs) * seconds / 60
        metrics = ", ".join(
            f"{name} {last[name]:.4f}" for name in ("validation_loss", "accuracy", "iou") if name in last
        )
        return f"{metrics}, {self._speed():.0f} images/s, {seconds:.0f} s an epoch, at most {minutes:.0f} min left"

    def _speed(self) -> float:
        """Training images a second, without validation."""
        return self.data.count("train") * self.epochs / sum(self.history["train_seconds"])

    def _record(self, counts: Tensor, stopped: bool) -> Record:
        history = self.history
        seconds = sum(history["seconds"])
        metrics = {
            "stopping_epoch": self.epochs,
            "stopped_early": int(stopped),
            "train_loss": history["train_loss"][-1],
            "validation_loss": history["validation_loss"][-1],
            **self.task.metrics(counts),
            **self.task.best(history),
            "penalty": history["penalty"][-1],
            "seconds_per_epoch": round(seconds / self.epochs, 3),
            "images_per_second": round(self._speed(), 2),
            "train_images": self.data.count("train"),
            "validation_images": self.data.count("validation"),
        }
        if self.run["lambda"] == 0:
            write_whole(self.store.weights(self.run.key), lambda path: save_file(_plain(self.model), path))
        where = environment(self.device, 1) | {"data": self.data.describe()}
        extras = self.task.extras(self.model, self.run, self.data, counts)
        return make_record(self.run, metrics, history, seconds, where) | extras

    def resume(self) -> None:
        """Go on where a killed process left off."""
        if not self.checkpoint.exists():
            return
        state = checkpoints.load(self.checkpoint, self.run)
        with reading(self.checkpoint, "set it aside, and the run starts anew"):
            for monitored in state["history"]["monitored"]:
                self._take(monitored)  # before the optimiser's state, which holds the learning rate reached
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
        self.history = state["history"]

    def _save_checkpoint(self) -> None:
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "history": self.history,
        }
        checkpoints.save(self.checkpoint, self.run, state)


def _guidance(model: nn.Module, names: Sequence[str], run: Run) -> Callable[[], Tensor]:
    """The penalty of the guided convolutions; with reduction `mean`, lambda is divided by the filters of its layer.

    As `EntropyGuidance` has it with floor 0, but one layer after another: the operations that trained the committed
    runs, in their order, so that a run that is trained again has the same digits.
    """
    epsilon = {"epsilon": run["epsilon"]} if run["form"] == "reciprocal" else {}

    def guidance() -> Tensor:
        terms = []
        for name in names:
            change = conv_entropy_change(model.get_submodule(name).get_parameter("weight"))
            lambda_ = run["lambda"] / (change.numel() if run["reduction"] == "mean" else 1)
            terms.append(penalty(change, lambda_, form=run["form"], **epsilon).sum())
        return torch.stack(terms).sum()

    return guidance


def _place(data: MappedSet, device: torch.device) -> MappedSet:
    """On the device where it fits; else batch by batch from the host's memory-mapped files."""
    if device.type == "cpu" or data.nbytes > GPU_MEMORY_SHARE * free_memory(device):
        return data
    return data.to(device)


def _plain(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
