"""What a record of a run has to be, wherever it enters: declared here, checked by `parse`, written by `line`.

A record vouches for itself twice. Its key is the hash of its own settings and version, and its digest that of all its
content: a changed setting and a changed number both show. Records made before there were digests have theirs in the
`digests.json` of their table's folder.
"""

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from replication.core import measured, quick_keys, strict_json
from replication.core.files import reading
from replication.core.schema import named

COMPACT = (",", ":")  # JSON without spaces
KEY = re.compile("[0-9a-f]{16}")
DIGESTS = "digests.json"
ADDED_UNSIGNED = (
    "inputs",
    "per_image",
    "profile",
    "shown",
)  # what a trainer added to records while they carried no digest
SIGNED = len(',"digest":""}') + 64  # characters with which a line that `line` wrote of a sealed record ends

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Measured = int | float | None  # null: not finite
_SORTED = json.JSONEncoder(sort_keys=True)


class Declared(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The fields of a record, in their order; a room's trainer may add others."""

    key: Annotated[str, Meta(pattern="^[0-9a-f]{16}$")]
    family: Name
    version: Annotated[int, Meta(ge=0)]
    run: dict[Name, int | float | str]
    metrics: Mapping[Name, Measured]
    history: Mapping[Name, Sequence[Measured]]  # by epoch
    seconds: Annotated[int, Meta(ge=0)] | Annotated[float, Meta(ge=0)]
    environment: dict[Name, str]
    data: dict[Name, str] | msgspec.UnsetType = msgspec.UNSET  # hashes of what it was trained on
    digest: Digest | msgspec.UnsetType = msgspec.UNSET


class Plain(Declared, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """A record without fields of its trainer's whose numbers are finite: most are, and are read in one pass.

    Key and digest need no pattern of their own: they are compared with what they have to be.
    """

    key: str
    metrics: Mapping[Name, int | float]
    history: Mapping[Name, Sequence[int | float]]
    digest: str | msgspec.UnsetType = msgspec.UNSET


FIELDS = tuple(field.name for field in msgspec.structs.fields(Declared))
LAST = ("data", "digest")  # in a record's text, behind what a trainer adds
FIRST = tuple(name for name in FIELDS if name not in LAST)
_DECODER = msgspec.json.Decoder(Plain)


def key_of(family: str, version: int, settings: Mapping[str, Any]) -> str:
    """The key of a run that some version of the training code made: 16 hexadecimal digits."""
    return hashed({"family": family, "version": version, **settings})[:16]


def hashed(mapping: Mapping[str, Any]) -> str:
    """SHA-256 of a mapping, whatever its order."""
    return _sha256(_SORTED.encode(mapping).encode())


def is_key(text: object) -> bool:
    """Whether this may be a record's key, and so the name of its file."""
    return isinstance(text, str) and KEY.fullmatch(text) is not None


def line(record: Mapping[str, Any]) -> str:
    """A record as the store and the tables have it: the same record gives the same text."""
    return strict_json.dumps(record, separators=COMPACT)


def sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record with the digest of its content, its fields in their order."""
    added = [name for name in record if name not in FIELDS]
    content = {name: record[name] for name in [*FIRST, *added, "data"] if name in record}
    return content | {"digest": _sha256(line(content).encode())}


def parse(text: bytes, latest: int, digests: Mapping[str, str], names: measured.Names | None = None) -> dict[str, Any]:
    """The record in a text, checked; null is NaN.

    Args:
        latest: the highest version of the training code that is known.
        digests: by key, of records that carry none.
        names: `measured.families()`, from whoever reads many.

    Raises:
        ValueError: it is not a record, or not what it says; the message is for the user.
    """
    try:
        declared, content = _decoded(text)
    except msgspec.ValidationError as error:
        raise ValueError(f"not a run record: {error}") from None
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from None
    _check(declared, latest)
    if declared.version == latest:  # an older version may have measured other things
        measured.check(
            declared.family, declared.metrics, declared.history, measured.families() if names is None else names
        )
    _check_digest(text, content, digests)
    return content


def _decoded(text: bytes) -> tuple[Declared, dict[str, Any]]:
    """The declared fields, and all there are as a mapping, in which null is NaN."""
    try:
        plain = _DECODER.decode(text)
    except msgspec.ValidationError:
        content = msgspec.json.decode(text)
        declared = msgspec.convert(content, Declared)
        return declared, strict_json.leaves(lambda leaf: math.nan if leaf is None else leaf, content)
    content = msgspec.structs.asdict(plain)
    for name in LAST:
        if content[name] is msgspec.UNSET:
            del content[name]
    return plain, content


def _check(record: Declared, latest: int) -> None:
    if record.version > latest:
        raise ValueError(f"made by version {record.version} of the training code, and this is version {latest}")
    if (key := quick_keys.key_of(record.family, record.version, record.run)) != record.key:
        raise ValueError(f"its key is {named(record.key)}, and its settings give the key {key}")
    lengths = {*map(len, record.history.values())}
    if len(lengths) > 1:
        raise ValueError(f"its histories have {' and '.join(map(str, sorted(lengths)))} epochs")
    for asked in (record.metrics.get("stopping_epoch"), record.run.get("epochs")):
        if lengths and asked is not None and asked not in lengths:
            raise ValueError(f"its histories have {lengths.pop()} epochs, and it says {asked}")


def _check_digest(text: bytes, content: dict[str, Any], digests: Mapping[str, str]) -> None:
    if (carried := content.get("digest")) is not None:
        found = _sha256(text[:-SIGNED] + b"}")  # of what `line` wrote before
        unchanged = carried == found and text.endswith(f',"digest":"{found}"}}'.encode())
    elif (carried := digests.get(content["key"])) is not None:
        unchanged = carried == _sha256(text)
    elif strange := content.keys() - {*FIELDS, *ADDED_UNSIGNED}:
        raise ValueError(f"it carries no digest, as no record with {', '.join(sorted(strange))} does")
    else:
        return
    if not unchanged and carried != (found := sealed(content)["digest"]):  # the same record, laid out otherwise
        raise ValueError(f"its content was changed: its digest is {found[:12]}, and {named(carried[:12])} was recorded")


def read_digests(folder: Path, name: str = DIGESTS) -> Mapping[str, str]:
    """By key, the digests of records in a folder's tables that were made before records carried one.

    Args:
        name: of another file of digests in the folder.

    Raises:
        UserError: the file is damaged.
    """
    path = folder / name
    if not path.exists():
        return {}
    with reading(path, "restore it with git"):
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Digest])


def _sha256(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
