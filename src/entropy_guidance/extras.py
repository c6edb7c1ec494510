"""Packages beside torch: needed by a part of the library alone, and named where they are missing."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def extra(name: str, purpose: str) -> Iterator[None]:
    """Around imports that an optional extra brings.

    Raises:
        ImportError: a package is missing; the message names it and the extra.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise ImportError(
            f"{purpose} needs {error.name}, which is not installed: pip install 'entropy-guidance[{name}]'",
            name=error.name,
        ) from error
