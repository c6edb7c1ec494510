"""JSON as its standard has it, which knows neither NaN nor infinity: a number that is not finite is null."""

import json
import math
from collections.abc import Callable
from typing import Any


def dumps(content: Any, **layout: Any) -> str:
    """As `json.dumps`, with null for every number that is not finite."""
    try:
        return json.dumps(content, allow_nan=False, **layout)
    except ValueError:  # there is one: rare, and to look for it takes longer than to write
        return json.dumps(leaves(lambda leaf: None if _is_not_finite(leaf) else leaf, content), **layout)


def loads(text: str) -> Any:
    """As `json.loads`, for what holds no null of its own: each is NaN."""
    content = json.loads(text)
    return leaves(lambda leaf: math.nan if leaf is None else leaf, content) if "null" in text else content


def leaves(function: Callable[[Any], Any], value: Any) -> Any:
    """The same nested lists and mappings with `function` applied to every leaf."""
    if isinstance(value, dict):
        return {key: leaves(function, item) for key, item in value.items()}
    return [leaves(function, item) for item in value] if isinstance(value, list | tuple) else function(value)


def _is_not_finite(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
