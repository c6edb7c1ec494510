"""Stand-in for MNIST at demo scale: scikit-learn's 1,797 real 8 x 8 digits, enlarged to 28 x 28. Not comparable."""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch.nn import functional as F

from replication.data.images import ImageSet

VALIDATION = 297


def read() -> ImageSet:
    digits = load_digits()
    small = torch.from_numpy(digits.images / digits.images.max())[:, None]
    large = F.interpolate(small, size=28, mode="bilinear", antialias=False)
    images = (large * 255).round().byte()
    labels = torch.from_numpy(digits.target.astype(np.uint8))
    return ImageSet(images[:-VALIDATION], labels[:-VALIDATION], images[-VALIDATION:], labels[-VALIDATION:])
