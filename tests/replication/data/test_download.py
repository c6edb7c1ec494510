"""The real download code against a server on this machine."""

import hashlib
import http.server
import shutil
import threading
import time
from types import SimpleNamespace

import pytest
import requests

from replication.core.errors import UserError
from replication.data import download
from replication.data.download import fetch

CONTENT = bytes(range(256)) * 20_000  # 5 MB
MD5 = hashlib.md5(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT with ranges; `breaks` connections are cut half-way first."""

    def do_GET(self):
        server = self.server
        server.ranges.append(self.headers.get("Range"))
        if self.path != "/file":
            self.send_error(404)
            return
        start = int(self.headers["Range"].split("=")[1].rstrip("-")) if "Range" in self.headers else 0
        body = CONTENT[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if server.breaks:
            server.breaks -= 1
            body = body[: len(body) // 2]
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(download.time, "sleep", lambda _: None)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        httpd.ranges, httpd.breaks = [], 0
        httpd.url = f"http://127.0.0.1:{httpd.server_port}"
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield httpd
        httpd.shutdown()
        thread.join()


def test_fetches_checks_and_keeps(server, tmp_path):
    path = fetch([server.url + "/file"], tmp_path / "a" / "file", MD5)
    assert path.read_bytes() == CONTENT
    fetch([server.url + "/file"], path, MD5)
    assert len(server.ranges) == 1  # not fetched twice


def test_resumes_where_it_broke_off(server, tmp_path):
    server.breaks = 2
    assert fetch([server.url + "/file"], tmp_path / "file", MD5).read_bytes() == CONTENT
    assert server.ranges[0] is None
    starts = [int(header.split("=")[1].rstrip("-")) for header in server.ranges[1:]]
    assert 0 < starts[0] < starts[1] < len(CONTENT)


def test_a_second_mirror_helps(server, tmp_path):
    urls = [server.url + "/missing", server.url + "/file"]
    assert fetch(urls, tmp_path / "file", MD5).read_bytes() == CONTENT


def test_a_wrong_checksum_is_refused_and_leaves_nothing(server, tmp_path):
    with pytest.raises(UserError, match=f"md5 {MD5}, expected 0000"):
        fetch([server.url + "/file"], tmp_path / "file", "0000", attempts=1)
    assert list(tmp_path.iterdir()) == []


def test_offline_says_what_to_do(tmp_path):
    with pytest.raises(
        UserError, match=r"could not download file:\n.*no connection\n.*put the file .* into .* yourself"
    ) as caught:
        fetch(["http://127.0.0.1:9/file", "http://127.0.0.1:10/file"], tmp_path / "file", MD5, attempts=10)
    assert str(caught.value).count("\n") == 2


def test_a_name_that_nobody_looks_up_is_offline_too(tmp_path, monkeypatch):
    """Neither how often nor how long names are looked up decides when it is said."""
    over = threading.Event()

    def hang(*_, **__):
        over.wait(60)
        raise OSError

    monkeypatch.setattr(download, "OFFLINE", 0.2)
    monkeypatch.setattr(download.socket, "create_connection", hang)
    began = time.monotonic()
    with pytest.raises(UserError, match="no connection"):
        fetch(["http://nowhere.invalid/file"], tmp_path / "file", MD5, attempts=10)
    assert time.monotonic() - began < 10
    over.set()


@pytest.mark.parametrize(("proxy", "server"), [("", ("some.where", 443)), ("http://proxy:3128", ("proxy", 3128))])
def test_behind_a_proxy_it_is_the_proxy_that_is_asked(proxy, server, monkeypatch):
    for name in (
        "http_proxy",
        "https_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
        "no_proxy",
        "NO_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
    if proxy:
        monkeypatch.setenv("https_proxy", proxy)
    assert download._server("https://some.where/file") == server


def test_a_disk_without_room_is_said_at_once(server, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(UserError, match=r"cannot write .*file.part: it needs 5\.1 MB"):
        fetch([server.url + "/file"], tmp_path / "file", MD5)
    assert len(server.ranges) == 1


def test_a_file_of_the_name_with_other_content_is_the_users(server, tmp_path):
    (tmp_path / "file").write_bytes(CONTENT[:-1])
    with pytest.raises(UserError, match=f"already there, but it is not the official file: .*expected {MD5}. Move it"):
        fetch([server.url + "/file"], tmp_path / "file", MD5)
    assert (tmp_path / "file").read_bytes() == CONTENT[:-1] and server.ranges == []


def test_without_a_connection_it_says_what_is_looked_for(tmp_path):
    with pytest.raises(UserError, match=r"no connection\nWithout a connection, put the file \(or the folder x\)"):
        fetch(["http://127.0.0.1:9/file"], tmp_path / "file", MD5, attempts=10, instead="the folder x")


def test_a_connection_that_goes_is_said_at_once_and_given_up_soon(tmp_path, monkeypatch, capsys):
    """A server that can be reached at first, and then no more."""
    waits = []
    monkeypatch.setattr(download.time, "sleep", waits.append)
    monkeypatch.setattr(download, "_reachable", lambda _: True)
    with pytest.raises(UserError, match="no connection"):
        fetch(["http://127.0.0.1:9/file"], tmp_path / "file", MD5, attempts=10)
    assert sum(waits) == 3
    assert capsys.readouterr().err.startswith("file: http://127.0.0.1:9/file: no connection. Trying again in 1 s\n")


def test_a_refusal_is_said_and_not_repeated(server, tmp_path):
    with pytest.raises(UserError, match="refused with 404 Not Found"):
        fetch([server.url + "/missing"], tmp_path / "file", MD5, attempts=10)
    assert len(server.ranges) == 1


def test_a_transfer_that_breaks_off_is_said_and_goes_on_after_many(server, tmp_path, capsys):
    server.breaks = 6
    fetch([server.url + "/file"], tmp_path / "file", MD5, attempts=10)
    assert "the transfer broke off. Trying again" in capsys.readouterr().err


def test_a_full_disk_ends_the_download_and_keeps_what_came(server, tmp_path, monkeypatch):
    def fill(_url, partial):
        partial.write_bytes(CONTENT[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(download, "_append", fill)
    with pytest.raises(UserError, match=r"file.part: No space left on device. The 100 bytes that came are kept"):
        fetch([server.url + "/file"], tmp_path / "file", MD5)
    assert (tmp_path / "file.part").read_bytes() == CONTENT[:100]


def test_a_certificate_is_no_missing_connection(tmp_path, monkeypatch):
    text = "HTTPSConnectionPool: Max retries exceeded (Caused by SSLError(SSLCertVerificationError(1, 'self-signed')))"

    def refuse(*_, **__):
        raise requests.exceptions.SSLError(text)

    monkeypatch.setattr(download, "_reachable", lambda _: True)
    monkeypatch.setattr(download.requests, "get", refuse)
    with pytest.raises(UserError, match=r"its certificate was not accepted .*self-signed"):
        fetch(["https://127.0.0.1:9/file"], tmp_path / "file", MD5)


def test_a_download_that_was_complete_is_kept(server, tmp_path, monkeypatch):
    """Killed before it was renamed; a server refuses the empty range."""
    monkeypatch.setattr(Handler, "do_GET", lambda handler: handler.send_error(416))
    (tmp_path / "file.part").write_bytes(CONTENT)
    assert fetch([server.url + "/file"], tmp_path / "file", MD5).read_bytes() == CONTENT


def test_a_server_without_ranges_starts_anew(server, tmp_path, monkeypatch):
    def whole(handler):
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(CONTENT)

    monkeypatch.setattr(Handler, "do_GET", whole)
    (tmp_path / "file.part").write_bytes(CONTENT[:1000])
    assert fetch([server.url + "/file"], tmp_path / "file", MD5, attempts=1).read_bytes() == CONTENT
