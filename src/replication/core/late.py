"""Imports that wait: torch, pandas and matplotlib take seconds, which a command that does not need them should not."""

from collections.abc import Callable
from importlib import import_module
from typing import Any


def function(place: str) -> Callable[..., Any]:
    """MODULE:NAME as a function whose module is imported at the first call."""
    module, _, name = place.partition(":")

    def call(*arguments: Any, **named: Any) -> Any:
        return getattr(import_module(module), name)(*arguments, **named)

    return call
