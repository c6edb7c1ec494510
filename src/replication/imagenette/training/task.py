"""The task of VGG16 and ResNet-50: a class for each image, by cross-entropy (paper, section 5.4).

Shapes: B images, K classes; counts (B, 1) are 1 where the highest score is the true class's.
"""

from typing import Any, SupportsFloat

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from entropy_guidance import profile, selection
from replication.core.errors import UserError
from replication.core.run import Run
from replication.data.mapped import MappedSet
from replication.imagenette.training import model as networks
from replication.imagenette.training.augmentation import augment as augmented

FACTOR = 0.1  # of the learning rate, when the validation accuracy stands still
PLAIN, DROPOUT = "plain", "augmentation+dropout"  # the third training has augmentation alone


def build(run: Run) -> nn.Module:
    """The run's network with its initial weights."""
    dropout = run["dropout"] if run["training"] == DROPOUT else 0.0
    model = networks.build(run["network"], dropout=dropout, divisor=run["divisor"])
    networks.initialise_(model, run["initialisation"], run.seed("weights"))
    return model


def guided_layers(model: nn.Module, run: Run) -> list[str]:
    """Names of the convolutions that the run's `layers` number.

    Raises:
        UserError: the network has no convolution of that number.
    """
    try:
        return selection.by_order(model, [int(number) for number in run["layers"].split("-")])
    except ValueError as error:
        raise UserError(f"layers {run['layers']}: {error}") from None


def one_thread(run: Run) -> bool:
    """For any but the full width."""
    return run["divisor"] > 1


def optimizer(model: nn.Module, run: Run) -> torch.optim.Optimizer:
    return torch.optim.SGD(
        model.parameters(),
        lr=run["learning_rate"],
        momentum=run["momentum"],
        weight_decay=run["weight_decay"],
        fused=True,
    )


def schedule(optimizer: torch.optim.Optimizer, run: Run) -> ReduceLROnPlateau:
    """A tenth of the learning rate after `schedule_patience` epochs in a row without better validation accuracy.

    Keras's rule: torch's `patience` counts the epochs that are still forgiven, one fewer.
    """
    return KerasPlateau(optimizer, factor=FACTOR, patience=run["schedule_patience"] - 1, threshold=0.0)


class KerasPlateau(ReduceLROnPlateau):
    """The schedule, with momentum as Keras's SGD has it.

    Keras keeps the learning rate inside the velocity, v = momentum v - rate g, so that what was gathered at the old
    rate goes on at the old rate; torch multiplies the whole by the new one. At a momentum of 0.9 the first move after
    the drop to a tenth is then up to nine times as large as torch's. While the rate stays, both are the same.
    """

    def step(self, metrics: SupportsFloat, epoch: int | None = None) -> None:  # type: ignore[override]
        (group,) = self.optimizer.param_groups
        before = group["lr"]
        super().step(metrics, epoch)
        if group["lr"] != before:
            for state in self.optimizer.state.values():
                if (gathered := state.get("momentum_buffer")) is not None:
                    gathered *= before / group["lr"]


def augment(inputs: Tensor, run: Run, generator: torch.Generator) -> Tensor:
    return inputs if run["training"] == PLAIN else augmented(inputs, generator)


def loss(output: Tensor, target: Tensor) -> Tensor:
    return nn.functional.cross_entropy(output, target.long())


def counts(output: Tensor, target: Tensor) -> Tensor:
    return (output.argmax(dim=1) == target).long()[:, None]


def metrics(counts: Tensor) -> dict[str, float]:
    return {"accuracy": counts.double().mean().item()}


def watched(row: dict[str, float], run: Run, dtype: torch.dtype) -> float:  # noqa: ARG001
    """The share of validation images that are classified wrongly."""
    return 1 - row["accuracy"]


def best(history: dict[str, list[float]]) -> dict[str, float]:
    """The highest validation accuracy and the first epoch that reached it: what Table 2 is read to print."""
    accuracy = max(history["accuracy"])
    return {"best_epoch": history["accuracy"].index(accuracy) + 1, "best_accuracy": accuracy}


def extras(model: nn.Module, run: Run, data: MappedSet, counts: Tensor) -> dict[str, Any]:  # noqa: ARG001
    """`profile` of an unguided run: the mean entropy change of every convolution, from which layers can be chosen."""
    if run["lambda"] != 0:
        return {}
    summary = profile(model).summary().set_index("name")
    names = selection.convolutions(model)
    return {
        "profile": [
            {"layer": number, "name": name, "mean": round(float(summary.loc[name, "mean"]), 6)}
            for number, name in enumerate(names, 1)
        ]
    }
