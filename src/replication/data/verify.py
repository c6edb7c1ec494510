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
from replication.core.files import reading, refuse_waiting, write_text
from replication.core.records import hashed
from replication.data import OFFICIAL
from replication.data.images import SPLITS, ImageSet
from replication.data.mapped import MappedSet

SEEN = "verified.json"  # in a folder of memory maps: hashes, and size and time of the files that had them
Described = Mapping[str, Mapping[str, Any]]  # by split

SAID_AT_ONCE = 64  # examples: to say each takes as long as a tenth of its hash


class _Seen(msgspec.Struct, frozen=True):
    stamp: Mapping[str, list[int]]
    hashes: Mapping[str, str]
    digest: str  # of both: the hashes are believed, and become part of records


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
        expected = [(about, _splits_of(data.about, about, "delete its folder, and it is prepared again"))]
    else:
        stamp, found, expected = None, hashes(name, data), []
    if manifest is not None and manifest.exists():
        with reading(manifest, "restore it with git"):
            whole = json.loads(manifest.read_text())
            own = whole["dataset"] == name
        if own:
            expected.append((manifest, _splits_of(whole, manifest, "restore it with git")))
    if name in OFFICIAL and not expected:
        contents = import_module(f"replication.data.{name}").CONTENT
        expected.append((Path(f"{name}.py"), {split: {"content": contents[split]} for split in SPLITS}))
    file = paths.prepared() / f"{name}.safetensors"
    if isinstance(data, ImageSet) and file.exists() and (carried := ImageSet.described(file)):
        expected.append((file, _splits_of(carried, file, "delete it, and it is prepared again")))
    for source, described in expected:
        _compare(name, found, described, source)
        _compare_shapes(name, data, described, source)
    if stamp is not None and stamp != _stamp(folder):
        raise UserError(f"{folder} changed while it was read: start again")
    if stamp is not None and folder.exists():
        with suppress(UserError):  # in a folder that cannot be written they are read each time
            seen = {"stamp": stamp, "hashes": found, "digest": _digest(stamp, found)}
            write_text(folder / SEEN, strict_json.dumps(seen))
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


def _splits_of(described: Mapping[str, Any], source: Path, remedy: str) -> Described:
    """Content and, where it is there, shape of each split, as a file describes them."""
    with reading(source, remedy):
        return {
            split: {"content": str(about["content"]), "shape": about.get("shape")}
            for split in SPLITS
            for about in [described[split]]
        }


def _compare(name: str, found: Mapping[str, str], described: Described, source: Path) -> None:
    for split in SPLITS:
        if (expected := described[split]["content"]) != found[split]:
            raise UserError(
                f"{_other(name, source)}: the {split} split has the content {found[split][:12]}, expected "
                f"{expected[:12]}. {_again(name)}"
            )


def _compare_shapes(name: str, data: ImageSet | MappedSet, described: Described, source: Path) -> None:
    """Of which a hash of the content says nothing."""
    for split, (images, _) in _splits(data).items():
        if (expected := described[split].get("shape")) not in (None, shape := list(images.shape[1:])):
            raise UserError(
                f"{_other(name, source)}: images of the {split} split have the shape {shape}, expected {expected}. "
                f"{_again(name)}"
            )


def _other(name: str, source: Path) -> str:
    return f"the prepared data set {name} is not the one that {source} describes"


def _again(name: str) -> str:
    return f"Delete {paths.prepared() / name}* and it is prepared again"


def _stamp(folder: Path) -> dict[str, list[int]]:
    """Size and time of each file of memory maps."""
    files = [path for path in sorted(folder.glob("*")) if path.name != SEEN]
    return {path.name: [path.stat().st_size, path.stat().st_mtime_ns] for path in files}


def _seen(folder: Path, stamp: dict[str, list[int]]) -> dict[str, str] | None:
    """The hashes found before, if the files still have the size and time that they had."""
    try:
        refuse_waiting(folder / SEEN)
        seen = msgspec.json.decode((folder / SEEN).read_bytes(), type=_Seen)
    except (OSError, ValueError, msgspec.MsgspecError):
        return None
    whole = seen.digest == _digest(seen.stamp, seen.hashes) and seen.hashes.keys() == {*SPLITS, "order"}
    return dict(seen.hashes) if whole and seen.stamp == stamp else None


def _digest(stamp: Mapping[str, list[int]], found: Mapping[str, str]) -> str:
    return hashed({"stamp": stamp, "hashes": found})
