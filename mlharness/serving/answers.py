"""Responses: pages, with the policy that each names for itself, and what is said instead of one."""

from __future__ import annotations

from http import HTTPStatus

from werkzeug.wrappers import Request, Response

from mlharness.serving.frame import page, policy_of
from mlharness.serving.keeping import Kept

HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",  # the first address holds the token
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Of every answer, unless it says otherwise. Nothing allows another origin to read one (CORS)."""
_HEAD = 4096
"""Characters of a page in which its policy stands."""


def answer(text: str, status: int = 200) -> Response:
    """A page."""
    return _response(text.encode("utf-8", "backslashreplace"), status)  # a name may hold half a surrogate pair


def kept(request: Request, found: Kept) -> Response:
    """A page that was kept; the browser, too, may keep it, and asks whether it is still right."""
    response = _response(found.body, 200)
    response.headers["Cache-Control"] = "private, no-cache"
    response.set_etag(found.tag)
    response.make_conditional(request)
    return response


def elsewhere(link: str) -> Response:
    """The way to a page of this server that has another address."""
    response = _response(b"", 303)
    response.headers["Location"] = link
    return response


def trouble(status: int, message: str, remedy: str = "") -> Response:
    """What is said instead of a page."""
    title = HTTPStatus(status).phrase
    return answer(page("trouble.html", title, status=status, message=message, remedy=remedy), status)


def _response(body: bytes, status: int) -> Response:
    response = Response(body, status, content_type="text/html; charset=utf-8")
    for name, value in HEADERS.items():
        response.headers[name] = value
    # what is in the page already, and what only a header can say: that no other page may hold this one in a frame
    policy = policy_of(body[:_HEAD].decode("utf-8", "replace"))
    response.headers["Content-Security-Policy"] = f"{policy}; frame-ancestors 'none'"
    return response
