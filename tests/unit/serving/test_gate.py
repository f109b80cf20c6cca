"""Who is let in, and what every answer says of itself."""

from __future__ import annotations

import base64
import hashlib
import re
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mlharness.errors import UserError
from mlharness.serving.gate import Gate, host_of, make_gate
from mlharness.serving.listening import Listening, listen
from tests.unit.serving.conftest import Asked, words

TOKEN = "t0ken"  # noqa: S105  # of this test only
GUARDED = Gate(None, TOKEN, "mlh_ui_1")


@pytest.fixture
def listening() -> Iterator[Callable[..., Listening]]:
    """Listens, and closes in the end."""
    made: list[socket.socket] = []

    def open_one(host: str = "127.0.0.1", port: int = 0) -> Listening:
        found = listen(host, port)
        made.append(found.socket)
        return found

    yield open_one
    for one in made:
        one.close()


@pytest.mark.parametrize("host", ["localhost", "localhost:8642", "LOCALHOST:1", "localhost:9000"])
def test_its_own_names_are_answered(ask: Asked, host: str) -> None:
    assert ask("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "evil.example:8642", "", "[", "localhost@evil.example", "0", "127.1"],
)
def test_other_names_are_not(ask: Asked, host: str) -> None:
    answer = ask("/", headers={"Host": host})
    assert answer.status_code == 403
    assert "Open it as one of these: localhost." in words(answer.text)


@pytest.mark.parametrize(
    ("header", "name"),
    [("[::1]:80", "::1"), ("[::1]", "::1"), ("Desk:80", "desk"), ("desk", "desk"), ("[::1", ""), (":80", "")],
)
def test_names_of_host_headers(header: str, name: str) -> None:
    assert host_of(header) == name


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_may_link_here_and_load_nothing(ask: Asked, site: str) -> None:
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Dest": "image"}
    assert ask("/", headers=headers).status_code == 403
    assert ask("/", headers={**headers, "Sec-Fetch-Dest": "iframe"}).status_code == 403
    assert ask("/", headers={**headers, "Sec-Fetch-Dest": "document"}).status_code == 200
    assert ask("/", headers={"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "empty"}).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_it_only_reads(ask: Asked, method: str) -> None:
    answer = ask.client.open("/", method=method, headers={"Origin": "https://evil.example"})
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")


def test_no_answer_is_for_another_origin_or_a_frame(ask: Asked) -> None:
    for path in ("/", "/nothing", "/runs/x", "/compare", "/sweeps"):
        headers = ask(path, headers={"Origin": "https://evil.example"}).headers
        assert not [name for name, _ in headers if name.lower().startswith("access-control")]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["Cache-Control"] == "no-store"


def test_the_policy_names_the_scripts_of_the_page_and_no_others(ask: Asked) -> None:
    answer = ask("/")
    scripts = re.findall(r"(?s)<script>(.*?)</script>", answer.text)
    assert len(scripts) == 2
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    source = re.search(r"script-src ([^;]*);", answer.headers["Content-Security-Policy"])
    assert source is not None
    assert source[1].split() == [f"'sha256-{digest}'" for digest in digests]


def test_head_is_get_without_the_page(ask: Asked) -> None:
    answer = ask.client.head("/")
    assert (answer.status_code, answer.data) == (200, b"")


# Tokens


def test_without_the_token_nobody_sees_anything(serve: Callable[[Gate], Asked]) -> None:
    ask = serve(GUARDED)
    for path in (
        "/",
        "/?token=",
        "/?token=t0ke",
        "/?token=t0kenn",
        "/?token=%FF",
        "/?Token=t0ken",
        "/sweeps",
        "/nothing",
    ):
        answer = ask(path)
        assert answer.status_code == 403, path
        assert "Set-Cookie" not in answer.headers
        assert TOKEN not in answer.text


def test_the_token_becomes_a_cookie_that_no_script_and_no_other_site_can_use(serve: Callable[[Gate], Asked]) -> None:
    ask = serve(GUARDED)
    answer = ask(f"/?token={TOKEN}")
    assert answer.status_code == 200
    cookie, *attributes = answer.headers["Set-Cookie"].split("; ")
    assert cookie == f"mlh_ui_1={TOKEN}"
    assert set(attributes) == {"HttpOnly", "SameSite=Strict", "Path=/"}
    assert answer.headers["Refresh"] == "0; url=/"
    assert TOKEN not in answer.text
    assert "No runs yet" in words(ask.text("/"))


@pytest.mark.parametrize("cookie", ["t0ke", "", "é", "t0ken t0ken"])
def test_another_cookie_is_none(serve: Callable[[Gate], Asked], cookie: str) -> None:
    ask = serve(GUARDED)
    ask.client.set_cookie("mlh_ui_1", cookie)
    assert ask("/").status_code == 403


def test_a_token_is_for_whoever_reaches_it_from_elsewhere(listening: Callable[..., Listening]) -> None:
    local, everywhere = listening(), listening("0.0.0.0")  # noqa: S104  # what is tested
    assert (local.loopback, everywhere.loopback) == (True, False)
    assert make_gate(local) == Gate(frozenset({"localhost", "127.0.0.1"}), "", f"mlh_ui_{local.port}")
    asked, outer = make_gate(local, asked=True), make_gate(everywhere)
    assert len(asked.token) >= 43
    assert asked.token != outer.token
    assert (asked.names is None, outer.names is None) == (False, True)


# Where it listens


def test_addresses_to_open(listening: Callable[..., Listening]) -> None:
    local, everywhere = listening("localhost"), listening("0.0.0.0")  # noqa: S104
    assert local.url() == f"http://localhost:{local.port}/"
    assert everywhere.url("abc") == f"http://{socket.gethostname()}:{everywhere.port}/?token=abc"
    six = Listening(local.socket, "::1", "::1", 80)
    assert (six.url(), six.loopback) == ("http://[::1]:80/", True)


def test_a_port_that_is_taken_is_told(listening: Callable[..., Listening]) -> None:
    first = listening()
    with pytest.raises(UserError, match=f"port {first.port} of 127.0.0.1 is taken") as caught:
        listening(port=first.port)
    assert "--port" in caught.value.remedy


@pytest.mark.parametrize("host", ["", "192.0.2.1", "a" * 70, "no.such.host"])
def test_what_is_no_address_here_is_told(
    listening: Callable[..., Listening], host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = socket.getaddrinfo

    def look_up(name: str, *rest: Any, **more: Any) -> Any:
        if name == "no.such.host":  # which nobody is to be asked for
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return found(name, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(UserError, match="--host") as caught:
        listening(host)
    assert "0.0.0.0 is all of them" in caught.value.remedy
