"""A prepared data set too large to copy into memory: images and their targets in memory-mapped files, and a manifest.

A target is what a network learns to say of an image: a mask, or a class.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from replication.core import room_for, strict_json
from replication.core.files import reading, refuse_waiting, whole_folder
from replication.data.images import SPLITS, OrderFreeHash

Item = TypeVar("Item")
Loaded = TypeVar("Loaded")
CHUNK = 256  # images decoded ahead of their use


@dataclass(frozen=True)
class Example:
    """One image (H, W, 3) and its target: a mask (H, W), 1 where an object is, or a class (). All uint8."""

    id: int | str  # in the source: a number or a file's name
    image: np.ndarray
    target: np.ndarray


@dataclass(frozen=True)
class MappedSet:
    """Two splits of images (N, H, W, 3) with targets, masks (N, H, W) or classes (N,), all uint8.

    Colours last: what reaches the network with its axes permuted is in PyTorch's channels-last layout already. The
    tensors read are views of files: only the images that are used enter memory.
    """

    train_images: Tensor
    train_targets: Tensor
    validation_images: Tensor
    validation_targets: Tensor
    about: dict[str, Any]  # by split: ids, a summary of the targets, content; and the reader's notes

    def manifest(self) -> dict[str, Any]:
        """Counts, shapes, a summary of the targets, a hash of the content, and what the reader noted."""
        splits = {
            split: {"images": len(images), "shape": list(images.shape[1:])}
            | {name: value for name, value in self.about[split].items() if name != "ids"}
            for split, images in (("train", self.train_images), ("validation", self.validation_images))
        }
        return splits | {name: value for name, value in self.about.items() if name not in SPLITS}

    def describe(self) -> str:
        """Which data these are: how many images, the hashes of their content, and the files' size where it is known."""
        counts = " + ".join(str(self.count(split)) for split in SPLITS)
        said = f"{counts} images, content {' + '.join(self.about[split]['content'][:12] for split in SPLITS)}"
        return f"{said}, from files of {self.about['files']}" if "files" in self.about else said

    def count(self, split: str) -> int:
        return len(self._split(split)[0])

    def batch(self, split: str, rows: Tensor, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Some images and their targets, as `on_device` makes them."""
        return on_device(*self.fetched(split, rows.to(self.train_images.device)), device, dtype)

    def fetched(self, split: str, rows: Tensor, *, pinned: bool = False) -> tuple[Tensor, Tensor]:
        """Images (B, H, W, 3) and targets as stored, where they are stored.

        Args:
            pinned: into memory from which a GPU copies while it is at work.
        """
        images, targets = (tensor[rows] for tensor in self._split(split))
        return (images.pin_memory(), targets.pin_memory()) if pinned else (images, targets)

    def _split(self, split: str) -> tuple[Tensor, Tensor]:
        return {
            "train": (self.train_images, self.train_targets),
            "validation": (self.validation_images, self.validation_targets),
        }[split]

    def to(self, device: torch.device) -> "MappedSet":
        tensors = {name: value.to(device) for name, value in vars(self).items() if isinstance(value, Tensor)}
        return MappedSet(**tensors, about=self.about)

    @property
    def nbytes(self) -> int:
        return sum(value.nbytes for value in vars(self).values() if isinstance(value, Tensor))

    @classmethod
    def read(cls, folder: Path) -> "MappedSet":
        """The data set that `write` wrote.

        Raises:
            UserError: the files are damaged.
        """
        with reading(folder, "delete it, and it is prepared again"):
            about = json.loads((folder / "about.json").read_text())
            tensors = {}
            for split in SPLITS:
                count = len(about[split]["ids"])
                for kind in ("images", "targets"):
                    refuse_waiting(file := folder / f"{split}-{kind}.npy")
                    # Copy on write: torch takes no array that cannot be written
                    stored = np.load(file, mmap_mode="c")
                    if len(stored) < count:
                        raise ValueError(f"{len(stored)} {kind} for {count} ids")
                    tensors[f"{split}_{kind}"] = torch.from_numpy(stored[:count])
                _check_layout(*(tensors[f"{split}_{kind}"] for kind in ("images", "targets")))
        return cls(**tensors, about=about)


def on_device(images_BHWC: Tensor, targets: Tensor, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Images (B, 3, H, W) in [0, 1], channels last in memory, and their targets as stored, on a device."""
    x_BHWC, target = (tensor.to(device, non_blocking=True) for tensor in (images_BHWC, targets))
    return (x_BHWC.to(dtype) / 255).permute(0, 3, 1, 2), target


def _check_layout(images: Tensor, targets: Tensor) -> None:
    """A hash of the content says nothing of shapes.

    Raises:
        ValueError: not images with masks or classes.
    """
    fits = images.ndim == 4 and images.shape[-1] == 3 and targets.shape[1:] in ((), images.shape[1:3])
    if not fits or images.dtype != torch.uint8 or targets.dtype != torch.uint8:
        found = f"{images.dtype} {tuple(images.shape)} with {targets.dtype} {tuple(targets.shape)}"
        raise ValueError(f"{found} are no images (N, H, W, 3) of bytes with masks or classes")


def decoded(items: Sequence[Item], load: Callable[[Item], Loaded], name: str) -> Iterator[Loaded]:
    """`load(item)` of each, in order. In threads: decoding an image releases the interpreter's lock."""
    bar = tqdm(total=len(items), unit="image", desc=name, mininterval=10, delay=10)
    with ThreadPoolExecutor() as threads, bar:
        for first in range(0, len(items), CHUNK):
            chunk = items[first : first + CHUNK]
            yield from threads.map(load, chunk)
            bar.update(len(chunk))


def write(
    folder: Path,
    *,
    image_shape: tuple[int, ...],
    target_shape: tuple[int, ...],
    counts: Mapping[str, int],
    examples: Mapping[str, Iterable[Example]],
    summarise: Callable[[np.ndarray], dict[str, Any]],
    notes: Mapping[str, Any],
) -> None:
    """Write a data set image by image; the folder appears when it is complete.

    Args:
        image_shape, target_shape: of one example.
        counts: at most so many examples of each split will come.
        summarise: what the manifest says of the targets of a split.
        notes: for the manifest; read when all examples have come, so that their source may still add to it.
    """
    shapes = (image_shape, target_shape)
    room_for.check_disk(folder, sum(counts[split] * math.prod(shape) for split in SPLITS for shape in shapes))
    about: dict[str, Any] = {}
    with whole_folder(folder) as building:
        for split in SPLITS:
            images, targets = (
                _memory_map(building / f"{split}-{kind}.npy", (counts[split], *shape))
                for kind, shape in (("images", image_shape), ("targets", target_shape))
            )
            ids: list[int | str] = []
            content = OrderFreeHash()
            for example in examples[split]:
                images[len(ids)], targets[len(ids)] = example.image, example.target
                content.add(example.image.tobytes() + example.target.tobytes())
                ids.append(example.id)
            images.flush()
            targets.flush()
            shape = {"shape": list(image_shape)}
            about[split] = {"ids": ids, **shape, **summarise(targets[: len(ids)]), "content": str(content)}
        (building / "about.json").write_text(strict_json.dumps(about | dict(notes)))


def _memory_map(path: Path, shape: tuple[int, ...]) -> np.memmap:
    array: np.memmap = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    room_for.reserve(path)
    return array
