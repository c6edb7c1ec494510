"""The keys of many records, fast: replicates share most of a description, which is written once for all of them."""

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache

import msgspec

HOLE = '"replicate": 0'

_SORTED = json.JSONEncoder(sort_keys=True)
_TELLING_APART = msgspec.json.Encoder(order="sorted")  # 1 from 1.0, and 0.0 from -0.0, which equal as values


def key_of(family: str, version: int, settings: Mapping[str, int | float | str]) -> str:
    """As `records.key_of`, of finite numbers and texts."""
    described = {"family": family, "version": version, **settings}
    if type(described.get("replicate")) is int:
        replicate = described.pop("replicate")
        before, after = _around(_TELLING_APART.encode(described))
        text = f'{before}"replicate": {replicate}{after}'
    else:
        text = _SORTED.encode(described)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@lru_cache(maxsize=4096)
def _around(others: bytes) -> tuple[str, str]:
    """A description as its key is made of it, before and after its replicate.

    A text among its values cannot be taken for the hole: quotes are escaped there.
    """
    before, _, after = _SORTED.encode(msgspec.json.decode(others) | {"replicate": 0}).partition(HOLE)
    return before, after
