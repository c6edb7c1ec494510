"""Download of official files: resumed where it broke off, retried, and checked."""

import hashlib
import queue
import socket
import sys
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

CHUNK = 1 << 20
TIMEOUT = 30  # seconds without an answer
CONNECTING = 3.0  # seconds for a connection
OFFLINE = 8.0  # and for the first one to any mirror, names looked up
PORTS = {"http": 80, "https": 443}
LONGEST_WAIT = 60  # seconds between two attempts
TRIED_OFFLINE = 3  # attempts while nothing comes
BUSY = (408, 429)  # refusals that may end


def fetch(
    urls: Sequence[str], destination: Path, md5: str, attempts: int = 3, instead: str = "the unpacked data set"
) -> Path:
    """Fetch one file from the first of several mirrors that delivers it, and return its path.

    A file that is there already with the right checksum is kept. A partial download (`*.part`) is resumed.

    Args:
        instead: what is looked for in place of the file, for the message.

    Raises:
        UserError: another file has its name, no mirror answered (without a connection that is said within ten seconds),
            what came does not have the checksum, or the disk is full.
    """
    if destination.exists():
        if (found := file_md5(destination)) == md5:
            return destination
        raise UserError(
            f"{destination} is already there, but it is not the official file: its md5 is {found}, expected {md5}. "
            "Move it away, and the official one is fetched"
        )
    destination.parent.mkdir(parents=True, exist_ok=True)
    partial = destination.with_name(destination.name + ".part")
    problems = [] if _reachable(urls) else [f"{url}: no connection" for url in urls]
    for attempt in range(0 if problems else attempts):
        errors = []
        for url in urls:
            begun = _size(partial)
            try:
                _append(url, partial)
            except requests.RequestException as error:
                broke_off = _size(partial) > begun or isinstance(error, requests.exceptions.ChunkedEncodingError)
                problems.append(f"{url}: {'the transfer broke off' if broke_off else _said(error)}")
                errors.append(None if broke_off else error)
                continue
            except OSError as error:
                kept = f"The {_size(partial):,} bytes that came are kept: free some space and start again"
                raise UserError(f"cannot write {partial}: {error.strerror}. {kept}") from None
            if (found := file_md5(partial)) == md5:
                partial.replace(destination)
                return destination
            partial.unlink()
            problems.append(f"{url}: md5 {found}, expected {md5}")
            errors.append(None)
        if attempt + 1 == attempts or _hopeless(errors, attempt):
            break
        wait = min(2**attempt, LONGEST_WAIT)
        print(f"{destination.name}: {problems[-1]}. Trying again in {wait} s", file=sys.stderr)
        time.sleep(wait)
    raise UserError(
        f"could not download {destination.name}:\n  " + "; ".join(dict.fromkeys(problems)) + "\n"
        f"Without a connection, put the file (or {instead}) into {destination.parent} yourself."
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


def _hopeless(errors: Sequence[requests.RequestException | None], attempt: int) -> bool:
    """Whether another attempt would end as this one did, in which nothing came."""
    if not all(errors):
        return False
    final = [isinstance(error, requests.exceptions.SSLError) or _refusal(error) is not None for error in errors]
    return all(final) or attempt + 1 >= TRIED_OFFLINE


def _refusal(error: requests.RequestException | None) -> int | None:
    """The status by which a server said that it will not send the file."""
    if not isinstance(error, requests.HTTPError) or error.response is None:
        return None
    status: int = error.response.status_code
    return status if 400 <= status < 500 and status not in BUSY else None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


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


def _said(error: requests.RequestException) -> str:
    """Why nothing came."""
    if isinstance(error, requests.exceptions.SSLError):
        return f"its certificate was not accepted ({str(error).rpartition('(')[2].rstrip(chr(39) + chr(34) + ')')})"
    if isinstance(error, requests.Timeout):
        return f"no answer within {TIMEOUT} s"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"refused with {error.response.status_code} {error.response.reason}"
    return str(error)
