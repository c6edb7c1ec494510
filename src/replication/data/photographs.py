"""Stand-in for CIFAR-10 at demo scale: 16 x 16 patches of scikit-learn's two sample photographs. Not comparable."""

import numpy as np
import torch
from sklearn.datasets import load_sample_images

from replication.data.images import ImageSet

SIDE = 16
VALIDATION = 380


def read() -> ImageSet:
    """2,080 patches that do not overlap, in a fixed random order; the label is the photograph's number."""
    photographs = torch.from_numpy(np.stack(load_sample_images().images)).permute(0, 3, 1, 2)  # (2, 3, 427, 640)
    patches = photographs.unfold(2, SIDE, SIDE).unfold(3, SIDE, SIDE)  # (2, 3, 26, 40, 16, 16)
    count = patches.shape[2] * patches.shape[3]
    images = patches.permute(0, 2, 3, 1, 4, 5).reshape(-1, 3, SIDE, SIDE)
    labels = torch.arange(2, dtype=torch.uint8).repeat_interleave(count)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    images, labels = images[order].clone(), labels[order]
    return ImageSet(images[:-VALIDATION], labels[:-VALIDATION], images[-VALIDATION:], labels[-VALIDATION:])
