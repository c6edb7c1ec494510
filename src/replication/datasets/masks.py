"""A prepared segmentation data set: images and masks in memory-mapped files, and the manifest that describes it."""

import base64
import hashlib
import io
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from replication.datasets.images import SPLITS
from replication.errors import UserError


@dataclass(frozen=True)
class Example:
    """One image (H, W, 3) uint8 and its mask (H, W) uint8, 1 where an object is."""

    id: int
    image: np.ndarray
    mask: np.ndarray


@dataclass(frozen=True)
class MaskSet:
    """Two splits of images (N, H, W, 3) with masks (N, H, W), all uint8; masks are 1 where an object is, else 0.

    Colours last: what reaches the network with its axes permuted is in PyTorch's channels-last layout already. The
    tensors read are views of files: only the images that are used enter memory.
    """

    train_images: Tensor
    train_masks: Tensor
    validation_images: Tensor
    validation_masks: Tensor
    about: dict[str, Any]  # by split: ids, content, object_share; shown: rows of validation; and the reader's notes

    def manifest(self) -> dict[str, Any]:
        """Counts, shapes, share of object pixels, a hash of the content, and what the reader noted."""
        notes = {name: value for name, value in self.about.items() if name not in SPLITS}
        return {
            split: {
                "images": len(images),
                "shape": list(images.shape[1:]),
                "object_share": self.about[split]["object_share"],
                "content": self.about[split]["content"],
            }
            for split, images in (("train", self.train_images), ("validation", self.validation_images))
        } | notes

    def to(self, device: torch.device) -> "MaskSet":
        tensors = {name: value.to(device) for name, value in vars(self).items() if isinstance(value, Tensor)}
        return MaskSet(**tensors, about=self.about)

    @property
    def nbytes(self) -> int:
        return sum(value.nbytes for value in vars(self).values() if isinstance(value, Tensor))

    @classmethod
    def read(cls, folder: Path) -> "MaskSet":
        try:
            about = json.loads((folder / "about.json").read_text())
            tensors = {
                f"{split}_{kind}": torch.from_numpy(
                    # Copy on write: torch takes no array that cannot be written
                    np.load(folder / f"{split}-{kind}.npy", mmap_mode="c")[: len(about[split]["ids"])]
                )
                for split in SPLITS
                for kind in ("images", "masks")
            }
        except (OSError, ValueError, KeyError) as error:
            raise UserError(f"{folder} is damaged ({error}): delete it, and it is prepared again") from None
        return cls(**tensors, about=about)


def write(
    folder: Path,
    size: int,
    counts: Mapping[str, int],
    examples: Mapping[str, Iterable[Example]],
    notes: Mapping[str, Any],
) -> None:
    """Write a data set image by image; the folder appears when it is complete.

    Args:
        size: pixels of a side.
        counts: at most so many examples of each split will come.
        notes: for the manifest; read when all examples have come, so that their source may still add to it.
    """
    building = folder.with_name(folder.name + ".tmp")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    about: dict[str, Any] = {}
    for split in SPLITS:
        shape = (counts[split], size, size)
        images = np.lib.format.open_memmap(building / f"{split}-images.npy", "w+", np.uint8, (*shape, 3))
        masks = np.lib.format.open_memmap(building / f"{split}-masks.npy", "w+", np.uint8, shape)
        ids: list[int] = []
        objects = content = 0
        for example in examples[split]:
            images[len(ids)], masks[len(ids)] = example.image, example.mask
            objects += int(example.mask.sum())
            digest = hashlib.sha256(example.image.tobytes() + example.mask.tobytes()).digest()
            content += int.from_bytes(digest, "big")  # a sum: the same whatever the order
            ids.append(example.id)
        images.flush()
        masks.flush()
        about[split] = {
            "ids": ids,
            "object_share": round(objects / (len(ids) * size**2), 6),
            "content": f"{content % (1 << 256):064x}",
        }
    (building / "about.json").write_text(json.dumps(about | dict(notes)))
    shutil.rmtree(folder, ignore_errors=True)
    building.replace(folder)


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
