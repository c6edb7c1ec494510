"""What a malformed input gives: a message, and nothing trained."""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from malformed import Malformed

from replication.__main__ import main
from replication.core.store import Store

LONGEST = 1000  # characters of a message
SCALES = ("demo", "paper")  # a value counts at one of them at least


@dataclass(frozen=True)
class Answer:
    status: int | str | None
    said: str  # on standard error

    @property
    def clear(self) -> bool:
        """Whether it is one message of at most three lines."""
        one = self.said.startswith("error: ") and self.said.count("error: ") == 1
        return self.status == 2 and one and self.said.count("\n") <= 3 and len(self.said) < LONGEST


def answer(arguments: Sequence[str]) -> Answer:
    """What a command says and ends with; an exception that it lets through ends it with that."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            status: int | str | None = main(list(arguments))
        except SystemExit as error:
            status = error.code
        except Exception as error:
            status = f"{type(error).__name__}: {error}"
    return Answer(status, said.getvalue())


def tried(malformed: Malformed) -> Answer:
    """The answer to a changed params.yaml, in the current folder."""
    malformed.write(Path("params.yaml"))
    if malformed.command != ("check",) or malformed.changes[0][0] == ("scale",):
        return answer(malformed.command)
    of_scales = [answer(("check", "--scale", scale)) for scale in SCALES]
    return next((one for one in of_scales if one.status != 0), of_scales[0])


def is_refused(malformed: Malformed) -> bool:
    """Whether it is, by one message that names file and key, before anything is trained."""
    found = tried(malformed)
    return (
        found.clear
        and "params.yaml" in found.said
        and malformed.names in found.said
        and not Store(Path(".runs")).keys()
    )
