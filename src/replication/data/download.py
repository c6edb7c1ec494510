"""Download of official files: resumed where it broke off, retried, and checked."""

import hashlib
import queue
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import requests
from tqdm import tqdm

from replication.core import room_for
from replication.core.errors import UserError
from replication.core.files import is_full

CHUNK = 1 << 20
TIMEOUT = 30  # seconds without an answer
CONNECTING = 3.0  # seconds for a connection
OFFLINE = 8.0  # and for the first one to any mirror, names looked up
PORTS = {"http": 80, "https": 443}


def fetch(urls: Sequence[str], destination: Path, md5: str, attempts: int = 3) -> Path:
    """Fetch one file from the first of several mirrors that delivers it, and return its path.

    A file that is there already with the right checksum is kept. A partial download (`*.part`) is resumed.

    Raises:
        UserError: no mirror answered, which is said within ten seconds; or what came does not have the checksum; or
            the disk is full.
    """
    if destination.exists() and file_md5(destination) == md5:
        return destination
    destination.parent.mkdir(parents=True, exist_ok=True)
    partial = destination.with_name(destination.name + ".part")
    problems = [] if _reachable(urls) else [f"{url}: no connection" for url in urls]
    for attempt in range(0 if problems else attempts):
        for url in urls:
            try:
                _append(url, partial)
            except (requests.RequestException, OSError) as error:
                if is_full(error):
                    raise UserError(
                        f"cannot write {partial}: the disk is full. What has come so far is kept. "
                        "Free some space and start again"
                    ) from None
                problems.append(f"{url}: {_short(error)}")
                continue
            if (found := file_md5(partial)) == md5:
                partial.replace(destination)
                return destination
            partial.unlink()
            problems.append(f"{url}: md5 {found}, expected {md5}")
        if attempt + 1 < attempts:
            time.sleep(2**attempt)
    raise UserError(
        f"could not download {destination.name}:\n  " + "; ".join(dict.fromkeys(problems)) + "\n"
        f"Without a connection, put the file (or the unpacked data set) into {destination.parent} yourself."
    )


def _reachable(urls: Sequence[str]) -> bool:
    """Whether the server of any mirror, or the proxy before it, can be connected to; found out side by side."""
    answers: queue.SimpleQueue[bool] = queue.SimpleQueue()
    servers = {_server(url) for url in urls}
    for server in servers:  # no pool: looking up a name cannot be broken off, and a pool would wait for it
        threading.Thread(target=lambda at=server: answers.put(_connects(at)), daemon=True).start()
    deadline = time.monotonic() + OFFLINE
    with suppress(queue.Empty):
        return any(answers.get(timeout=max(0.0, deadline - time.monotonic())) for _ in servers)
    return False


def _connects(server: tuple[str, int]) -> bool:
    try:
        socket.create_connection(server, timeout=CONNECTING).close()
    except OSError:
        return False
    return True


def _server(url: str) -> tuple[str, int]:
    """Host and port of a server, or of the proxy that the surroundings name for it."""
    proxy = requests.utils.select_proxy(url, requests.utils.get_environ_proxies(url))
    parts = urlsplit(url if proxy is None else proxy if "//" in proxy else f"http://{proxy}")
    return parts.hostname or "", parts.port or PORTS.get(parts.scheme, PORTS["http"])


def file_md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def _append(url: str, partial: Path) -> None:
    """Fetch what is missing at the end of `partial`."""
    start = partial.stat().st_size if partial.exists() else 0
    headers = {"Range": f"bytes={start}-"} if start else {}
    with requests.get(url, headers=headers, stream=True, timeout=(CONNECTING, TIMEOUT)) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            return  # complete already
        response.raise_for_status()
        resumed = response.status_code == requests.codes.partial_content
        length = int(response.headers.get("Content-Length", 0))
        room_for.check_disk(partial, length)
        size = length + (start if resumed else 0)
        with (
            partial.open("ab" if resumed else "wb") as file,
            tqdm(total=size or None, initial=start if resumed else 0, unit="B", unit_scale=True, desc=url) as bar,
        ):
            for block in response.iter_content(CHUNK):
                file.write(block)
                bar.update(len(block))


def _short(error: Exception) -> str:
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    if isinstance(error, requests.Timeout):
        return f"no answer within {TIMEOUT} s"
    return str(error)
