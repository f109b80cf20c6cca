"""Who may ask: on loopback whoever says so in the Host header, elsewhere whoever has the token."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit

from werkzeug.http import dump_cookie
from werkzeug.wrappers import Request

from mlharness.serving.listening import Listening
from mlharness.serving.trouble import NoPageError

PARAMETER = "token"


@dataclass(frozen=True)
class Gate:
    """What a request must show.

    Attributes:
        names: those that the Host header may name; None for any. A page of somewhere else whose name was made to point
            here (DNS rebinding) names its own.
        token: what the address bar or the cookie must hold; empty for nothing.
        cookie: the name of the cookie, since one browser may know several of these servers on one host.
    """

    names: frozenset[str] | None
    token: str
    cookie: str

    def check_host(self, request: Request) -> None:
        """Raise NoPageError (403) for a request to somebody else."""
        if self.names is not None and host_of(request.headers.get("Host", "")) not in self.names:
            names = ", ".join(sorted(self.names))
            raise NoPageError(403, "This server answers to its own names only.", f"Open it as one of these: {names}.")

    def check_site(self, request: Request) -> None:
        """Raise NoPageError (403) for what a page of another site wants to load, beyond a link that somebody followed.

        It could not read the answer; but it is not to make this server work.
        """
        site = request.headers.get("Sec-Fetch-Site", "none")
        if site not in ("none", "same-origin") and request.headers.get("Sec-Fetch-Dest") != "document":
            raise NoPageError(403, "Another site wants to load this.", "Open it in a window of its own.")

    def check_token(self, request: Request) -> None:
        """Raise NoPageError (403) for a request without the token."""
        if self.token and not self.is_token(request.cookies.get(self.cookie, "")):
            raise NoPageError(
                403, "This server wants its token.", "Open the address that mlh ui has printed, token and all."
            )

    def enters(self, request: Request) -> bool:
        """Whether the address holds the right token: the answer is then a page that sets the cookie and goes on."""
        return bool(self.token) and self.is_token(request.args.get(PARAMETER, ""))

    def is_token(self, given: str) -> bool:
        """Whether this is the token; how long the answer takes tells nothing."""
        return secrets.compare_digest(given.encode("utf-8", "replace"), self.token.encode())

    def cookie_header(self) -> str:
        """The value of Set-Cookie: for no script, and for no request that another site makes."""
        return dump_cookie(self.cookie, self.token, httponly=True, samesite="Strict", path="/")


def make_gate(listening: Listening, asked: bool = False) -> Gate:
    """The gate of a server: with a new token wherever other machines reach it, or where one was asked for."""
    token = secrets.token_urlsafe(32) if asked or not listening.loopback else ""
    names = frozenset({"localhost", listening.address, listening.host.lower()}) if listening.loopback else None
    return Gate(names, token, f"mlh_ui_{listening.port}")


def host_of(header: str) -> str:
    """The name in a Host header, without port and brackets; empty for what is none."""
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""
