"""What somebody may have meant by a word that does not exist."""

from collections.abc import Iterable
from difflib import get_close_matches


def suggestion(word: str, known: Iterable[str]) -> str:
    """The end of a message, where one known word is near.

    >>> suggestion("imagenet", ["mnist", "imagenette"])
    '. Did you mean imagenette?'
    >>> suggestion("x", ["mnist"])
    ''
    """
    near = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f". Did you mean {near[0]}?" if near else ""
