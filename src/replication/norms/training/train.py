"""Train the small ResNet in one of the forms of `settings.Form`: one network a process.

Runs that differ in their form or lambda alone share initial weights and the order of images.

Shape legend: B batch, N training images, V validation images.
"""

import math
import time
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from replication.core.provenance import environment
from replication.core.run import Run
from replication.core.runs import Record, make_record
from replication.data.images import ImageSet
from replication.norms.training.network import initial
from replication.norms.training.steps import action_of, guided_layers
from replication.training.precision import dtype_of
from replication.training.singly import on_device, one_thread, stack_key, stack_size
from replication.training.trainer import Epoch, Orders, latest, prepare

__all__ = ["cost", "one_thread", "stack_key", "stack_size", "train"]

VALIDATION_PART = 500  # images


def cost(run: Run) -> float:
    """Operations of a network, in units of its own."""
    return float(run["width"] ** 2)


def train(runs: Sequence[Run], data: ImageSet, device: torch.device) -> Iterator[Epoch]:
    """Train runs one after the other."""
    for left, run in zip(reversed(range(len(runs))), runs, strict=True):
        training = _Training(run, data, device)
        for number in range(1, run["epochs"] + 1):
            accuracy = training.epoch()
            ended = number == run["epochs"]
            finished = [training.finished()] if ended else []
            curves = {run.key: latest(training.history)}
            yield Epoch(number, left + (not ended), f"accuracy {accuracy:.4f}", finished, curves)


class _Training:
    """One network in training, and its history."""

    def __init__(self, run: Run, images: ImageSet, device: torch.device) -> None:
        start = time.perf_counter()
        prepare(device, run)
        self.run, self.device, self.dtype = run, device, dtype_of(run)
        self.environment = environment(device, 1)
        data = on_device(images, device)
        self.train_NHWC, self.validation_VHWC = data.train_NHWC, data.validation_VHWC
        self.train_labels_N, self.validation_labels_V = data.train_labels_N, data.validation_labels_V
        colours = images.train_images.shape[1]
        self.network = initial(colours, run["width"], run.seed("weights")).to(
            device,
            self.dtype,
            memory_format=torch.channels_last,  # type: ignore[call-overload]
        )
        self.guided = [self.network.get_submodule(name) for name in guided_layers(self.network, colours)]
        self.action = action_of(run, self.network, colours)
        self.parameters = list(self.network.parameters())
        self.steps = run["epochs"] * math.ceil(len(self.train_NHWC) / run["batch_size"])
        self.step = 0
        self.orders = Orders([run])
        self.history: dict[str, list[float]] = {}
        self.first = self._lengths()
        self.seconds = time.perf_counter() - start

    def epoch(self) -> float:
        """One epoch; the validation accuracy after it."""
        start = time.perf_counter()
        order_N = self.orders.draw([self.run], len(self.train_NHWC))[0].to(self.device)
        losses = torch.zeros((), dtype=torch.float64, device=self.device)
        for batch_B in order_N.split(self.run["batch_size"]):
            losses += self._step(batch_B) * len(batch_B)
        loss, accuracy = self._validate()
        row = {
            "train_loss": losses.item() / len(order_N),
            "validation_loss": loss,
            "validation_accuracy": accuracy,
            "corner": self._corner(),
            "growth": (self._lengths() - self.first).mean().item(),
        }
        for name, value in row.items():
            self.history.setdefault(name, []).append(value)
        self.seconds += time.perf_counter() - start
        return accuracy

    def _step(self, batch_B: Tensor) -> Tensor:
        """One step of SGD, whose rate falls to 0 linearly; the loss before it, without a penalty."""
        rate = self.run["learning_rate"] * (1 - self.step / self.steps)
        self.step += 1
        self.network.zero_grad()
        logits_BK = self.network(self._pixels(self.train_NHWC.index_select(0, batch_B)))
        loss = F.cross_entropy(logits_BK, self.train_labels_N[batch_B])
        loss.backward()
        self.action(rate)
        with torch.no_grad():  # as torch.optim.SGD, whose first step in a process takes two seconds of imports
            torch._foreach_add_(self.parameters, [parameter.grad for parameter in self.parameters], alpha=-rate)
        return loss.detach().double()

    def _pixels(self, images_BHWC: Tensor) -> Tensor:
        return (images_BHWC.to(self.dtype) / 127.5 - 1).movedim(-1, 1)

    @torch.no_grad()
    def _validate(self) -> tuple[float, float]:
        """Mean loss and accuracy on the validation images."""
        self.network.eval()
        scores = [self.network(self._pixels(part)) for part in self.validation_VHWC.split(VALIDATION_PART)]
        self.network.train()
        scores_VK = torch.cat(scores).double()
        right = (scores_VK.argmax(1) == self.validation_labels_V).double().mean()
        return F.cross_entropy(scores_VK, self.validation_labels_V).item(), right.item()

    @torch.no_grad()
    def _corner(self) -> float:
        """Mean log|c11| of the guided filters' slices, nats."""
        corners = [layer.get_parameter("weight").flatten(2)[..., 0].flatten() for layer in self.guided]
        return torch.cat(corners).double().abs().clamp_min(1e-30).log().mean().item()

    @torch.no_grad()
    def _lengths(self) -> Tensor:
        """Log of the length of each guided filter."""
        return torch.cat([layer.get_parameter("weight").flatten(1).norm(dim=1) for layer in self.guided]).double().log()

    def finished(self) -> Record:
        """The record. growth: mean of the logs by which the guided filters have become longer."""
        last = {name: values[-1] for name, values in self.history.items()}
        names = ("validation_accuracy", "validation_loss", "train_loss", "corner", "growth")
        metrics = {name: last[name] for name in names}
        return make_record(self.run, metrics, self.history, self.seconds, self.environment)
