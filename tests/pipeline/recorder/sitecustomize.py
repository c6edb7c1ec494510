"""Python imports this at its start where tests/pipeline puts the folder on PYTHONPATH: it notes what a stage reads.

Left at exit in $RECORDED: a file for each process, its first line the stage, then the project's files that were read.
"""

import atexit
import os
import sys
from pathlib import Path

FOLDER = os.environ.get("RECORDED")
STAGE = os.environ.get("DVC_STAGE")

if FOLDER and STAGE:
    root = Path.cwd()
    opened: set[str] = set()

    def note(event: str, arguments: tuple[object, ...]) -> None:
        """Audit hook: files that are opened for reading."""
        if event == "open" and isinstance(arguments[0], str | os.PathLike) and "r" in str(arguments[1] or "r"):
            opened.add(str(Path(os.fsdecode(arguments[0])).absolute()))

    def leave() -> None:
        code = {module.__file__ for module in list(sys.modules.values()) if getattr(module, "__file__", None)}
        inside = sorted(
            str(Path(name).relative_to(root)) for name in opened | code if name.startswith(f"{root}{os.sep}")
        )
        (Path(FOLDER) / f"{os.getpid()}.txt").write_text("\n".join([STAGE, *inside]) + "\n")

    sys.addaudithook(note)
    atexit.register(leave)
