"""``mlh ui`` as far as its first request: what it prints, opens and refuses."""

from __future__ import annotations

import socket
import subprocess
import sys
import webbrowser
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlharness.serving import server
from mlharness.serving.application import Application
from mlharness.serving.listening import Listening
from tests.unit.cli.conftest import Mlh


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a browser was given; nothing is served."""
    found: list[str] = []
    monkeypatch.setattr(webbrowser, "open", found.append)
    monkeypatch.setattr(server, "serve", lambda application, listening: listening.socket.close())
    return found


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody else listens."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield int(other.getsockname()[1])


def test_it_says_where_it_is(mlh: Mlh, opened: list[str]) -> None:
    ran = mlh("ui", "--port", "0")
    assert ran.code == 0
    assert ran.out.startswith("http://127.0.0.1:")
    assert ran.err == "Ctrl-C ends it.\nEnded.\n"
    assert opened == []
    assert mlh("ui", "--port", "0", "--quiet").err == ""


def test_a_browser_is_opened_where_that_is_wanted(mlh: Mlh, opened: list[str]) -> None:
    ran = mlh("ui", "--port", "0", "--open", "--json")
    assert opened == [ran.document["url"]]
    assert ran.document["token"] is None


def test_beyond_loopback_there_is_a_token(mlh: Mlh, opened: list[str]) -> None:
    ran = mlh("ui", "--port", "0", "--host", "0.0.0.0", "--json")  # noqa: S104  # what is tested
    found = ran.document
    assert found["url"] == f"http://{socket.gethostname()}:{found['port']}/?token={found['token']}"
    assert "go over the network as they are" in ran.err
    local = mlh("ui", "--port", "0", "--token", "--json").document
    assert local["url"] == f"http://127.0.0.1:{local['port']}/?token={local['token']}"
    assert len({found["token"], local["token"]}) == 2


def test_a_port_that_is_taken_is_told(mlh: Mlh, opened: list[str], taken: int) -> None:
    ran = mlh("ui", "--port", str(taken))
    assert (ran.code, ran.out) == (2, "")
    assert f"Error: port {taken} of 127.0.0.1 is taken\n" in ran.err
    assert "Choose another --port" in ran.err


@pytest.mark.parametrize("library", ["waitress", "werkzeug"])
def test_without_its_libraries_it_says_which_to_install(library: str) -> None:
    program = (
        f"import sys; sys.modules[{library!r}] = None; from mlharness.cli.main import main; sys.exit(main(['ui']))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert ran.stderr == f"Error: mlh ui needs {library}, which is not installed\npip install 'mlharness[ui]'\n"


def test_requests_are_told_when_that_is_asked_for(mlh: Mlh, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def one_request(application: Application, listening: Listening) -> None:
        from werkzeug.test import Client

        listening.socket.close()
        Client(application).get("/nothing?token=secret", base_url="http://localhost")

    monkeypatch.setattr(server, "serve", one_request)
    assert "GET /nothing: 404\n" in mlh("ui", "--port", "0", "-v").err
    assert "GET" not in mlh("ui", "--port", "0").err
