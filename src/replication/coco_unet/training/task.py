"""The task of the U-Nets: a binary mask for each image, by mean squared error (paper, section 5.5).

Shapes: B images, H x W pixels; counts (B, 4) are true positives, false positives, false negatives and true negatives
among an image's pixels.
"""

from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn

from entropy_guidance import selection
from replication.coco_unet.layer_numbers import SKIP_FEEDING, layers_by_number, numbers_of
from replication.coco_unet.training.masks import encode_image, encode_mask
from replication.coco_unet.training.model import Sigmoid, UNet
from replication.core.errors import UserError
from replication.core.run import Run
from replication.data.mapped import MappedSet
from replication.profiles.zoo import glorot_uniform_
from replication.training.precision import low_precision
from replication.training.stopping import best_epoch

NARROW = 64  # filters of the widest layer
THRESHOLD = 0.5
COUNTS = ("tp", "fp", "fn", "tn")


def build(run: Run) -> nn.Module:
    """The paper's U-Net, or segmentation-models-pytorch's.

    Raises:
        UserError: the pretrained encoder cannot be had.
    """
    if run["network"] == "unet":
        model = UNet([int(width) for width in run["widths"].split("-")], run["dropout"])
        glorot_uniform_(model, run.seed("weights"))
        return model
    import segmentation_models_pytorch as smp  # takes seconds to import

    pretrained = "imagenet" if run["network"] == "smp-unet-imagenet" else None
    torch.manual_seed(run.seed("weights"))
    try:
        network: nn.Module = smp.Unet("resnet34", encoder_weights=pretrained, activation=Sigmoid)
    except Exception as error:
        raise UserError(
            f"the pretrained encoder could not be had: {error}. `unet.network: smp-unet` needs none"
        ) from None
    return nn.Sequential(OrderedDict(standardise=_Standardise(), unet=network)) if pretrained else network


class _Standardise(nn.Module):
    """Pixels in [0, 1] -> what encoders pretrained on ImageNet expect."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406])[:, None, None], persistent=False)
        self.register_buffer("sd", torch.tensor([0.229, 0.224, 0.225])[:, None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.sd  # type: ignore[operator]


def guided_layers(model: nn.Module, run: Run) -> list[str]:
    """What the run's placement means: `skip-feeding`, or the paper's numbers, for example `3-7-11-15`.

    Raises:
        UserError: numbers that mean no convolution, or numbers for a network that the paper did not count.
    """
    placement = run["placement"]
    if placement == SKIP_FEEDING:
        example = torch.empty(1, 3, 64, 64, dtype=next(model.parameters()).dtype)
        return selection.by_role(model, "skip-feeding", example)
    if not isinstance(model, UNet):
        raise UserError(f"placement {placement}: the paper's numbers are those of its own U-Net; choose skip-feeding")
    try:
        return layers_by_number(len(model.encoder), numbers_of(placement))
    except ValueError as error:
        raise UserError(f"placement {placement}: {error}") from None


def one_thread(run: Run) -> bool:
    """For a narrow U-Net (tests/benchmarks/workers.py)."""
    return run["network"] == "unet" and max(map(int, run["widths"].split("-"))) <= NARROW


def optimizer(model: nn.Module, run: Run) -> torch.optim.Optimizer:
    """Adam with Keras's epsilon."""
    return torch.optim.Adam(model.parameters(), lr=run["learning_rate"], eps=1e-7, fused=True)


def schedule(optimizer: torch.optim.Optimizer, run: Run) -> None:  # noqa: ARG001
    """None: the learning rate stays."""
    return


def augment(inputs: Tensor, run: Run, generator: torch.Generator) -> Tensor:  # noqa: ARG001
    """The images as they are."""
    return inputs


def loss(output: Tensor, target: Tensor) -> Tensor:
    return nn.functional.mse_loss(output, target.to(output.dtype)[:, None])


def counts(output: Tensor, target: Tensor) -> Tensor:
    """Pixels of each image by kind, (B, 4)."""
    from segmentation_models_pytorch.metrics import get_stats

    return torch.cat(get_stats(output, target[:, None].long(), mode="binary", threshold=THRESHOLD), dim=1)


def metrics(counts: Tensor) -> dict[str, float]:
    """Accuracy and IoU over all pixels of all images together, and the mean of every image's own IoU.

    An image without object pixels, true or predicted, has an IoU of 1. Accuracy is the same either way: all images
    have equally many pixels.
    """
    from segmentation_models_pytorch.metrics import accuracy, iou_score

    columns = counts.double().split(1, dim=1)
    return {
        "accuracy": accuracy(*columns, reduction="micro").item(),
        "iou": iou_score(*columns, reduction="micro").item(),
        "image_iou": iou_score(*columns, reduction="micro-imagewise").item(),
    }


def watched(row: dict[str, float], run: Run, dtype: torch.dtype) -> float:
    """Validation loss, with the penalty where `monitor` is total."""
    if run["monitor"] != "total":
        return row["validation_loss"]
    # A sum in the precision of the training, as Keras adds it (the rounding that hypothesis H1 is about)
    total = torch.tensor(row["validation_loss"], dtype=dtype) + torch.tensor(row["penalty"], dtype=dtype)
    return total.item()


def best(history: dict[str, list[float]]) -> dict[str, float]:
    """The lowest validation loss, without penalty, and its epoch."""
    epoch, lowest = best_epoch(history["validation_loss"])
    return {"best_epoch": epoch, "best_validation_loss": lowest}


def extras(model: nn.Module, run: Run, data: MappedSet, counts: Tensor) -> dict[str, Any]:
    """`per_image`: counts of every validation image. `shown`: predicted masks of the images of Figure 10."""
    return {
        "per_image": {name: counts[:, column].tolist() for column, name in enumerate(COUNTS)},
        "shown": _shown(model, run, data),
    }


@torch.no_grad()
def _shown(model: nn.Module, run: Run, data: MappedSet) -> list[dict[str, Any]]:
    """Predicted in the run's precision. True masks and the images themselves are kept once, with the unguided run."""
    parameter = next(model.parameters())
    rows = torch.tensor(data.about["shown"], dtype=torch.int64)
    if not len(rows):
        return []
    model.eval()
    inputs, targets = data.batch("validation", rows, parameter.device, parameter.dtype)
    with low_precision(run, parameter.device):
        predicted = (model(inputs) >= THRESHOLD)[:, 0].cpu().numpy()
    found = []
    for place, row in enumerate(rows.tolist()):
        entry = {"id": data.about["validation"]["ids"][row], "prediction": encode_mask(predicted[place])}
        if run["lambda"] == 0:
            picture = data.validation_images[row].cpu().numpy()
            entry |= {"truth": encode_mask(targets[place].cpu().numpy() > 0), "image": encode_image(picture)}
        found.append(entry)
    return found
