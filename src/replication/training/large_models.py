"""Train one large model at a time, with early stopping; continued from its last checkpoint after a kill.

The loop knows neither images nor labels. What is learned, from which data and how success is measured is a task's
business: a module `task` of its room.

Each epoch draws its order, its augmentation and its dropout from seeds of its own, and a checkpoint within an epoch
keeps how far these have come, so that a training that was killed and continued gives the numbers of one that was not:
on a CPU to the last digit, on a GPU but for rounding, since its convolutions are chosen by their speed.
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

from entropy_guidance import EntropyGuidance, conv_entropy_change, penalty
from replication.core import paths
from replication.core.errors import Damaged
from replication.core.files import reading, set_aside, write_whole
from replication.core.provenance import environment
from replication.core.run import Run
from replication.core.runs import Record, make_record
from replication.core.store import Store
from replication.data.mapped import MappedSet, on_device
from replication.training import checkpoints, passes
from replication.training.precision import dtype_of, low_precision
from replication.training.prefetch import ahead
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

    def __init__(self, task: Task, *, compiled: bool = False) -> None:
        """Args: compiled, whether the network's passes go through torch.compile."""
        self.task, self.compiled = task, compiled

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
        training = _Training(run, data, device, self.task, compiled=self.compiled)
        try:
            training.resume()
        except Damaged as error:
            aside = set_aside(training.checkpoint)
            print(f"{error}. It is kept as {aside}, and the run starts anew", file=sys.stderr)
            training = _Training(run, data, device, self.task, compiled=self.compiled)
        while not training.finished:
            yield training.epoch()


class _Training:
    def __init__(self, run: Run, data: MappedSet, device: torch.device, task: Task, *, compiled: bool = False) -> None:
        prepare(device, run)
        self.run = run
        self.task = task
        self.device = device
        self.dtype = dtype_of(run)
        self.data = _place(data, device)
        self.model = task.build(run).to(device, self.dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.passes = passes.compiled(self.model) if compiled else self.model
        self.engine = {"engine": "torch.compile"} if compiled else {}
        self.guidance: Callable[[], Tensor] | None = None
        if run["lambda"] != 0:
            guidance = layer_by_layer if device.type == "cpu" else at_once
            self.guidance = guidance(self.model, task.guided_layers(self.model, run), run)
        self.optimizer = task.optimizer(self.model, run)
        self.schedule = task.schedule(self.optimizer, run)
        self.stopping = EarlyStopping(run["patience"], run["min_delta"])
        self.history: dict[str, list[float]] = {}
        self.finished = False
        self.store = Store(paths.store())
        self.clock = checkpoints.Clock()
        self.within: dict[str, Any] | None = None  # how far the next epoch had come when it was interrupted

    @property
    def checkpoint(self) -> Path:
        return self.store.checkpoint(self.run.key)

    @property
    def epochs(self) -> int:
        return len(self.history.get("monitored", []))

    def epoch(self) -> Epoch:
        """One epoch of training, and validation after it."""
        start = time.perf_counter()
        if self.within is not None:
            start -= self.within["seconds"]
        train_loss = self._train_epoch(self.epochs + 1, start)
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
        curves = {self.run.key: row}
        if self.finished:
            return Epoch(self.epochs, 0, self._progress(), [self._record(counts, stopped)], curves)
        if self.clock.due(within_epoch=False):
            self._save_checkpoint()
        return Epoch(self.epochs, 1, self._progress(), [], curves)

    def _take(self, monitored: float) -> bool:
        """Tell stopping and schedule of one more epoch; whether training is to stop."""
        if self.schedule is not None:
            self.schedule.step(monitored)
        return self.stopping.should_stop(monitored)

    def _learning_rate(self) -> dict[str, float]:
        """The epoch's, for the history of a training that changes it."""
        return {"learning_rate": self.optimizer.param_groups[0]["lr"]} if self.schedule is not None else {}

    def _train_epoch(self, number: int, start: float = 0.0) -> float:
        """Mean base loss over the epoch's batches, of which some may have been done before a kill.

        Args:
            start: of the epoch, by time.perf_counter().
        """
        self.model.train()
        torch.manual_seed(self.run.seed("dropout") + number)
        generator, augmentation = (
            torch.Generator().manual_seed(self.run.seed(purpose) + number) for purpose in ("order", "augmentation")
        )
        images = self.data.count("train")
        losses = torch.zeros((), dtype=torch.float64, device=self.device)
        batches = torch.randperm(images, generator=generator).split(self.run["batch_size"])
        done = 0
        if self.within is not None:
            done, losses = self.within["batches"], self.within["losses"].to(self.device)
            augmentation.set_state(self.within["augmentation"])
            _default_generator(self.device).set_state(self.within["dropout"])
            self.within = None
        for inputs, targets in self._batches("train", batches[done:]):
            losses += self._step(self.task.augment(inputs, self.run, augmentation), targets) * len(targets)
            done += 1
            if done < len(batches) and self.clock.due(within_epoch=True):
                self._save_checkpoint(
                    {
                        "batches": done,
                        "losses": losses,
                        "augmentation": augmentation.get_state(),
                        "dropout": _default_generator(self.device).get_state(),
                        "seconds": time.perf_counter() - start,
                    }
                )
        return losses.item() / images

    def _batches(self, split: str, rows: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs and targets on the device; those that wait in files for a GPU are fetched while it is at work."""
        if self.device.type != "cpu" and self.data.train_images.device.type == "cpu":
            fetched = ahead(lambda each: self.data.fetched(split, each, pinned=self.device.type == "cuda"), rows)
        else:
            fetched = (self.data.fetched(split, each.to(self.data.train_images.device)) for each in rows)
        return (on_device(*each, self.device, self.dtype) for each in fetched)

    def _step(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """One step of the optimiser; the base loss before it, in double precision. Nothing is read from the device."""
        self.optimizer.zero_grad()
        base = self.task.loss(self._forward(inputs), targets)
        (base + self._penalty()).backward()
        self.optimizer.step()
        return base.detach().double()

    def _forward(self, inputs: Tensor) -> Tensor:
        with low_precision(self.run, self.device):
            output: Tensor = self.passes(inputs)
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
        for inputs, targets in self._batches("validation", torch.arange(images).split(self.run["batch_size"])):
            output = self._forward(inputs)
            losses += self.task.loss(output, targets).double() * len(targets)
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
        where = environment(self.device, 1) | {"data": self.data.describe()} | self.engine
        extras = self.task.extras(self.model, self.run, self.data, counts)
        return make_record(self.run, metrics, history, seconds, where) | extras

    def resume(self) -> None:
        """Go on where a killed process left off."""
        if not self.checkpoint.exists():
            return
        state = checkpoints.load(self.checkpoint, self.run)
        with reading(self.checkpoint, "set it aside, and the run starts anew"):
            for monitored in state["history"].get("monitored", []):
                self._take(monitored)  # before the optimiser's state, which holds the learning rate reached
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
        self.history = state["history"]
        self.within = state.get(checkpoints.WITHIN)

    def _save_checkpoint(self, within: dict[str, Any] | None = None) -> None:
        """Args: within: how far an epoch has come that has not ended."""
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "history": self.history,
        }
        with self.clock.saving():
            checkpoints.save(self.checkpoint, self.run, state | ({checkpoints.WITHIN: within} if within else {}))


def at_once(model: nn.Module, names: Sequence[str], run: Run) -> Callable[[], Tensor]:
    """The penalty of the guided convolutions; with reduction `mean`, lambda is divided by the filters of its layer.

    The corner weights of all layers are gathered in one operation: a GPU waits for the number of operations.
    """
    return EntropyGuidance(
        model,
        dict.fromkeys(names, run["lambda"]),
        form=run["form"],
        reduction=run["reduction"],
        floor=0.0,
        **_epsilon(run),
    )


def layer_by_layer(model: nn.Module, names: Sequence[str], run: Run) -> Callable[[], Tensor]:
    """The same by the operations that trained the committed runs, in their order: a run that is trained again has the
    same digits.
    """

    def guidance() -> Tensor:
        terms = []
        for name in names:
            change = conv_entropy_change(model.get_submodule(name).get_parameter("weight"))
            lambda_ = run["lambda"] / (change.numel() if run["reduction"] == "mean" else 1)
            terms.append(penalty(change, lambda_, form=run["form"], **_epsilon(run)).sum())
        return torch.stack(terms).sum()

    return guidance


def _epsilon(run: Run) -> dict[str, Any]:
    return {"epsilon": run["epsilon"]} if run["form"] == "reciprocal" else {}


def _default_generator(device: torch.device) -> torch.Generator:
    """From which dropout draws. Only a GPU tests its own."""
    if device.type == "cuda":
        return torch.cuda.default_generators[device.index or 0]
    return torch.default_generator


def _place(data: MappedSet, device: torch.device) -> MappedSet:
    """On the device where it fits; else batch by batch from the host's memory-mapped files."""
    if device.type == "cpu" or data.nbytes > GPU_MEMORY_SHARE * free_memory(device):
        return data
    return data.to(device)


def _plain(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
