"""A Ray cluster: joining it, or starting one on this machine, with messages for what goes wrong."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType

from replication.core import code, paths
from replication.core.cores import workers
from replication.core.errors import UserError

PATIENCE = 5.0  # seconds for a cluster to answer
PORT = 6379  # Ray's own
QUIET = {  # read when ray is imported: it reports to nobody, and leaves the screen to our one bar
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",
}


@contextmanager
def joined(address: str | None, processes: int | None = None) -> Iterator[ModuleType]:
    """Ray, connected.

    Args:
        address: HOST:PORT of the cluster's head, or `auto`; None starts one on this machine, which ends with the block.
        processes: of that one; by default one a core.

    Raises:
        UserError: Ray is not installed, no cluster answers, or this machine is not part of it.
    """
    with _variables(QUIET | ({"RAY_AUTH_MODE": "token"} if address is not None and _has_token() else {})):
        ray = _ray()
        if address is not None:
            _check(address)
        options = {"include_dashboard": False, "num_cpus": processes or workers()} if address is None else {}
        try:
            ray.init(
                address=address or "local",
                log_to_driver=False,
                logging_level=logging.CRITICAL,
                runtime_env={"env_vars": _environment()},
                **options,
            )
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            where = "on this machine" if address is None else f"at {address}"
            advice = (
                "" if address is None else ". Start the sweep on a machine of the cluster, with the Ray that it has"
            )
            raise UserError(f"no Ray cluster can be used {where}: {str(error).splitlines()[0]}{advice}") from None
        try:
            yield ray
        finally:
            ray.shutdown()


@contextmanager
def _variables(wanted: dict[str, str]) -> Iterator[None]:
    """Environment variables, within the block, that the user has not set. With a token `ray start` asks for it by
    itself, and `ray.init` does not.
    """
    added = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


def _ray() -> ModuleType:
    try:
        return import_module("ray")
    except ImportError:
        raise UserError("Ray is not installed: `pip install -e '.[ray]'` installs it") from None


def _has_token() -> bool:
    """Whether this user has a token of Ray's, with which clusters let in nobody else."""
    named = any(os.environ.get(name) for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"))
    return named or (Path.home() / ".ray" / "auth_token").exists()


def _check(address: str) -> None:
    """Refuse an address where nobody listens: Ray itself would wait for minutes."""
    if "://" in address:
        raise UserError(f"--address {address}: write HOST:PORT of the cluster's head, and start on one of its machines")
    if address == "auto":
        return
    host, _, port = address.rpartition(":") if ":" in address else (address, ":", str(PORT))
    if not port.isdecimal():
        raise UserError(f"--address {address}: HOST:PORT is expected, for example {host or 'head'}:{PORT}")
    try:
        socket.create_connection((host, int(port)), timeout=PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise UserError(
            f"no Ray cluster answers at {address}: {error}. `ray start --head` on that machine starts one"
        ) from None


def _environment() -> dict[str, str]:
    """What workers have to know of the folder where the sweep was started."""
    path = os.pathsep.join([str(code.SRC), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {
        "PYTHONPATH": path,
        "REPLICATION_DATA": str(paths.prepared().parent.absolute()),
        "REPLICATION_STORE": str(paths.store().absolute()),
    }
