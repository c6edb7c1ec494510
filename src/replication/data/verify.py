"""Prepared data are what their manifest says, before anything is trained on them; and which data those were."""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
from tqdm import tqdm

from replication.core import paths, strict_json
from replication.core.errors import UserError
from replication.core.files import reading, write_text
from replication.data import OFFICIAL
from replication.data.images import SPLITS, ImageSet
from replication.data.mapped import MappedSet

SEEN = "verified.json"  # in a folder of memory maps: hashes, and size and time of the files that had them
SAID_AT_ONCE = 64  # examples: to say each takes as long as a tenth of its hash


def verified(name: str, data: ImageSet | MappedSet, manifest: Path | None = None) -> dict[str, str]:
    """Hashes of a prepared data set, compared with its manifest's and with those that its files carry.

    Keys: train and validation, the hashes of their content whatever its order; order, a hash of both in the files'
    order. Memory maps are read once, then known by the size and time of their files.

    Raises:
        UserError: the data are not those.
    """
    folder = paths.prepared() / name
    if isinstance(data, MappedSet):
        stamp = _stamp(folder)
        found = _seen(folder, stamp) or hashes(name, data)
        about = folder / "about.json"
        expected = [(about, _contents(data.about, about, "delete its folder, and it is prepared again"))]
    else:
        stamp, found, expected = None, hashes(name, data), []
    if manifest is not None and manifest.exists():
        with reading(manifest, "restore it with git"):
            described = json.loads(manifest.read_text())
            own = described["dataset"] == name
        if own:
            expected.append((manifest, _contents(described, manifest, "restore it with git")))
    if name in OFFICIAL and not expected:
        expected.append((Path(f"{name}.py"), dict(import_module(f"replication.data.{name}").CONTENT)))
    if isinstance(data, ImageSet) and (file := paths.prepared() / f"{name}.safetensors").exists():
        expected.append((file, ImageSet.described(file)))
    for source, contents in expected:
        _compare(name, found, contents, source)
    if stamp is not None and stamp != _stamp(folder):
        raise UserError(f"{folder} changed while it was read: start again")
    if stamp is not None and folder.exists():
        with suppress(UserError):  # in a folder that cannot be written they are read each time
            write_text(folder / SEEN, strict_json.dumps({"stamp": stamp, "hashes": found}))
    return found


def hashes(name: str, data: ImageSet | MappedSet) -> dict[str, str]:
    """What `verified` compares, from all examples."""
    found, order = {}, hashlib.sha256()
    splits = _splits(data)
    bar = tqdm(total=sum(len(images) for images, _ in splits.values()), unit="image", desc=f"checking {name}", delay=2)
    with bar:
        for split, (images, targets) in splits.items():
            total = 0
            for first in range(0, len(images), SAID_AT_ONCE):
                some = slice(first, first + SAID_AT_ONCE)
                for image, target in zip(images[some], targets[some], strict=True):
                    example = hashlib.sha256(image.tobytes())
                    example.update(target.tobytes())
                    digest = example.digest()
                    order.update(digest)
                    total += int.from_bytes(digest, "big")
                bar.update(len(images[some]))
            found[split] = f"{total % (1 << 256):064x}"  # as OrderFreeHash
    return found | {"order": order.hexdigest()}


def _splits(data: ImageSet | MappedSet) -> dict[str, tuple[Any, Any]]:
    if isinstance(data, MappedSet):
        pairs = (data.train_images, data.train_targets), (data.validation_images, data.validation_targets)
    else:
        pairs = (data.train_images, data.train_labels), (data.validation_images, data.validation_labels)
    return {split: (images.numpy(), targets.numpy()) for split, (images, targets) in zip(SPLITS, pairs, strict=True)}


def _contents(described: Mapping[str, Any], source: Path, remedy: str) -> dict[str, str]:
    """The hash of each split's content, as a file describes it."""
    with reading(source, remedy):
        return {split: str(described[split]["content"]) for split in SPLITS}


def _compare(name: str, found: Mapping[str, str], contents: Mapping[str, str], source: Path) -> None:
    for split, expected in contents.items():
        if expected != found[split]:
            raise UserError(
                f"the prepared data set {name} is not the one that {source} describes: the {split} split has the "
                f"content {found[split][:12]}, expected {expected[:12]}. Delete {paths.prepared() / name}* and it is "
                "prepared again"
            )


def _stamp(folder: Path) -> dict[str, list[int]]:
    """Size and time of each file of memory maps."""
    files = [path for path in sorted(folder.glob("*")) if path.name != SEEN]
    return {path.name: [path.stat().st_size, path.stat().st_mtime_ns] for path in files}


def _seen(folder: Path, stamp: dict[str, list[int]]) -> dict[str, str] | None:
    """The hashes found before, if the files still have the size and time that they had."""
    try:
        seen = msgspec.json.decode((folder / SEEN).read_bytes())
        hashes_: dict[str, str] = seen["hashes"]
        return hashes_ if seen["stamp"] == stamp else None
    except (OSError, msgspec.DecodeError, LookupError, TypeError):
        return None
