"""Python imports this at its start where tests/pipeline puts the folder on PYTHONPATH: it notes what a stage reads.

Left at exit in $RECORDED: a file for each process, its first line the stage, then the project's files that were read.
"""

import atexit
import importlib.util
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

    def is_inside(name: str) -> bool:
        return name.startswith(f"{root}{os.sep}")

    def source_of(path: Path) -> Path:
        """Of a compiled module, the code that it was compiled from."""
        return Path(importlib.util.source_from_cache(str(path))) if path.parent.name == "__pycache__" else path

    def leave() -> None:
        code = {module.__file__ for module in list(sys.modules.values()) if getattr(module, "__file__", None)}
        inside = sorted(
            {source_of(Path(name)).relative_to(root).as_posix() for name in opened | code if is_inside(name)}
        )
        inside = [name for name in inside if not (root / name).is_dir()]  # opened to have a rename kept
        (Path(FOLDER) / f"{os.getpid()}.txt").write_text("\n".join([STAGE, *inside]) + "\n")

    sys.addaudithook(note)
    atexit.register(leave)
