"""Files from the web, against a server of the test: https:// is answered by a local server that speaks plain HTTP."""

from __future__ import annotations

import hashlib
import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from mlharness.builtin import download, sources
from mlharness.errors import UserError
from mlharness.manifest.files import digest, resolve
from mlharness.registrars import Catalog, SourceRegistrar

CONTENT = bytes(range(256)) * 16_000  # several chunks
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MD5 = f"md5:{hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()}"
URI = "https://models.example/m.onnx"


class Server(http.server.ThreadingHTTPServer):
    """Serves :data:`CONTENT`, and misbehaves as a test asks.

    ``status`` answers with an error; ``cut`` sends that many bytes of an answer and hangs up; ``ranges`` honours
    Range; ``shift`` answers a range with another one; ``location`` redirects (``redirects`` times, None: always);
    ``busy`` answers are 503 before the first that is not.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = 200
        self.cut: int | None = None
        self.ranges = True
        self.shift = 0
        self.location = ""
        self.redirects: int | None = None
        self.busy = 0
        self.content = CONTENT
        self.asked: list[str | None] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is part of the tests."""


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server = self.server
        wanted = self.headers.get("Range")
        server.asked.append(wanted)
        if server.location and server.redirects != 0:
            server.redirects = server.redirects and server.redirects - 1
            self.send_response(302)
            self.send_header("Location", server.location)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif server.busy:
            server.busy -= 1
            self.send_error(503)
        elif server.status != 200:
            self.send_error(server.status)
        else:
            self.send_content(wanted if server.ranges else None)

    def send_content(self, wanted: str | None) -> None:
        content = self.server.content
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        if start >= len(content):
            self.send_error(416)
            return
        start += self.server.shift if wanted else 0
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:][: self.server.cut])

    def log_message(self, *_: Any) -> None:
        """Nothing is printed."""


class Plain(HTTPAdapter):
    """Sends what is meant for https://models.example to the test's server."""

    def __init__(self, port: int, max_retries: Any) -> None:
        super().__init__(max_retries=max_retries)
        self.port = port

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        asked = request.url
        request.url = f"http://127.0.0.1:{self.port}/m.onnx"
        response = super().send(request, *args, **kwargs)
        request.url = response.url = asked or ""
        return response


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    redirect(monkeypatch, server.server_port)
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def redirect(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """Let every session reach the local port, keeping the rest of what the module's sessions are."""
    monkeypatch.setenv("NO_PROXY", "*")
    opened = download.open_session

    def open_session(allow_http: bool = False) -> requests.Session:
        session = opened(allow_http)
        assert sorted(session.adapters) == (["http://", "https://"] if allow_http else ["https://"])
        assert session.verify is True
        for scheme, adapter in list(session.adapters.items()):
            assert isinstance(adapter, HTTPAdapter)
            session.mount(scheme, Plain(port, adapter.max_retries))
        return session

    monkeypatch.setattr(download, "open_session", open_session)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "files"


def ignore(done: int, total: int) -> None:
    """No progress is shown."""


def leave_part(files: Path, content: bytes) -> None:
    files.mkdir(parents=True)
    (files / f"{SHA256}.part").write_bytes(content)


def test_fetched_once_then_found(server: Server, files: Path) -> None:
    told: list[tuple[int, int]] = []
    assert download.locate(URI, SHA256) is None
    path = download.fetch(URI, SHA256, lambda done, total: told.append((done, total)))
    assert path == files / SHA256
    assert path.read_bytes() == CONTENT
    assert told == sorted(told)
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert download.locate(URI, SHA256) == path
    assert download.fetch(URI, SHA256, ignore) == path
    assert server.asked == [None]
    assert {name.name for name in files.iterdir()} <= {SHA256, f"{SHA256}.ok", f"{SHA256}.lock"}


def test_through_resolve(server: Server, files: Path) -> None:
    catalog = Catalog()
    sources.mlh_register_sources(SourceRegistrar(catalog, "builtin-sources"))
    assert resolve(URI, Path(), SHA256, catalog) is None
    assert server.asked == []
    assert resolve(URI, Path(), SHA256, catalog, fetch=True) == files / SHA256
    assert resolve(URI, Path(), SHA256, catalog) == files / SHA256


def test_a_file_is_hashed_only_when_it_changed(server: Server, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = download.fetch(URI, SHA256, ignore)
    hashed: list[Path] = []

    def note(path: Path) -> str:
        hashed.append(path)
        return digest(path)

    monkeypatch.setattr(download, "digest", note)
    assert download.locate(URI, SHA256) == path
    assert hashed == []
    os.utime(path, ns=(1, 1))
    assert download.locate(URI, SHA256) == path
    assert hashed == [path]
    assert download.locate(URI, SHA256) == path
    assert hashed == [path]
    (files / f"{SHA256}.ok").write_text("{damaged", "utf-8")
    assert download.locate(URI, SHA256) == path
    assert hashed == [path, path]


def test_a_damaged_cached_file_is_fetched_again(server: Server) -> None:
    path = download.fetch(URI, SHA256, ignore)
    path.write_bytes(b"damaged")
    assert download.locate(URI, SHA256) is None
    assert download.fetch(URI, SHA256, ignore).read_bytes() == CONTENT


def test_a_broken_download_is_kept_and_resumed(server: Server, files: Path) -> None:
    server.cut = 2_000_000
    with pytest.raises(UserError, match=r"broke off after \d+ bytes") as raised:
        download.fetch(URI, SHA256, ignore)
    kept = (files / f"{SHA256}.part").stat().st_size
    assert 1_900_000 < kept <= 2_000_000
    assert "goes on where it broke off" in raised.value.remedy
    assert not (files / SHA256).exists()
    server.cut = None
    told: list[tuple[int, int]] = []
    path = download.fetch(URI, SHA256, lambda done, total: told.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert server.asked == [None, f"bytes={kept}-"]
    assert told[0][0] > kept
    assert told[-1] == (len(CONTENT), len(CONTENT))


def test_a_server_that_knows_no_ranges_sends_all_again(server: Server, files: Path) -> None:
    leave_part(files, CONTENT[:1000])
    server.ranges = False
    assert download.fetch(URI, SHA256, ignore).read_bytes() == CONTENT


def test_a_server_that_sends_another_range_is_asked_for_all(server: Server, files: Path) -> None:
    leave_part(files, CONTENT[:1000])
    server.shift = 7
    assert download.fetch(URI, SHA256, ignore).read_bytes() == CONTENT
    assert server.asked == ["bytes=1000-", None]


@pytest.mark.parametrize("extra", [b"", b"more"])
def test_a_part_that_is_already_whole_or_longer(server: Server, files: Path, extra: bytes) -> None:
    leave_part(files, CONTENT + extra)
    assert download.fetch(URI, SHA256, ignore).read_bytes() == CONTENT


def test_a_wrong_checksum(server: Server, files: Path) -> None:
    server.content = b"another file"
    found = hashlib.sha256(b"another file").hexdigest()
    with pytest.raises(UserError, match=f"found {found}, expected {SHA256}") as raised:
        download.fetch(URI, SHA256, ignore)
    assert raised.value.remedy
    assert [path.name for path in files.iterdir() if path.suffix != ".lock"] == []


def test_an_md5_is_enough_and_the_sha256_is_what_counts_from_then_on(server: Server, files: Path) -> None:
    assert download.locate(URI, MD5) is None
    path = download.fetch(URI, MD5, ignore)
    assert path == files / SHA256
    assert path.read_bytes() == CONTENT
    assert download.locate(URI, MD5) == download.fetch(URI, MD5, ignore) == path
    assert download.locate(URI, SHA256) == path, "what the warning asks for costs no second download"
    assert server.asked == [None]
    assert download.locate("https://elsewhere.example/m.onnx", MD5) is None, "an md5 can be forged there"
    path.write_bytes(b"another file of the same md5, for all that is known")
    assert download.locate(URI, MD5) is None
    assert download.fetch(URI, MD5, ignore).read_bytes() == CONTENT


def test_a_wrong_md5_leaves_nothing(server: Server, files: Path) -> None:
    server.content = b"another file"
    found = hashlib.md5(b"another file", usedforsecurity=False).hexdigest()
    with pytest.raises(UserError, match=f"wrong md5: found {found}, expected {MD5[4:]}") as raised:
        download.fetch(URI, MD5, ignore)
    assert "Correct md5 in the manifest" in raised.value.remedy
    assert [path.name for path in files.iterdir() if path.suffix != ".lock"] == []
    assert download.locate(URI, MD5) is None


def test_a_broken_download_by_md5_is_resumed(server: Server) -> None:
    server.cut = 1_000_000
    with pytest.raises(UserError, match="broke off"):
        download.fetch(URI, MD5, ignore)
    server.cut = None
    assert download.fetch(URI, MD5, ignore).read_bytes() == CONTENT
    assert len(server.asked) == 2
    assert server.asked[1] is not None


def test_a_note_of_an_md5_that_is_damaged_is_none(server: Server, files: Path) -> None:
    download.fetch(URI, MD5, ignore)
    [note] = [path for path in files.iterdir() if path.name.startswith("md5-") and path.suffix != ".lock"]
    for damaged in (b"", b"\xff", b"../../etc/passwd", SHA256.encode() + b"\n"):
        note.write_bytes(damaged)
        assert download.locate(URI, MD5) is None
    assert download.fetch(URI, MD5, ignore).read_bytes() == CONTENT


def test_a_part_of_another_file_is_not_resumed_for_ever(server: Server, files: Path) -> None:
    leave_part(files, b"x" * 1000)
    with pytest.raises(UserError, match="wrong sha256"):
        download.fetch(URI, SHA256, ignore)
    assert download.fetch(URI, SHA256, ignore).read_bytes() == CONTENT


@pytest.mark.parametrize("status", [403, 404, 500])
def test_an_error_of_the_server(server: Server, status: int) -> None:
    server.status = status
    with pytest.raises(UserError, match=f"m.onnx: the server answers {status}") as raised:
        download.fetch(URI, SHA256, ignore)
    assert raised.value.remedy


def test_an_error_of_the_server_keeps_the_part(server: Server, files: Path) -> None:
    leave_part(files, CONTENT[:1000])
    server.status = 500
    with pytest.raises(UserError, match="500"):
        download.fetch(URI, SHA256, ignore)
    server.status = 200
    assert download.fetch(URI, SHA256, ignore).read_bytes() == CONTENT
    assert server.asked[-1] == "bytes=1000-"


def test_a_busy_server_is_asked_again(server: Server) -> None:
    server.busy = 1
    assert download.fetch(URI, SHA256, ignore).read_bytes() == CONTENT
    assert len(server.asked) == 2


def test_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as closed:
        port = closed.server_port
    redirect(monkeypatch, port)
    with pytest.raises(UserError, match="the server cannot be reached") as raised:
        download.fetch(URI, SHA256, ignore)
    assert raised.value.remedy


def test_a_redirect_to_plain_http_is_refused(server: Server) -> None:
    server.location = "http://models.example/m.onnx"
    with pytest.raises(UserError, match="leads to an address that is not https"):
        download.fetch(URI, SHA256, ignore)
    assert len(server.asked) == 1


@pytest.mark.parametrize("uri", [URI, URI.replace("https", "http")])
@pytest.mark.parametrize("location", ["", "http://elsewhere.example/m.onnx", "https://elsewhere.example/m.onnx"])
def test_plain_http_where_the_user_allows_it(server: Server, uri: str, location: str) -> None:
    server.location, server.redirects = location, 1
    assert download.fetch(uri, SHA256, ignore, allow_http=True).read_bytes() == CONTENT
    assert len(server.asked) == (2 if location else 1)


def test_plain_http_is_held_against_the_checksum(server: Server, files: Path) -> None:
    server.content = b"changed on the way"
    for checksum in (SHA256, MD5):
        with pytest.raises(UserError, match="the download was deleted"):
            download.fetch("http://models.example/m.onnx", checksum, ignore, allow_http=True)
    assert [path.name for path in files.iterdir() if path.suffix != ".lock"] == []


def test_plain_http_is_not_spoken_unless_it_is_allowed(server: Server) -> None:
    with pytest.raises(UserError, match="not https") as raised:
        download.fetch("http://models.example/m.onnx", SHA256, ignore)
    assert "--allow-http" in raised.value.remedy
    assert server.asked == []


def test_parallel_runs_download_once(server: Server) -> None:
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(download.fetch(URI, SHA256, ignore))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.read_bytes() == CONTENT for path in found] == [True] * 4
    assert server.asked == [None]


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MLH_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(UserError, match=r"the cache .* cannot be used") as raised:
        download.fetch(URI, SHA256, ignore)
    assert "MLH_CACHE_DIR" in raised.value.remedy


def test_a_read_only_cache_still_serves_what_it_has(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    path = download.fetch(URI, SHA256, ignore)
    os.utime(path, ns=(1, 1))

    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(30, "Read-only file system")

    monkeypatch.setattr(Path, "write_text", refuse)
    assert download.locate(URI, SHA256) == path


@pytest.mark.parametrize("md5", ["md5:", "md5:../x", f"md5:{'A' * 32}", f"md5:{'a' * 32}\n", f"md5:{'a' * 64}"])
def test_an_md5_that_is_none_never_becomes_a_path(md5: str) -> None:
    with pytest.raises(UserError, match="no usable md5") as raised:
        download.locate(URI, md5)
    assert "32 lower-case" in raised.value.remedy
    with pytest.raises(UserError, match="no usable md5"):
        download.fetch(URI, md5, ignore)


@pytest.mark.parametrize("sha256", [None, "", "../x", "AB" * 32, "ab" * 32 + "\n"])
def test_a_checksum_that_is_none_never_becomes_a_path(sha256: str | None) -> None:
    with pytest.raises(UserError, match="no usable sha256"):
        download.locate(URI, sha256)
    with pytest.raises(UserError, match="no usable sha256"):
        download.fetch(URI, sha256, ignore)
