"""How an image becomes a square of another size: as Pillow resizes, or as Keras's image loader does.

Both interpolate linearly. Pillow averages over all pixels that a new one covers. Keras (`image_dataset_from_directory`,
and `tf.image.resize` under it) does not: it takes the four pixels next to the new one's centre, so that fine patterns
alias. Its loader also decodes JPEG files with another method than Pillow, and leaves the result unrounded
(data/published/assumptions.yaml); here both are decoded by Pillow, and whole numbers.
"""

from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

Resizing = Literal["pillow", "keras"]


def resized(image: Image.Image, size: int, how: Resizing) -> np.ndarray:
    """An image in RGB as (size, size, 3) uint8, without regard to its proportions."""
    if how == "pillow":
        return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))
    x_1CHW = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float()
    square = F.interpolate(x_1CHW, (size, size), mode="bilinear", align_corners=False, antialias=False)
    return square[0].permute(1, 2, 0).round().to(torch.uint8).numpy()
