"""Train the smallest CNN of Table 1 in one of the forms of `settings.Form`, and measure it: one network a process.

Protocol, initial weights and order of images are those of `small_cnn.training.train`; runs that differ in their form
alone share them. Beside a record's seconds stand those of its steps alone, by the process's own clock on a CPU: other
work on the machine hardly stretches them.

Shape legend: B batch, N training images, V validation images, K classes.
"""

import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from entropy_guidance import outputs
from replication.core.provenance import environment
from replication.core.run import Run
from replication.core.runs import Record, make_record, nine_digits
from replication.data.images import ImageSet
from replication.rivals.record import EPOCHS, IMAGES, PER_NAT
from replication.rivals.settings import FEEDBACKS
from replication.rivals.training.calibration import BINS, held_out
from replication.rivals.training.measure import VALIDATION, Measurement
from replication.rivals.training.network import Network, images_of
from replication.rivals.training.steps import action_of, loss_of
from replication.small_cnn.training.train import VALIDATION_PART, cost
from replication.training.fused_adam import FusedAdam
from replication.training.precision import dtype_of
from replication.training.singly import on_device, one_thread, stack_key, stack_size
from replication.training.trainer import Epoch, Orders, latest, prepare

__all__ = ["cost", "one_thread", "stack_key", "stack_size", "train"]

SCORED = 10_000  # training images on which a finished network is scored
PREDICTED = 1_000  # validation images whose predictions an unguided run's record keeps: for ensembles
OUTPUTS = ("loss", "accuracy", "entropy", "confidence", "ece", "brier")  # of the validation images
MONITORED = {"loss": "nll"}  # where the monitor has another name


def train(runs: Sequence[Run], data: ImageSet, device: torch.device) -> Iterator[Epoch]:
    """Train runs one after the other."""
    for left, run in zip(reversed(range(len(runs))), runs, strict=True):
        training = _Training(run, data, device)
        for number in range(1, run["epochs"] + 1):
            history = training.epoch(number)
            ended = number == run["epochs"]
            progress = f"accuracy {history['validation_accuracy'][-1]:.4f}"
            curves = {run.key: latest(history)}
            yield Epoch(number, left + (not ended), progress, [training.finished()] if ended else [], curves)


class _Training:
    """One network in training, and what has been measured of it."""

    def __init__(self, run: Run, images: ImageSet, device: torch.device) -> None:
        start = time.perf_counter()
        prepare(device, run)
        self.run, self.device, self.dtype = run, device, dtype_of(run)
        self.environment = environment(device, 1)
        data = on_device(images, device)
        self.train_NHWC, self.validation_VHWC = data.train_NHWC, data.validation_VHWC
        self.train_labels_N, self.validation_labels_V = data.train_labels_N, data.validation_labels_V
        channels, height, width = images.train_images.shape[1:]
        self.network = Network.initial(run, (channels, height, width)).to(device)
        parameters = list(self.network.parameters())
        self.gradients = [torch.zeros_like(parameter) for parameter in parameters]
        for parameter, gradient in zip(parameters, self.gradients, strict=True):
            parameter.grad = gradient  # and stays there, as FusedAdam needs it
        adam = FusedAdam if device.type == "cpu" else partial(torch.optim.Adam, fused=True)
        self.adam = adam(parameters, lr=run["learning_rate"], eps=1e-7)  # Keras's epsilon
        self.loss = loss_of(run, self.network)
        self.action = action_of(run, self.network, -(-len(self.train_NHWC) // run["batch_size"]))
        self.orders = Orders([run])
        self.history: dict[str, list[float]] = {}
        self.measurement = Measurement(
            {
                "train": (self._pixels(self.train_NHWC[:IMAGES]), self.train_labels_N[:IMAGES]),
                VALIDATION: (self._pixels(self.validation_VHWC[:IMAGES]), self.validation_labels_V[:IMAGES]),
            }
        )
        self.pairs = torch.Generator().manual_seed(run.seed("pairs"))
        self._measure(0)
        self.clock = time.process_time if device.type == "cpu" else time.perf_counter
        self.train_seconds, self.seconds = 0.0, time.perf_counter() - start

    def epoch(self, number: int) -> dict[str, list[float]]:
        """One epoch; the histories so far."""
        start, clock = time.perf_counter(), self.clock()
        torch.manual_seed(self.run.seed("noise") + number)  # of a bottleneck
        order_N = self.orders.draw([self.run], len(self.train_NHWC))[0].to(self.device)
        train_2 = torch.zeros(2, dtype=torch.float64, device=self.device)
        with self.action:
            for batch_B in order_N.split(self.run["batch_size"]):
                train_2 += self._step(batch_B)
        self.train_seconds += self.clock() - clock
        loss, accuracy = (train_2 / len(order_N)).tolist()
        scores_VK = self._scores(self.validation_VHWC)
        row = {"train_loss": loss, "train_accuracy": accuracy}
        row |= {f"validation_{name}": value for name, value in self._described(scores_VK).items()}
        if self.run["form"] in (*FEEDBACKS, "shrink"):
            row |= {"lost": self.action.lost}
        if self.run["form"] in FEEDBACKS:
            row |= {"significant": self.action.significant}
        for name, value in row.items():
            self.history.setdefault(name, []).append(value)
        if number in EPOCHS or number == self.run["epochs"]:
            self._measure(number)
        self.seconds += time.perf_counter() - start
        return self.history

    def _step(self, batch_B: Tensor) -> Tensor:
        """One optimiser step; summed losses and right answers, (2,)."""
        torch._foreach_zero_(self.gradients)
        labels_B = self.train_labels_N[batch_B]
        logits_BK = self.network(self._pixels(self.train_NHWC.index_select(0, batch_B)))
        loss = self.loss(logits_BK, labels_B)
        loss.backward()
        self.action()
        self.adam.step()
        right = (logits_BK.detach().argmax(1) == labels_B).sum()
        return torch.stack([loss.detach() * len(batch_B), right])

    def _pixels(self, images_BHWC: Tensor) -> Tensor:
        return images_of(images_BHWC, self.dtype)

    @torch.no_grad()
    def _scores(self, images_NHWC: Tensor) -> Tensor:
        """Logits (N, K) in evaluation mode."""
        self.network.eval()
        parts = [self.network(self._pixels(part)) for part in images_NHWC.split(VALIDATION_PART)]
        self.network.train()
        return torch.cat(parts)

    def _described(self, scores_VK: Tensor) -> dict[str, float]:
        """Of the validation images: means of NLL and entropy (nats), accuracy, confidence, ECE and Brier score."""
        monitor = outputs.OutputMonitor(BINS)
        monitor.add(scores_VK, self.validation_labels_V)
        row = monitor.end_epoch()
        return {name: row[MONITORED.get(name, name)] for name in OUTPUTS}

    def _measure(self, number: int) -> None:
        """Pairs of maps are measured of unguided networks, before training and in the end."""
        paired = self.run["form"] == "none" and number in (0, self.run["epochs"])
        self.measurement.record(self.network, number, pairs=self.pairs if paired else None)

    def finished(self) -> Record:
        """The record, with what is measured of a finished network."""
        start = time.perf_counter()
        scores_VK, labels_V = self._scores(self.validation_VHWC), self.validation_labels_V
        accuracy = self.history["validation_accuracy"]
        best = max(range(len(accuracy)), key=accuracy.__getitem__)
        metrics = {
            **{f"validation_{name}": self.history[f"validation_{name}"][-1] for name in OUTPUTS},
            "best_validation_accuracy": accuracy[best],
            "best_epoch": best + 1,
            "train_accuracy": self.history["train_accuracy"][-1],
            "accuracy_on_training_images": self._accuracy_on_training_images(),
            **held_out(scores_VK, labels_V),
            **self._kl(),
            "train_seconds": round(self.train_seconds, 3),
        }
        kept = {"reliability": self._reliability(scores_VK), **self.measurement.columns()}
        if self.run["form"] == "none" and self.run["blocks"] == 1:
            kept["predictions"] = {"nats": _whole(scores_VK[:PREDICTED]), "labels": labels_V[:PREDICTED].tolist()}
        self.seconds += time.perf_counter() - start
        return make_record(self.run, metrics, self.history, self.seconds, self.environment) | {"measured": kept}

    def _accuracy_on_training_images(self) -> float:
        scores_NK = self._scores(self.train_NHWC[:SCORED])
        return (scores_NK.argmax(1) == self.train_labels_N[:SCORED]).double().mean().item()

    @torch.no_grad()
    def _kl(self) -> dict[str, float]:
        """The mean KL in nats of the first validation images: it bounds what the bottleneck knows of an image."""
        bottleneck = self.network.bottleneck
        if bottleneck is None or bottleneck.rho is None:
            return {}
        self._scores(self.validation_VHWC[:VALIDATION_PART])
        return {"kl": bottleneck.kl.double().mean().item()}

    def _reliability(self, scores_VK: Tensor) -> dict[str, list[Any]]:
        """Bins that hold images: lower edge, images, mean confidence, accuracy."""
        table = outputs.reliability(scores_VK.double().softmax(1), self.validation_labels_V, BINS)
        full = table.rows > 0
        columns = {name: getattr(table, name)[full].tolist() for name in ("lower", "confidence", "accuracy")}
        return {name: [nine_digits(value) for value in values] for name, values in columns.items()} | {
            "images": table.rows[full].long().tolist()
        }


def _whole(scores_NK: Tensor) -> list[list[int]]:
    """-log q of each class, in whole hundredths of a nat."""
    nats: list[list[int]] = (-F.log_softmax(scores_NK.double(), 1) * PER_NAT).round().long().tolist()
    return nats
