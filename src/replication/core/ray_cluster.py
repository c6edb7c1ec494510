"""A Ray cluster: joining it, or starting one on this machine, with messages for what goes wrong."""

import importlib.util
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType

from replication.core import code, paths
from replication.core.cores import workers
from replication.core.errors import UserError

PATIENCE = 5.0  # seconds for a machine to answer
ANSWER = 60.0  # seconds for Ray to be imported there and asked
HEALTH = "from ray.scripts.scripts import main; main()"
MODE = "RAY_AUTH_MODE"
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
    with _variables(QUIET), _variables({} if address is None else {MODE: _mode(address)}):
        ray = _ray()
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
    """Environment variables, within the block, that the user has not set."""
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


def _mode(address: str) -> str:
    """Whether the cluster asks for a token, as Ray names it: disabled, or token. `ray.init` has to know beforehand.

    Raises:
        UserError: no cluster answers.
    """
    if importlib.util.find_spec("ray") is None:
        return "disabled"  # that it is missing is said later
    _check(address)
    if MODE in os.environ:
        return os.environ[MODE]
    where = [] if address == "auto" else ["--address", address]
    for mode in ("disabled", "token"):
        ask = [sys.executable, "-c", HEALTH, "health-check", *where]
        try:
            done = subprocess.run(ask, env=os.environ | {MODE: mode}, capture_output=True, timeout=ANSWER, check=False)
        except subprocess.TimeoutExpired:
            continue
        if done.returncode == 0:
            return mode
    raise UserError(
        f"no Ray cluster answers at {address}. `ray start --head` starts one; if it wants a token, ~/.ray/auth_token "
        "has to be that of its head"
    )


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
