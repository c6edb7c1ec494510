"""A prepared image data set: its arrays, its file, and the manifest that describes it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from replication.core import strict_json
from replication.core.errors import UserError
from replication.core.files import reading, write_whole

SPLITS = ("train", "validation")
CARRIED = ("content", "shape")  # of a split's manifest, in the file itself


@dataclass(frozen=True)
class ImageSet:
    """Two splits of images (N, C, H, W) uint8 with labels (N,) uint8."""

    train_images: Tensor
    train_labels: Tensor
    validation_images: Tensor
    validation_labels: Tensor

    def manifest(self) -> dict[str, Any]:
        """Counts, shapes, and a hash of the content that does not depend on the order of the images."""
        return {
            split: {
                "images": len(images),
                "shape": list(images.shape[1:]),
                "per_class": torch.bincount(labels.long()).tolist(),
                "content": _content(images, labels),
            }
            for split, images, labels in (
                ("train", self.train_images, self.train_labels),
                ("validation", self.validation_images, self.validation_labels),
            )
        }

    def check(self, name: str, folder: Path, counts: Mapping[str, int], content: Mapping[str, str]) -> None:
        """Compare with the known counts and content hashes of data set `name`, which was read from `folder`.

        Raises:
            UserError: a split is not the known one.
        """
        for split, found in self.manifest().items():
            if found["content"] != content[split]:
                raise UserError(
                    f"{folder}: the {split} split is not {name}'s ({found['images']} images, expected "
                    f"{counts[split]}; content {found['content'][:12]}, expected {content[split][:12]}). "
                    "Move the folder away, and the official files are fetched"
                )

    def save(self, path: Path) -> None:
        """Write the file, with what `described` says of it."""
        tensors = {name: tensor.contiguous() for name, tensor in vars(self).items()}
        described = {
            split: strict_json.dumps({name: about[name] for name in CARRIED})
            for split, about in self.manifest().items()
        }
        needed = sum(t.nbytes for t in tensors.values())
        write_whole(path, lambda temporary: save_file(tensors, temporary, described), needed)

    @classmethod
    def read(cls, path: Path) -> "ImageSet":
        with reading(path, "delete it, and it is prepared again"):
            data = cls(**load_file(path))
            _check_layout(data.train_images, data.train_labels)
            _check_layout(data.validation_images, data.validation_labels)
            return data

    @staticmethod
    def described(path: Path) -> dict[str, Any]:
        """What a file itself says of each split: content and shape, as the manifest has them; {} of an older file."""
        with reading(path, "delete it, and it is prepared again"), safe_open(path, "pt") as file:
            return {split: json.loads(about) for split, about in (file.metadata() or {}).items()}


def _check_layout(images: Tensor, labels: Tensor) -> None:
    """A hash of the content says nothing of shapes.

    Raises:
        ValueError: not images with labels.
    """
    if images.ndim != 4 or labels.shape != images.shape[:1] or not images.dtype == labels.dtype == torch.uint8:
        found = f"{images.dtype} {tuple(images.shape)} with {labels.dtype} {tuple(labels.shape)}"
        raise ValueError(f"{found} are no images (N, C, H, W) of bytes with labels")


class OrderFreeHash:
    """Sum of the SHA-256 of examples modulo 2^256: the same whatever their order."""

    def __init__(self) -> None:
        self.total = 0

    def add(self, example: bytes) -> None:
        self.total += int.from_bytes(hashlib.sha256(example).digest(), "big")

    def __str__(self) -> str:
        return f"{self.total % (1 << 256):064x}"


def _content(images: Tensor, labels: Tensor) -> str:
    content = OrderFreeHash()
    for image, label in zip(images.numpy(), labels.numpy(), strict=True):
        content.add(image.tobytes() + bytes([label]))
    return str(content)


def pixels(images: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, I): row by row with the colours of a pixel side by side, as Keras flattens an image.

    The order decides which inputs the square part of the first weight matrix sees.
    """
    return images.movedim(1, -1).flatten(1)
