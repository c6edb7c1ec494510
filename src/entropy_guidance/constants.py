"""Small tensors that are the same at every call, made once."""

from collections.abc import Callable
from functools import lru_cache
from typing import ParamSpec, TypeVar

import torch

P = ParamSpec("P")
T = TypeVar("T")


def made_once(function: Callable[P, T]) -> Callable[P, T]:
    """Keep what a function makes, but for what it makes inside of a compiler, a fake mode or a functional transform."""
    kept = lru_cache(maxsize=256)(function)

    def made(*args: P.args, **kwargs: P.kwargs) -> T:
        if torch.compiler.is_compiling() or _transformed():
            return function(*args, **kwargs)
        with torch.inference_mode(False):
            return kept(*args, **kwargs)  # type: ignore[arg-type]

    return made


def _transformed() -> bool:
    return torch._C._len_torch_dispatch_stack() > 0 or torch._C._are_functorch_transforms_active()
