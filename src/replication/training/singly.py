"""What trainers of one network at a time share: stacks are runs in a row, each on one thread of a CPU."""

from collections.abc import Hashable
from dataclasses import dataclass

import torch
from torch import Tensor

from replication.core.run import Run
from replication.data.images import ImageSet


def stack_key(run: Run) -> Hashable:
    """Any of them can follow another."""
    return run.family


def stack_size(run: Run, data: ImageSet, device: torch.device) -> int:  # noqa: ARG001
    return 1


def one_thread(run: Run) -> bool:  # noqa: ARG001
    return True


@dataclass(frozen=True)
class OnDevice:
    """A data set where a network is trained: images (N, H, W, C) uint8, colours last, and labels (N,) int64."""

    train_NHWC: Tensor
    validation_VHWC: Tensor
    train_labels_N: Tensor
    validation_labels_V: Tensor


def on_device(images: ImageSet, device: torch.device) -> OnDevice:
    """Copy a data set."""
    pictures = (images.train_images, images.validation_images)
    labels = (images.train_labels, images.validation_labels)
    return OnDevice(
        *(each.movedim(1, -1).contiguous().to(device) for each in pictures),
        *(each.long().to(device) for each in labels),
    )
