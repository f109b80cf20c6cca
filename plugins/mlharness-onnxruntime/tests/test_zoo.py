"""The source ``onnxzoo``: in a folder with the zoo's layout, and on a local server that answers for https://."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from mlharness_onnxruntime import zoo
from requests.adapters import HTTPAdapter

from mlharness.builtin import download
from mlharness.errors import UserError
from mlharness.manifest.files import resolve
from mlharness.registrars import Catalog, SourceRegistrar
from mlharness.testing import SourceConformance

RESNET = "validated/vision/classification/resnet/model"
FILES = {
    f"{RESNET}/resnet50-v1-7.onnx": ("ResNet50", 7),
    f"{RESNET}/resnet50-v1-12.onnx": ("ResNet50", 12),
    f"{RESNET}/resnet50-v1-12-int8.onnx": ("ResNet50-int8", 12),
    "validated/vision/body_analysis/emotion_ferplus/model/emotion-ferplus-8.onnx": ("Emotion FERPlus", 8),
}


def content(path: str) -> bytes:
    """The bytes of a file, which stand for a model."""
    return path.encode() * 3000


def sha256(path: str) -> str:
    return hashlib.sha256(content(path)).hexdigest()


def listed() -> bytes:
    """The zoo's list, with the fields that it has."""
    return json.dumps(
        [
            {
                "model": model,
                "model_path": path,
                "onnx_version": "1.9",
                "opset_version": opset,
                "metadata": {"model_sha": sha256(path), "model_bytes": len(content(path)), "tags": ["vision"]},
            }
            for path, (model, opset) in FILES.items()
        ]
    ).encode()


def lay_out(folder: Path) -> Path:
    """A copy of the zoo in a folder."""
    for path in FILES:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content(path))
    (folder / "ONNX_HUB_MANIFEST.json").write_bytes(listed())
    return folder


def ignore(done: int, total: int) -> None:
    """No progress is shown."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLH_ONNXZOO", (tmp_path / "my zoo").as_uri())
    return lay_out(tmp_path / "my zoo")


class TestOnnxZoo(SourceConformance):
    """In a folder."""

    scheme = "onnxzoo"
    bad_uris = (
        "onnxzoo://",
        "onnxzoo:///",
        "onnxzoo://a/b",
        "onnxzoo://ResNet50?opset=twelve",
        "onnxzoo://ResNet50?opset=",
        "onnxzoo://ResNet50?weights=none",
        "onnxzoo://ResNet50#7",
    )

    @pytest.fixture(autouse=True)
    def _zoo(self, folder: Path) -> None:
        """The zoo is there."""

    def make_uri(self, folder: Path) -> tuple[str, str]:
        return "onnxzoo://resnet50-v1-7", sha256(f"{RESNET}/resnet50-v1-7.onnx")

    def missing_uri(self, folder: Path) -> tuple[str, str | None]:
        return "onnxzoo://mnist-8", None


class TestOnnxZooInTheCache(TestOnnxZoo):
    """What was fetched from the web."""

    @pytest.fixture(autouse=True)
    def _zoo(self, server: Server) -> None:
        for path in FILES:
            zoo.fetch(f"onnxzoo://{Path(path).stem}", None, ignore)


class Server(http.server.ThreadingHTTPServer):
    """Serves the zoo's files as they were at first; ``status`` answers with an error, ``cut`` breaks an answer off."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {f"/zoo/{path}": content(path) for path in FILES}
        self.files["/zoo/ONNX_HUB_MANIFEST.json"] = listed()
        self.status = 200
        self.cut: int | None = None
        self.asked: list[tuple[str, str | None]] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is part of the tests."""


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        found, wanted = self.server.files.get(self.path), self.headers.get("Range")
        self.server.asked.append((self.path.removeprefix("/zoo/"), wanted))
        if found is None or self.server.status != 200:
            self.send_error(404 if found is None else self.server.status)
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(found) - 1}/{len(found)}")
        self.send_header("Content-Length", str(len(found) - start))
        self.end_headers()
        large = not self.path.endswith(".json")
        self.wfile.write(found[start:][: self.server.cut if large else None])

    def log_message(self, *_: Any) -> None:
        """Nothing is printed."""


class Plain(HTTPAdapter):
    """Sends what is meant for https://models.example to the test's server."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port = port

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        asked = request.url or ""
        request.url = asked.replace("https://models.example", f"http://127.0.0.1:{self.port}")
        response = super().send(request, *args, **kwargs)
        request.url = response.url = asked
        return response


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("MLH_ONNXZOO", "https://models.example/zoo/")
    monkeypatch.setenv("NO_PROXY", "*")
    opened = download.open_session

    def open_session(allow_http: bool = False) -> requests.Session:
        session = opened(allow_http)
        assert list(session.adapters) == ["https://"]
        session.mount("https://", Plain(server.server_port))
        return session

    monkeypatch.setattr(download, "open_session", open_session)
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("onnxzoo://resnet50-v1-7", f"{RESNET}/resnet50-v1-7.onnx"),
        ("onnxzoo://resnet50-v1-7.onnx", f"{RESNET}/resnet50-v1-7.onnx"),
        ("onnxzoo://RESNET50_V1_7?opset=7", f"{RESNET}/resnet50-v1-7.onnx"),
        ("onnxzoo://ResNet50?opset=7", f"{RESNET}/resnet50-v1-7.onnx"),
        ("onnxzoo://resnet50?opset=12", f"{RESNET}/resnet50-v1-12.onnx"),
        ("onnxzoo://ResNet50", f"{RESNET}/resnet50-v1-12.onnx"),
        ("onnxzoo://ResNet50-int8", f"{RESNET}/resnet50-v1-12-int8.onnx"),
        ("onnxzoo://Emotion%20FERPlus", "validated/vision/body_analysis/emotion_ferplus/model/emotion-ferplus-8.onnx"),
        ("onnxzoo://emotion-ferplus", "validated/vision/body_analysis/emotion_ferplus/model/emotion-ferplus-8.onnx"),
    ],
)
def test_names(folder: Path, uri: str, path: str) -> None:
    assert zoo.locate(uri, None) == folder / path
    assert zoo.locate(uri, sha256(path)) == folder / path


class TestUnknown:
    """What the zoo does not have."""

    def test_a_misspelt_name(self, folder: Path) -> None:
        with pytest.raises(UserError, match="the zoo has no model 'ResNet5'") as caught:
            zoo.locate("onnxzoo://ResNet5", None)
        assert caught.value.remedy.startswith("Did you mean 'ResNet50'?")

    def test_an_opset(self, folder: Path) -> None:
        with pytest.raises(UserError, match="has ResNet50 for no opset 99") as caught:
            zoo.locate("onnxzoo://ResNet50?opset=99", None)
        assert caught.value.remedy == "It has opset 7, 12."

    def test_a_name_on_the_web(self, server: Server) -> None:
        assert zoo.locate("onnxzoo://ResNet5", None) is None
        with pytest.raises(UserError, match="no model 'ResNet5'"):
            zoo.fetch("onnxzoo://ResNet5", None, ignore)

    def test_another_sha256_than_the_manifest_gives(self, folder: Path) -> None:
        with pytest.raises(UserError, match=r"in the zoo's list, and 0{64} in the manifest"):
            zoo.locate("onnxzoo://ResNet50", "0" * 64)


class TestFolder:
    """A copy of the zoo on this machine."""

    def test_a_file_that_is_not_there(self, folder: Path) -> None:
        path = folder / RESNET / "resnet50-v1-7.onnx"
        path.unlink()
        assert zoo.locate("onnxzoo://resnet50-v1-7", None) is None
        with pytest.raises(UserError, match=r"has no file validated/.*resnet50-v1-7\.onnx"):
            zoo.fetch("onnxzoo://resnet50-v1-7", None, ignore)

    def test_a_damaged_file(self, folder: Path) -> None:
        (folder / RESNET / "resnet50-v1-7.onnx").write_bytes(b"version https://git-lfs.github.com/spec/v1")
        with pytest.raises(UserError, match="has the wrong sha256"):
            zoo.locate("onnxzoo://resnet50-v1-7", None)

    @pytest.mark.parametrize("damage", [b"", b"{}x", b"[1]", b'[{"model": "a"}]', b'{"message": "Not Found"}'])
    def test_a_damaged_list(self, folder: Path, damage: bytes) -> None:
        (folder / "ONNX_HUB_MANIFEST.json").write_bytes(damage)
        with pytest.raises(UserError, match="is not a list of the zoo's kind"):
            zoo.locate("onnxzoo://ResNet50", None)

    def test_no_list(self, folder: Path) -> None:
        (folder / "ONNX_HUB_MANIFEST.json").unlink()
        with pytest.raises(UserError, match="cannot be read") as caught:
            zoo.locate("onnxzoo://ResNet50", None)
        assert "MLH_ONNXZOO" in caught.value.remedy

    @pytest.mark.parametrize("path", ["/etc/passwd", "../../secret.onnx"])
    def test_a_list_that_leads_out_of_the_folder(self, folder: Path, path: str) -> None:
        entry = {"model": "m", "model_path": path, "opset_version": 1, "metadata": {"model_sha": "0" * 64}}
        (folder / "ONNX_HUB_MANIFEST.json").write_text(json.dumps([entry]))
        with pytest.raises(UserError, match="no model 'm'"):
            zoo.locate("onnxzoo://m", None)


@pytest.mark.parametrize("base", ["http://models.example", "ftp://x", "zoo", "file://host/zoo"])
def test_an_address_that_is_none(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLH_ONNXZOO", base)
    with pytest.raises(UserError, match="which is no address"):
        zoo.locate("onnxzoo://ResNet50", None)


class TestWeb:
    """The zoo on a server."""

    PATH = f"{RESNET}/resnet50-v1-12.onnx"

    def test_through_resolve(self, server: Server, tmp_path: Path) -> None:
        catalog = Catalog()
        from mlharness_onnxruntime import plugin

        plugin.mlh_register_sources(SourceRegistrar(catalog, "mlharness-onnxruntime"))
        told: list[tuple[int, int]] = []
        uri = "onnxzoo://ResNet50"
        assert resolve(uri, Path(), None, catalog) is None
        assert server.asked == []
        found = resolve(uri, Path(), None, catalog, fetch=True, advance=lambda done, total: told.append((done, total)))
        assert found == tmp_path / "cache" / "files" / sha256(self.PATH)
        assert told[-1] == (len(content(self.PATH)), len(content(self.PATH)))
        assert [path for path, _ in server.asked] == ["ONNX_HUB_MANIFEST.json", self.PATH]
        assert resolve(uri, Path(), None, catalog) == found
        assert resolve(uri, Path(), sha256(self.PATH), catalog) == found
        assert len(server.asked) == 2

    def test_a_sha256_in_the_manifest_finds_the_file_without_the_list(self, server: Server, tmp_path: Path) -> None:
        found = zoo.fetch("onnxzoo://ResNet50", None, ignore)
        for path in (tmp_path / "cache" / "zoo" / "onnx").iterdir():
            path.unlink()
        assert zoo.locate("onnxzoo://ResNet50", None) is None
        assert zoo.locate("onnxzoo://ResNet50", sha256(self.PATH)) == found

    def test_a_broken_download_goes_on(self, server: Server) -> None:
        server.cut = 66_000
        with pytest.raises(UserError, match="broke off after"):
            zoo.fetch("onnxzoo://ResNet50", None, ignore)
        server.cut = None
        assert zoo.fetch("onnxzoo://ResNet50", None, ignore).read_bytes() == content(self.PATH)
        assert server.asked[-1][1] is not None

    def test_another_file_than_the_list_says(self, server: Server) -> None:
        server.files[f"/zoo/{self.PATH}"] = b"version https://git-lfs.github.com/spec/v1"
        with pytest.raises(UserError, match="has the wrong sha256") as caught:
            zoo.fetch("onnxzoo://ResNet50", None, ignore)
        assert "MLH_ONNXZOO" in caught.value.remedy

    def test_a_file_that_the_server_lacks(self, server: Server) -> None:
        del server.files[f"/zoo/{self.PATH}"]
        with pytest.raises(UserError, match="the server answers 404") as caught:
            zoo.fetch("onnxzoo://ResNet50", None, ignore)
        assert "MLH_ONNXZOO" in caught.value.remedy

    def test_a_server_that_fails(self, server: Server) -> None:
        server.status = 500
        with pytest.raises(UserError, match=r"ONNX_HUB_MANIFEST\.json cannot be fetched: the server answers 500"):
            zoo.fetch("onnxzoo://ResNet50", None, ignore)

    def test_no_network(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        """The list that is kept serves for what is here; nothing can be fetched."""
        found = zoo.fetch("onnxzoo://ResNet50", None, ignore)
        server.shutdown()
        server.server_close()
        assert zoo.locate("onnxzoo://ResNet50", None) == found
        assert zoo.fetch("onnxzoo://ResNet50", None, ignore) == found
        with pytest.raises(UserError, match="the server cannot be reached"):
            zoo.fetch("onnxzoo://ResNet50?opset=7", None, ignore)
        with pytest.raises(UserError, match="no model 'ResNet5'"):
            zoo.fetch("onnxzoo://ResNet5", None, ignore)
        monkeypatch.setenv("MLH_ONNXZOO", "https://models.example/other")
        with pytest.raises(UserError, match="cannot be fetched: the server cannot be reached") as caught:
            zoo.fetch("onnxzoo://ResNet50", None, ignore)
        assert "file:///FOLDER" in caught.value.remedy

    def test_a_list_that_is_no_list(self, server: Server, tmp_path: Path) -> None:
        server.files["/zoo/ONNX_HUB_MANIFEST.json"] = b"<html>sign in</html>"
        with pytest.raises(UserError, match="is not a list of the zoo's kind"):
            zoo.fetch("onnxzoo://ResNet50", None, ignore)
        assert not (tmp_path / "cache" / "zoo").exists()

    def test_a_list_without_end(self, server: Server) -> None:
        server.files["/zoo/ONNX_HUB_MANIFEST.json"] = b" " * (1 << 24) + b"[]"
        with pytest.raises(UserError, match="too large for a list"):
            zoo.fetch("onnxzoo://ResNet50", None, ignore)
