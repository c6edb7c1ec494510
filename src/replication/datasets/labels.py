"""A prepared classification data set too large to copy into memory: memory-mapped files, and their manifest."""

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from replication.datasets.images import SPLITS
from replication.errors import UserError


@dataclass(frozen=True)
class Labelled:
    """One image (H, W, 3) uint8, its class, and the file it came from."""

    name: str
    image: np.ndarray
    label: int


@dataclass(frozen=True)
class LabelSet:
    """Two splits of images (N, H, W, 3) with labels (N,), all uint8.

    Colours last: what reaches the network with its axes permuted is in PyTorch's channels-last layout already. The
    images are views of files: only those that are used enter memory.
    """

    train_images: Tensor
    train_labels: Tensor
    validation_images: Tensor
    validation_labels: Tensor
    about: dict[str, Any]  # classes; by split: files, content; and the reader's notes

    def manifest(self) -> dict[str, Any]:
        """Counts, shapes, images of each class, a hash of the content, and what the reader noted."""
        notes = {name: value for name, value in self.about.items() if name not in SPLITS}
        return {
            split: {
                "images": len(images),
                "shape": list(images.shape[1:]),
                "per_class": torch.bincount(labels.long(), minlength=len(self.about["classes"])).tolist(),
                "content": self.about[split]["content"],
            }
            for split, images, labels in (
                ("train", self.train_images, self.train_labels),
                ("validation", self.validation_images, self.validation_labels),
            )
        } | notes

    def to(self, device: torch.device) -> "LabelSet":
        tensors = {name: value.to(device) for name, value in vars(self).items() if isinstance(value, Tensor)}
        return LabelSet(**tensors, about=self.about)

    @property
    def nbytes(self) -> int:
        return sum(value.nbytes for value in vars(self).values() if isinstance(value, Tensor))

    @classmethod
    def read(cls, folder: Path) -> "LabelSet":
        try:
            about = json.loads((folder / "about.json").read_text())
            tensors: dict[str, Tensor] = {}
            for split in SPLITS:
                # Copy on write: torch takes no array that cannot be written
                images = np.load(folder / f"{split}-images.npy", mmap_mode="c")
                tensors[f"{split}_images"] = torch.from_numpy(images)
                tensors[f"{split}_labels"] = torch.tensor(about[split]["labels"], dtype=torch.uint8)
                if len(images) != len(about[split]["labels"]):
                    raise ValueError(f"{len(images)} images, {len(about[split]['labels'])} labels")
        except (OSError, ValueError, KeyError) as error:
            raise UserError(f"{folder} is damaged ({error}): delete it, and it is prepared again") from None
        return cls(**tensors, about=about)


def write(
    folder: Path,
    *,
    size: int,
    classes: Sequence[str],
    counts: Mapping[str, int],
    examples: Mapping[str, Iterable[Labelled]],
    notes: Mapping[str, Any],
) -> None:
    """Write a data set image by image; the folder appears when it is complete.

    Args:
        size: pixels of a side.
        classes: their names, in the order of the labels.
        counts: how many examples of each split will come.
        notes: for the manifest.
    """
    building = folder.with_name(folder.name + ".tmp")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    about: dict[str, Any] = {"classes": list(classes)}
    for split in SPLITS:
        shape = (counts[split], size, size, 3)
        images = np.lib.format.open_memmap(building / f"{split}-images.npy", "w+", np.uint8, shape)
        files: list[str] = []
        labels: list[int] = []
        content = 0
        for row, example in enumerate(examples[split]):
            images[row] = example.image
            digest = hashlib.sha256(example.image.tobytes() + bytes([example.label])).digest()
            content += int.from_bytes(digest, "big")  # a sum: the same whatever the order
            files.append(example.name)
            labels.append(example.label)
        assert len(files) == counts[split]
        images.flush()
        about[split] = {"files": files, "labels": labels, "content": f"{content % (1 << 256):064x}"}
    (building / "about.json").write_text(json.dumps(about | dict(notes)))
    shutil.rmtree(folder, ignore_errors=True)
    building.replace(folder)
