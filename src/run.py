"""`python3 src/run.py COMMAND` is `python -m replication COMMAND` with the code of this folder.

Every stage of dvc.yaml starts so: Python finds modules beside the script that it runs first. An installed `replication`
is that of the folder where `make` ran: in a worktree, a copied folder or the temporary one of an experiment, its code
would run and theirs would be recorded.
"""

import sys

if __name__ == "__main__":
    try:
        from replication.__main__ import main
    except ModuleNotFoundError as error:
        sys.exit(
            f"error: {sys.executable} has no {error.name}, which this project needs.\n"
            "Run `source .venv/bin/activate` and start again; where there is no .venv, `make repro` sets one up."
        )
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(main())
