"""Download of official files: resumed where it broke off, retried, and checked."""

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path

import requests
from tqdm import tqdm

from replication.core.errors import UserError

CHUNK = 1 << 20
TIMEOUT = 30  # seconds without an answer


def fetch(urls: Sequence[str], destination: Path, md5: str, attempts: int = 3) -> Path:
    """Fetch one file from the first of several mirrors that delivers it, and return its path.

    A file that is there already with the right checksum is kept. A partial download (`*.part`) is resumed.

    Raises:
        UserError: no mirror answered, or what came does not have the checksum.
    """
    if destination.exists() and file_md5(destination) == md5:
        return destination
    destination.parent.mkdir(parents=True, exist_ok=True)
    partial = destination.with_name(destination.name + ".part")
    problems = []
    for attempt in range(attempts):
        for url in urls:
            try:
                _append(url, partial)
            except (requests.RequestException, OSError) as error:
                problems.append(f"  {url}: {_short(error)}")
                continue
            if (found := file_md5(partial)) == md5:
                partial.replace(destination)
                return destination
            partial.unlink()
            problems.append(f"  {url}: md5 {found}, expected {md5}")
        if attempt + 1 < attempts:
            time.sleep(2**attempt)
    raise UserError(
        f"could not download {destination.name}:\n" + "\n".join(dict.fromkeys(problems)) + "\n"
        f"Without a connection, put the file (or the unpacked data set) into {destination.parent} yourself."
    )


def file_md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def _append(url: str, partial: Path) -> None:
    """Fetch what is missing at the end of `partial`."""
    start = partial.stat().st_size if partial.exists() else 0
    headers = {"Range": f"bytes={start}-"} if start else {}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            return  # complete already
        response.raise_for_status()
        resumed = response.status_code == requests.codes.partial_content
        size = int(response.headers.get("Content-Length", 0)) + (start if resumed else 0)
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
