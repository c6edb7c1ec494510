"""Train a stack of equal autoencoders at once: one batched product per layer, one optimiser step, one batched
log-determinant for all of them. On a CPU, where that gains nothing, the products are made model by model.

Each model has its own lambda, epsilon, initial weights, data order and early stopping. Its numbers depend on its run
alone: which models share the stack changes only how floating-point sums are ordered inside a batched product.

Four settings are in a run's description only where they are not the paper's: `inputs`, which inputs the guided square
part reads (see `guided_inputs`; those chosen are in the record), `adam`, whose rule for epsilon the optimiser follows,
and, for controls, `rate_factor` and `weight_factor`, times which the learning rate and the encoder's initial weights
are taken.

Shape legend: M models, B batch, I inputs, L latent width, N training images, V validation images, G guided models.
"""

import time
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import torch
from torch import Tensor

from entropy_guidance import dense_entropy_change, penalty
from entropy_guidance.penalties import FORMS
from replication.autoencoder.training import guided_inputs
from replication.autoencoder.training.backpropagation import Backpropagation
from replication.autoencoder.training.model import Autoencoders
from replication.autoencoder.training.penalised import SCALE, Penalised, penalised_change
from replication.core.provenance import environment
from replication.core.run import Run
from replication.core.runs import Record, make_record
from replication.data.images import ImageSet, pixels
from replication.training import graphs
from replication.training.fused_adam import FusedAdam, keras_step
from replication.training.precision import dtype_of, full_products
from replication.training.stopping import EarlyStopping, best_epoch
from replication.training.trainer import Epoch, Orders, fitting, latest, prepare, shared_settings

VALIDATION_CHUNK = 2000  # images
LEAST_LU = 3  # matrices of a batch on a GPU: fewer go to cuSOLVER, which cannot be relied on in a CUDA graph


def stack_key(run: Run) -> Hashable:
    """Runs with equal keys can share a stack: they differ in nothing that shapes a step."""
    return shared_settings(run, own={"lambda", "form", "epsilon", "monitor", "replicate"})


def stack_size(run: Run, data: ImageSet, device: torch.device) -> int:
    """How many models like this one train together.

    On a CPU one: a process a core, each with weights that stay in its cache, beats any stack (tests/benchmarks). On a
    GPU as many as fit: while a step is bound by latency a model more costs almost nothing, and a large stack is left
    with few models only once. (Expected, not measured; tests/benchmarks/stacks.py measures it.)

    Raises:
        UserError: the images do not have the inputs that the runs are to guide.
    """
    guided_inputs.chosen(run, data)
    if device.type == "cpu":
        return 1
    inputs = data.train_images[0].numel()
    weights = 2 * inputs * run["width"]
    activations = max(run["batch_size"], VALIDATION_CHUNK) * (4 * inputs + 3 * run["width"])
    return fitting(4 * weights + activations, run, device)


def one_thread(run: Run) -> bool:  # noqa: ARG001
    """Always (tests/benchmarks/workers.py)."""
    return True


def cost(run: Run) -> float:
    """Grows with the seconds of an epoch: wide models and small batches take longer."""
    return float(run["width"] / run["batch_size"])


def train(runs: Sequence[Run], data: ImageSet, device: torch.device) -> Iterator[Epoch]:
    """Train runs of one stack, epoch by epoch, until all have stopped.

    The seconds of a record are its share of the stack's time: each epoch's seconds over the models in it.
    """
    stack = _Stack(runs, data, device)
    for number in count(1):
        epoch = stack.epoch(number)
        yield epoch
        if not epoch.training:
            return


def train_again(run: Run, data: ImageSet, device: torch.device) -> tuple[Record, Autoencoders]:
    """Train one run and keep its weights, which records do not have."""
    stack = _Stack([run], data, device)
    for number in count(1):
        if finished := stack.epoch(number).finished:
            return finished[0], Autoencoders(*(tensor.detach() for tensor in stack.models.tensors()))
    raise AssertionError("a run ends")


def initial_weights(runs: Sequence[Run], data: ImageSet) -> Autoencoders:
    """What the training of one stack starts from, on the CPU."""
    first, seeds = runs[0], [run.seed("weights") for run in runs]
    weights = Autoencoders.initial(data.train_images[0].numel(), first["width"], seeds, dtype_of(first))
    weights.encoder_MLI.mul_(float(first.settings.get("weight_factor", 1.0)))
    return weights


class _Replica:
    """What one model of the stack carries beside its weights."""

    def __init__(self, run: Run, initial_change: float, block: "_Block | None" = None) -> None:
        self.run = run
        self.stopping = EarlyStopping(run["patience"], run["min_delta"])
        self.initial_change = initial_change
        self.block = block
        self.history: dict[str, list[float]] = {"train_mse": [], "validation_mse": [], "entropy_change": []}
        if block is not None:
            self.history["guided_entropy_change"] = []
        self.seconds = 0.0
        self.finished = False

    def end_epoch(
        self, train_mse: float, validation_mse: float, change: float, monitored: float, *guided_change: float
    ) -> bool:
        values = (train_mse, validation_mse, change, *guided_change)
        for name, value in zip(self.history, values, strict=True):
            self.history[name].append(value)
        stopped = self.stopping.should_stop(monitored)
        self.finished = stopped or len(self.history["train_mse"]) >= self.run["max_epochs"]
        return self.finished

    def record(self, environment: dict[str, str]) -> Record:
        """`entropy_change` is log|det| of the leading square part, whichever is guided, so that all runs compare.

        Of a run that guides another there is `guided_entropy_change` beside it, and `inputs`: those of that block.
        """
        validation = self.history["validation_mse"]
        best, best_mse = best_epoch(validation)
        metrics = {
            "stopping_epoch": len(validation),
            "stopped_early": int(self.stopping.epochs_without_improvement >= self.run["patience"]),
            "validation_mse": validation[-1],
            "train_mse": self.history["train_mse"][-1],
            "best_validation_mse": best_mse,
            "best_epoch": best,
            "initial_entropy_change": self.initial_change,
            "entropy_change": self.history["entropy_change"][-1],
        }
        if self.block is None:
            return make_record(self.run, metrics, self.history, self.seconds, environment)
        metrics |= {
            "initial_guided_entropy_change": self.block.initial_change,
            "guided_entropy_change": self.history["guided_entropy_change"][-1],
        }
        return make_record(self.run, metrics, self.history, self.seconds, environment) | {"inputs": self.block.inputs}


@dataclass(frozen=True)
class _Block:
    """A guided square part that is not the leading one."""

    inputs: list[int]
    initial_change: float


class _Stack:
    """The models in training. A model that has stopped may ride along until the next compaction; nobody reads it."""

    def __init__(self, runs: Sequence[Run], images: ImageSet, device: torch.device) -> None:
        first = runs[0]
        prepare(device, first)
        self.device = device
        self.dtype = dtype_of(first)
        self.output_activation: str = first["output_activation"]
        self.batch_size: int = first["batch_size"]
        self.keras_adam = first.settings.get("adam") == "keras"
        self.keras_steps = 0  # on a GPU; a CPU's optimiser counts for itself
        self.learning_rate: float = first["learning_rate"] * first.settings.get("rate_factor", 1.0)
        self.environment = environment(device, len(runs))
        self.replay = None if device.type == "cpu" else graphs.Replay()
        self.train_NI = pixels(images.train_images).to(device)
        self.validation_VI = pixels(images.validation_images).to(device)

        weights = initial_weights(runs, images)
        changes = dense_entropy_change(weights.encoder_MLI.double()).tolist()
        inputs_L = guided_inputs.chosen(first, images)
        self.inputs_L = None if inputs_L is None else inputs_L.to(device)
        blocks: list[_Block | None] = [None] * len(runs)
        if inputs_L is not None:
            guided = dense_entropy_change(weights.encoder_MLI[..., inputs_L].double()).tolist()
            blocks = [_Block(inputs_L.tolist(), change) for change in guided]
        self.replicas = [_Replica(*one) for one in zip(runs, changes, blocks, strict=True)]
        self.orders = Orders(runs)
        self._place(weights, [])

    @property
    def runs(self) -> list[Run]:
        return [replica.run for replica in self.replicas if not replica.finished]

    def _place(self, weights: Autoencoders, optimizer_state: list[dict[str, Tensor]]) -> None:
        """Put parameters, their optimiser and the guidance of `self.replicas` on the device."""
        self.models = Autoencoders(*(tensor.to(self.device).requires_grad_() for tensor in weights.tensors()))
        tensors, rate, epsilon = self.models.tensors(), self.learning_rate, 1e-7  # Keras's epsilon
        self.written: Backpropagation | None = None  # the gradient without autograd
        if self.replay is None:
            self.written = Backpropagation(self.models, self.batch_size, self.output_activation)
        else:
            self.replay.forget()
        if self.written is not None:
            self.adam = FusedAdam(tensors, lr=rate, eps=epsilon, keras=self.keras_adam)
            self.state = self.adam.state
        else:
            graphed = self.replay is not None
            self.optimizer = torch.optim.Adam(tensors, lr=rate, eps=epsilon, fused=True, capturable=graphed)
            self.state = self.optimizer.state
        self.state.update(zip(tensors, optimizer_state, strict=False))
        runs = [replica.run for replica in self.replicas]
        self.lambda_M = torch.tensor([run["lambda"] for run in runs], dtype=self.dtype, device=self.device)
        self.epsilon_M = torch.tensor([run["epsilon"] for run in runs], dtype=self.dtype, device=self.device)
        self.guided = {  # form -> its models
            form: torch.tensor([m for m, run in enumerate(runs) if run["form"] == form], device=self.device)
            for form in (*FORMS, SCALE)
            if any(run["form"] == form for run in runs)
        }
        self.watching = {  # by monitor, which models
            monitor: torch.tensor([run["monitor"] == monitor for run in runs], device=self.device)
            for monitor in {run["monitor"] for run in runs}
        }
        self.squared_error_M = torch.zeros(len(runs), dtype=torch.float64, device=self.device)
        self.index_MB = torch.zeros(len(runs), self.batch_size, dtype=torch.int64, device=self.device)

    def _compact(self) -> None:
        """Drop the finished models: weights, optimiser state and bookkeeping of the others stay as they are."""
        keep = [m for m, replica in enumerate(self.replicas) if not replica.finished]
        self.replicas = [self.replicas[m] for m in keep]
        if not keep:
            return
        rows = torch.tensor(keep, device=self.device)
        state = [
            {name: value if name == "step" else value[rows].clone() for name, value in self.state[parameter].items()}
            for parameter in self.models.tensors()
        ]
        self._place(Autoencoders(*(tensor.detach()[rows].clone() for tensor in self.models.tensors())), state)

    def epoch(self, number: int) -> Epoch:
        """One epoch of every model."""
        start = time.perf_counter()
        order_MN = self.orders.draw([replica.run for replica in self.replicas], len(self.train_NI)).to(self.device)
        self.squared_error_M.zero_()
        images = order_MN.shape[1]
        for first in range(0, images, self.batch_size):
            batch_MB = order_MN[:, first : first + self.batch_size]
            # A graph keeps the epsilon that it was captured with, and Keras's rule needs another one at each step.
            if self.replay is not None and batch_MB.shape[1] == self.batch_size and not self.keras_adam:
                self.index_MB.copy_(batch_MB)
                # One launch instead of about eighty
                self.replay(lambda: self._step(self.index_MB), before_capture=self.optimizer.zero_grad)
            else:
                self._step(batch_MB)

        validation_M = self._mse(self.validation_VI)
        with torch.no_grad(), full_products():
            change_M = dense_entropy_change(self.models.encoder_MLI)
            penalty_M = torch.zeros_like(change_M)
            guided_MLI = self._guided_weights()
            for form, rows_G in self.guided.items():
                penalty_M[rows_G] = self._penalty(penalised_change(form, guided_MLI[rows_G]), form, rows_G)
            monitored_M = self._monitored(validation_M, penalty_M)
            train_M = self.squared_error_M / images
            told = [train_M, validation_M, change_M, monitored_M]
            if self.inputs_L is not None:
                told.append(dense_entropy_change(guided_MLI))
        rows = torch.stack([t.double() for t in told], dim=1).tolist()

        active = [(replica, row) for replica, row in zip(self.replicas, rows, strict=True) if not replica.finished]
        seconds = (time.perf_counter() - start) / len(active)
        records = []
        for replica, row in active:
            replica.seconds += seconds
            if replica.end_epoch(*row):
                records.append(replica.record(self.environment))
        # Each compaction on a GPU costs a new capture, so it waits until a quarter of the stack is idle.
        worthwhile = 0.75 if self.replay is not None else 1.0
        if records and len(self.runs) <= worthwhile * len(self.replicas):
            self._compact()
        mse = sum(row[1] for _, row in active) / len(active)
        curves = {replica.run.key: latest(replica.history) for replica, _ in active}
        return Epoch(number, len(self.runs), f"mse {mse:.4f}", records, curves)

    def _step(self, batch_MB: Tensor) -> None:
        """One optimiser step of every model on its own batch."""
        if self.written is not None:
            self._written_step(self.written, batch_MB)
            return
        self.optimizer.zero_grad(set_to_none=True)
        x_MBI = self.train_NI[batch_MB].to(self.dtype) / 255
        y_MBI = self.models.reconstruct(x_MBI, self.output_activation)
        base_M = (y_MBI - x_MBI).square().mean(dim=(1, 2))
        # The models share no parameter, so the gradient of the sum is the gradient of each.
        loss = base_M.sum()
        for form, rows_G in self.guided.items():
            with full_products():
                change_G = _batched_change(form, self._guided_weights(), rows_G)
            loss = loss + self._penalty(change_G, form, rows_G).sum()
        loss.backward()
        if self.keras_adam:
            self.keras_steps += 1
            keras_step(self.optimizer, self.optimizer.step, self.keras_steps)
        else:
            self.optimizer.step()
        self.squared_error_M += base_M.detach() * batch_MB.shape[1]

    def _written_step(self, written: Backpropagation, batch_MB: Tensor) -> None:
        """The same step on a CPU."""
        for m, batch_B in enumerate(batch_MB):
            run = self.replicas[m].run
            self.squared_error_M[m].add_(written.gradients(m, self.train_NI, batch_B), alpha=len(batch_B))
            if run["form"] != "none":
                written.add_penalty_gradient(m, run["form"], run["lambda"], run["epsilon"], self.inputs_L)
        self.adam.step()

    def _guided_weights(self) -> Tensor:
        """The columns that guidance looks at: all, of which the leading ones are the paper's, or the chosen ones."""
        weights_MLI = self.models.encoder_MLI
        return weights_MLI if self.inputs_L is None else weights_MLI.index_select(2, self.inputs_L)

    def _penalty(self, change_G: Tensor, form: Penalised, rows_G: Tensor) -> Tensor:
        kind = "exact" if form == SCALE else form
        return penalty(change_G, self.lambda_M[rows_G], form=kind, epsilon=self.epsilon_M[rows_G])

    def _monitored(self, validation_M: Tensor, penalty_M: Tensor) -> Tensor:
        """What early stopping goes by, (M,): sums in the training's precision, whose rounding H1 is about."""
        monitored_M = validation_M
        if "total" in self.watching:
            monitored_M = torch.where(self.watching["total"], validation_M + penalty_M, monitored_M)
        if "keras" in self.watching:
            monitored_M = torch.where(self.watching["keras"], self._running_mean(penalty_M), monitored_M)
        return monitored_M

    def _running_mean(self, penalty_M: Tensor) -> Tensor:
        """Mean total of the validation batches as keras.metrics.Mean makes it, (M,): a sum over all images, divided.

        The sum is as large as the images are many, and rounds the more coarsely.
        """
        sum_M = torch.zeros_like(penalty_M)
        for batch_BI in self.validation_VI.split(self.batch_size):
            sum_M += (self._mse(batch_BI) + penalty_M) * len(batch_BI)
        return sum_M / len(self.validation_VI)

    @torch.no_grad()
    def _mse(self, images_VI: Tensor) -> Tensor:
        """MSE of every model on some images, (M,), in the precision of the training."""
        if self.written is not None:
            values = [self.written.mse(m, images_VI) for m in range(len(self.replicas))]
            return torch.tensor(values, dtype=self.dtype)
        error_M = torch.zeros(len(self.replicas), dtype=torch.float64, device=self.device)
        for chunk_VI in images_VI.split(VALIDATION_CHUNK):
            x_1VI = (chunk_VI.to(self.dtype) / 255)[None]
            y_MVI = self.models.reconstruct(x_1VI, self.output_activation)
            error_M += (y_MVI - x_1VI).square().mean(dim=(1, 2)).double() * len(chunk_VI)
        return (error_M / len(images_VI)).to(self.dtype)


def _batched_change(form: Penalised, weights_MLI: Tensor, rows_G: Tensor) -> Tensor:
    """`penalised_change` of some models, (G,). Fewer than LEAST_LU are repeated; the repeats get no gradient."""
    padded = rows_G.repeat(LEAST_LU)[: max(LEAST_LU, len(rows_G))]
    return penalised_change(form, weights_MLI[padded])[: len(rows_G)]
