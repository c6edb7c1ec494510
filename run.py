"""`python3 run.py COMMAND` is `python -m replication COMMAND` with the code of this folder.

Every stage of dvc.yaml starts so. An installed `replication` is that of the folder where `make` ran: in a worktree, a
copied folder or the temporary one of an experiment, its code would run and theirs would be recorded.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "src"))

if __name__ == "__main__":
    try:
        from replication.__main__ import main
    except ModuleNotFoundError as error:
        sys.exit(
            f"error: {sys.executable} has no {error.name}, which this project needs.\n"
            "Run `source .venv/bin/activate` and start again; where there is no .venv, `make repro` sets one up."
        )
    sys.exit(main())
