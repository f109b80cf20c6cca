"""Model files from a server of the test, which speaks plain HTTP, and what the user is told of them."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.conftest import Bench, Ran

CONTENT = b"weights of the null model, which nobody reads"
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
SHA256 = hashlib.sha256(CONTENT).hexdigest()
Run = Callable[..., Ran]


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing is printed."""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Where ``model.bin`` can be had."""
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "model.bin").write_bytes(CONTENT)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/model.bin"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def run(bench: Bench, tmp_path: Path, address: str) -> Run:
    """``run(checksum, *arguments)``: a short run of a null model whose file is on the server, with an own cache."""

    def bench_it(checksum: str, *arguments: str) -> Ran:
        (tmp_path / "m.yaml").write_text(
            f'kind: model\nname: m\nversion: "1"\nframework: {{name: "null"}}\ndataset: "null"\n'
            "inputs: [{name: x, dtype: float32, shape: [n, 16]}]\noutputs: [{name: y, dtype: float32, shape: [n, 1]}]\n"
            f"model:\n  files: [{{source: '{address}', {checksum}}}]\n",
            "utf-8",
        )
        env = {"MLH_CACHE_DIR": str(tmp_path / "cache"), "NO_PROXY": "*"}
        return bench("m.yaml", "--duration", "0.2", "--min-queries", "1", *arguments, env=env)

    return bench_it


def test_plain_http_is_refused_before_anything_is_fetched(run: Run, tmp_path: Path, address: str) -> None:
    ran = run(f"sha256: {SHA256}")
    assert ran.code == 2
    assert f"m.yaml:9: model.files[0]: {address}: files are not fetched over plain http://" in ran.err
    assert "--allow-http" in ran.err
    assert not (tmp_path / "cache" / "files").exists()


def test_an_md5_over_plain_http_is_good_enough_for_who_allows_it_and_is_told(
    run: Run, tmp_path: Path, address: str
) -> None:
    ran = run(f"md5: {MD5}", "--allow-http", "--json")
    assert ran.code == 0, ran.err
    said = [
        f"{address}: anyone on the way can change what comes over plain http; its checksum alone vouches for it",
        f"{address}: md5 can be forged; the file's sha256 is {SHA256}, write that",
    ]
    assert ran.result["warnings"][:2] == said
    assert all(f"warning: {warning}" in ran.err for warning in said)
    assert ran.result["model"]["files"] == [{"path": address, "sha256": SHA256}]
    (tmp_path / "served" / "model.bin").unlink()
    again = run(f"sha256: {SHA256}", "--allow-http")
    assert again.code == 0, "what was fetched by its md5 is found by its sha256"
    assert again.result["warnings"][:1] == said[:1]
    assert f"warning: {said[0]}" in again.err
    assert not any("md5" in warning for warning in again.result["warnings"])


def test_a_configuration_file_may_allow_it(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mlharness.toml").write_text("[bench]\nallow-http = true\n", "utf-8")
    assert run(f"sha256: {SHA256}").code == 0


def test_another_file_than_the_md5_says_is_exit_2_and_is_not_kept(run: Run, tmp_path: Path) -> None:
    (tmp_path / "served" / "model.bin").write_bytes(b"another file")
    ran = run(f"md5: {MD5}", "--allow-http")
    assert ran.code == 2
    assert f"expected {MD5}; the download was deleted" in ran.err
    kept = [path for path in (tmp_path / "cache" / "files").iterdir() if path.suffix != ".lock"]
    assert kept == []
    assert not any(ran.root.iterdir())
