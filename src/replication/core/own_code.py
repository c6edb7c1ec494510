"""The code that runs is the code of the folder that it runs in: a record names the commit of that folder."""

from pathlib import Path

from replication.core.errors import UserError

RUNNING = Path(__file__).parents[1]  # the package `replication` that was imported


def check_own_code(folder: Path, running: Path = RUNNING) -> None:
    """Refuse the code of another folder: the one that is installed, in a worktree or in a copy.

    Raises:
        UserError: `folder` has a `src/replication` of its own, and another one was imported.
    """
    own = folder / "src" / running.name
    if own.is_dir() and not own.samefile(running):
        raise UserError(
            f"this is the code in {running.parent}, and {folder.resolve()} has code of its own.\n"
            "Write `python src/run.py` in place of `python -m replication`: it runs the code of its own folder"
        )
