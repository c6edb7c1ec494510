"""Train small CNN classifiers (paper, section 5.3, Table 1): on a CPU one model a process, on a GPU a stack at once.

Each model has its own lambda, form, anchor, initial weights and data order, and trains for a fixed number of epochs.
Its numbers depend on its run alone, on a GPU but for rounding.

Why this way on a CPU (one core; tests/benchmarks/small_cnn.py, data/benchmarks/small-cnn.csv): a plain loop spends a
third of its time in the max-pooling of a channels-first tensor, and much of the rest on pages of fresh memory and on
the leaky ReLU at full size. Images and features with channels last, bias and leaky ReLU after the pooling, gradients
summed over parts of a batch that stay near the cache, features flattened without a copy, the dense layer's gradient by
rows, the penalty's written out, Adam without its wrapper, and a process that keeps what it frees
(executors.keep_freed_memory) cure that. Four models as one grouped convolution gain no more a model, and as unfolded
products they are slower: so one model a process.

Shape legend: M models, B batch, N training images, V validation images, G models guided alike, K classes.
"""

import math
import time
from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from entropy_guidance import penalty
from replication.core.provenance import environment
from replication.core.run import Run
from replication.core.runs import Record, make_record
from replication.data.images import ImageSet
from replication.small_cnn.geometry import FILTER, anchor, feature_sides
from replication.small_cnn.training.model import CLASSES, SmallCNNs
from replication.training.fused_adam import FusedAdam
from replication.training.precision import dtype_of, full_products
from replication.training.trainer import Epoch, Orders, fitting, latest, prepare, shared_settings

CPU_PART = 32  # images whose gradient is computed at once: their features stay near the cache
VALIDATION_PART = 500  # images
INDEXED = 2**31 - 1  # numbers of one tensor on a GPU: what its kernels count in 32 bits
FREQUENCIES = (8, 8)  # at which the exact form samples a filter's spectrum
HISTORIES = (
    "train_loss",  # cross-entropy and accuracy while training, a mean over the epoch's batches, as Keras prints them
    "train_accuracy",
    "validation_loss",
    "validation_accuracy",
    "anchor_weight",  # mean |w| at the guided position of the first layer's filters
    "first_layer_rms",  # root of the mean square of all of its weights
)


def stack_key(run: Run) -> Hashable:
    """Runs with equal keys can share a stack: they differ in nothing that shapes a step."""
    return shared_settings(run, own={"lambda", "form", "epsilon", "anchor", "placement", "replicate"})


def stack_size(run: Run, data: ImageSet, device: torch.device) -> int:
    """How many models like this one train together: on a CPU one, on a GPU as many as fit.

    They end together, and a killed sweep loses all of them.
    """
    if device.type == "cpu":
        return 1
    width, batch_size = run["width"], run["batch_size"]
    sides = feature_sides(data.train_images.shape[-1], run["blocks"], run["padding"])
    # Of each block: the convolution, its gradient, and at a quarter of the size places (int64), sums, activations
    activations = sum(4 * width * side**2 for side in sides[:-1])
    kernels = [
        run["width"] * FILTER**2 * inputs for inputs in (data.train_images.shape[1], *[width] * (len(sides) - 2))
    ]
    weights = sum(kernels) + CLASSES * width * sides[-1] ** 2
    largest = batch_size * width * sides[0] ** 2
    return max(1, min(INDEXED // largest, fitting(batch_size * activations + 4 * weights, run, device)))


def one_thread(run: Run) -> bool:  # noqa: ARG001
    """Always (tests/benchmarks/workers.py)."""
    return True


def cost(run: Run) -> float:
    """Grows with the seconds of an epoch: multiplications of a forward pass, for images of 32 x 32."""
    sides = feature_sides(32, run["blocks"], run["padding"])
    channels = [3, *[run["width"]] * (run["blocks"] - 1)]
    return float(sum(run["width"] * c * (FILTER * s) ** 2 for c, s in zip(channels, sides[:-1], strict=True)))


def train(runs: Sequence[Run], data: ImageSet, device: torch.device) -> Iterator[Epoch]:
    """Train runs of one stack; they end together.

    The seconds of a record are its share of the stack's time.
    """
    stack = _Stack(runs, data, device)
    for number in range(1, runs[0]["epochs"] + 1):
        yield stack.epoch(number)


class _Stack:
    """The models in training, and what has been measured of them."""

    def __init__(self, runs: Sequence[Run], images: ImageSet, device: torch.device) -> None:
        first = runs[0]
        prepare(device, first)
        self.runs, self.device = runs, device
        self.dtype = dtype_of(first)
        self.batch_size: int = first["batch_size"]
        self.part = CPU_PART if device.type == "cpu" else self.batch_size
        self.environment = environment(device, len(runs))
        # A clone, for grey images as well: torch takes the strides of a tensor for its memory format.
        self.train_NHWC, self.validation_VHWC = (
            split.movedim(1, -1).clone(memory_format=torch.contiguous_format).to(device)
            for split in (images.train_images, images.validation_images)
        )
        self.train_labels_N, self.validation_labels_V = (
            labels.long().to(device) for labels in (images.train_labels, images.validation_labels)
        )
        channels, height, width = images.train_images.shape[1:]
        self.models = SmallCNNs.initial(
            (channels, height, width),
            first["blocks"],
            first["width"],
            [run.seed("weights") for run in runs],
            self.dtype,
            padding=first["padding"],
            negative_slope=first["negative_slope"],
        ).to(device)
        for tensor in self.models.tensors():
            tensor.requires_grad_()
        self.gradients = [torch.zeros_like(tensor) for tensor in self.models.tensors()]
        for tensor, gradient in zip(self.models.tensors(), self.gradients, strict=True):
            tensor.grad = gradient  # and stays there, as FusedAdam needs it
        adam = FusedAdam if device.type == "cpu" else partial(torch.optim.Adam, fused=True)
        self.adam = adam(self.models.tensors(), lr=first["learning_rate"], eps=1e-7)  # Keras's epsilon
        self.lambda_M = torch.tensor([run["lambda"] for run in runs], dtype=self.dtype, device=device)
        self.epsilon_M = torch.tensor([run["epsilon"] for run in runs], dtype=self.dtype, device=device)
        alike = defaultdict(list)
        for m, run in enumerate(runs):
            if run["form"] != "none":
                alike[run["form"], anchor(run), run["placement"]].append(m)
        self.guided = {kind: torch.tensor(rows, device=device) for kind, rows in alike.items()}
        self.orders = Orders(runs)
        self.histories: list[dict[str, list[float]]] = [{name: [] for name in HISTORIES} for _ in runs]
        self.seconds = 0.0

    def epoch(self, number: int) -> Epoch:
        """One epoch of every model."""
        start = time.perf_counter()
        order_MN = self.orders.draw(self.runs, len(self.train_NHWC)).to(self.device)
        train_M2 = torch.zeros(len(self.runs), 2, dtype=torch.float64, device=self.device)
        for batch_MB in order_MN.split(self.batch_size, dim=1):
            train_M2 += self._step(batch_MB)
        measured = torch.cat([train_M2 / order_MN.shape[1], self._validate(), self._first_layer()], dim=1).tolist()
        for history, row in zip(self.histories, measured, strict=True):
            for name, value in zip(HISTORIES, row, strict=True):
                history[name].append(value)
        self.seconds += time.perf_counter() - start
        ended = number == self.runs[0]["epochs"]
        accuracy = sum(history["validation_accuracy"][-1] for history in self.histories) / len(self.runs)
        records = [self._record(m) for m in range(len(self.runs))] if ended else []
        curves = {run.key: latest(history) for run, history in zip(self.runs, self.histories, strict=True)}
        return Epoch(number, 0 if ended else len(self.runs), f"accuracy {accuracy:.4f}", records, curves)

    def _step(self, batch_MB: Tensor) -> Tensor:
        """One optimiser step of every model on its own batch; summed losses and right answers, (M, 2)."""
        for gradient in self.gradients:
            gradient.zero_()
        sums_M2 = torch.zeros(len(self.runs), 2, dtype=torch.float64, device=self.device)
        for part_MB in batch_MB.split(self.part, dim=1):
            flat = self.train_NHWC.index_select(0, part_MB.flatten())  # copies whole images, unlike [part_MB]
            scores_MBK = self.models.scores(self._images(flat.unflatten(0, part_MB.shape)))
            loss_M, right_M = _loss_and_right(scores_MBK, self.train_labels_N[part_MB])
            # The models share no parameter, so the gradient of the sum is the gradient of each.
            (loss_M.sum() / batch_MB.shape[1]).backward()
            sums_M2 += torch.stack([loss_M.detach(), right_M], dim=1)
        with full_products():
            for kind, rows_G in self.guided.items():
                self._add_penalty_gradient(*kind, rows_G)
        self.adam.step()
        return sums_M2

    def _images(self, images_MBHWC: Tensor) -> Tensor:
        """uint8 -> pixels in [0, 1], (B, M C, H, W), channels last in memory."""
        return (images_MBHWC.movedim(0, 3).flatten(3).to(self.dtype) / 255).movedim(-1, 1)

    def _add_penalty_gradient(self, form: str, position: tuple[int, int], placement: str, rows_G: Tensor) -> None:
        """Add to the gradients those of the penalties of models that are guided alike; the exact form by autograd.

        The penalty of a weight c is lambda / (|c| + epsilon) or -lambda log|c| (eqs. 45 and 47); weight decay's is
        lambda times the sum of all squares.
        """
        lambda_G, epsilon_G = self.lambda_M[rows_G], self.epsilon_M[rows_G]
        anchors = (rows_G, slice(None), slice(None), *position)
        guided = len(self.models.kernels) if placement == "all" else 1
        pairs = zip(self.models.kernels[:guided], self.gradients[:guided], strict=True)  # kernels come first in both
        for kernel_MOIpq, gradient_MOIpq in pairs:
            if form == "exact":  # per pixel, as EntropyGuidance has it
                change_G = _exact_change(kernel_MOIpq[rows_G]) / math.prod(FREQUENCIES)
                penalty(change_G, lambda_G, form="exact").sum().backward()
                continue
            weights_MOIpq = kernel_MOIpq.detach()
            if form == "decay":
                gradient_MOIpq[rows_G] += 2 * lambda_G[:, None, None, None, None] * weights_MOIpq[rows_G]
                continue
            c_GOI, lambda_G11, epsilon_G11 = weights_MOIpq[anchors], lambda_G[:, None, None], epsilon_G[:, None, None]
            if form == "reciprocal":
                pull_GOI = c_GOI.sign() / (c_GOI.abs() + epsilon_G11).square()
            else:
                pull_GOI = torch.where(c_GOI == 0, 0, 1 / c_GOI)  # as the reciprocal: 0 is pulled neither way
            gradient_MOIpq[anchors] -= lambda_G11 * pull_GOI

    @torch.no_grad()
    def _validate(self) -> Tensor:
        """Mean loss and accuracy on the validation images, (M, 2)."""
        sums_M2 = torch.zeros(len(self.runs), 2, dtype=torch.float64, device=self.device)
        # On a GPU as many as a step has, whose memory there is
        part = CPU_PART if self.device.type == "cpu" else max(self.batch_size, VALIDATION_PART // len(self.runs))
        pairs = zip(self.validation_VHWC.split(part), self.validation_labels_V.split(part), strict=True)
        for images_VHWC, labels_V in pairs:
            x = self._images(images_VHWC.expand(len(self.runs), *images_VHWC.shape))
            loss_M, right_M = _loss_and_right(self.models.scores(x), labels_V.expand(len(self.runs), -1))
            sums_M2 += torch.stack([loss_M, right_M], dim=1)
        return sums_M2 / len(self.validation_VHWC)

    @torch.no_grad()
    def _first_layer(self) -> Tensor:
        """Mean |w| at the anchor, and the root mean square of all weights, (M, 2)."""
        kernel_MOIpq = self.models.kernels[0].double()
        anchors_M = torch.stack([kernel_MOIpq[m][..., *anchor(run)].abs().mean() for m, run in enumerate(self.runs)])
        return torch.stack([anchors_M, kernel_MOIpq.square().flatten(1).mean(dim=1).sqrt()], dim=1)

    def _record(self, m: int) -> Record:
        history = self.histories[m]
        accuracy = history["validation_accuracy"]
        best = max(range(len(accuracy)), key=accuracy.__getitem__)
        metrics = {
            "validation_accuracy": accuracy[-1],
            "train_accuracy": history["train_accuracy"][-1],
            "best_validation_accuracy": accuracy[best],
            "best_epoch": best + 1,
            "validation_loss": history["validation_loss"][-1],
            "anchor_weight": history["anchor_weight"][-1],
        }
        return make_record(self.runs[m], metrics, history, self.seconds / len(self.runs), self.environment)


def _exact_change(kernel_GOIpq: Tensor) -> Tensor:
    """As `exact_conv_entropy_change`, (G,), by the operations that trained the committed runs: the LU of a Gram matrix.

    A run that is trained again so has the same digits.
    """
    transfer_GlwOI = torch.fft.fft2(kernel_GOIpq, s=FREQUENCIES).movedim((-2, -1), (-4, -3))
    outputs, inputs = transfer_GlwOI.shape[-2:]
    if outputs == inputs:
        change_Glw = torch.linalg.slogdet(transfer_GlwOI).logabsdet
    else:
        wide = outputs < inputs
        gram = transfer_GlwOI @ transfer_GlwOI.mH if wide else transfer_GlwOI.mH @ transfer_GlwOI
        change_Glw = 0.5 * torch.linalg.slogdet(gram).logabsdet
    return change_Glw.sum(dim=(-2, -1))


def _loss_and_right(scores_MBK: Tensor, labels_MB: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy and right answers of each model, summed over the images, (M,)."""
    loss_MB = F.cross_entropy(scores_MBK.flatten(0, 1), labels_MB.flatten(), reduction="none").view(labels_MB.shape)
    return loss_MB.sum(dim=1), (scores_MBK.argmax(dim=2) == labels_MB).sum(dim=1)
