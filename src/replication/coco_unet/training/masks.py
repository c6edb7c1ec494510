"""Masks and images as text, for the records that Figure 10 is drawn from."""

import base64
import io

import numpy as np
from PIL import Image


def encode_mask(mask: np.ndarray) -> str:
    """(H, W) boolean -> COCO's compressed run lengths."""
    from pycocotools import mask as rle

    runs: bytes = rle.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"]
    return runs.decode()


def decode_mask(text: str, height: int, width: int) -> np.ndarray:
    """The reverse of `encode_mask`: (H, W) uint8."""
    from pycocotools import mask as rle

    mask: np.ndarray = rle.decode({"size": [height, width], "counts": text.encode()})
    return mask


def encode_image(picture: np.ndarray) -> str:
    """(H, W, 3) uint8 -> a JPEG file in base 64."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=85)
    return base64.b64encode(file.getvalue()).decode()


def decode_image(text: str) -> np.ndarray:
    """The reverse of `encode_image`, up to JPEG's loss."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))
