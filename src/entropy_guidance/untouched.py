"""Looking at a model leaves no trace in it."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


@contextmanager
def untouched(module: nn.Module) -> Iterator[None]:
    """Evaluation mode inside; afterwards the module is what it was.

    Modes, attributes, what lists, dictionaries and sets among them hold, and the numbers in buffers come back.
    """
    attributes = [(each, dict(vars(each))) for each in module.modules()]
    containers: dict[int, tuple[Any, Any]] = {}
    for _, values in attributes:
        _remember(list(values.values()), containers)
    buffers = [(buffer, buffer._version, buffer.clone()) for buffer in module.buffers()]
    try:
        for each, _ in attributes:
            each.training = False
        yield
    finally:
        for each, values in attributes:
            vars(each).clear()
            vars(each).update(values)
        for container, content in containers.values():
            _refill(container, content)
        with torch.no_grad():
            for buffer, version, numbers in buffers:
                if buffer._version != version:
                    buffer.copy_(numbers)


def _remember(values: list[Any], containers: dict[int, tuple[Any, Any]]) -> None:
    for value in values:
        if isinstance(value, list | set | dict | deque) and id(value) not in containers:
            containers[id(value)] = value, value.copy()
            _remember(list(value.values() if isinstance(value, dict) else value), containers)
        elif isinstance(value, tuple) and not isinstance(value, Tensor):
            _remember(list(value), containers)


def _refill(container: Any, content: Any) -> None:
    same = len(container) == len(content) and all(a is b for a, b in zip(container, content, strict=True))
    if same and not (isinstance(container, dict) and any(container[key] is not content[key] for key in content)):
        return
    container.clear()
    if isinstance(container, list | deque):
        container.extend(content)
    else:
        container.update(content)
